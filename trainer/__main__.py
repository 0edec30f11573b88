"""Train one recipe without a search: ``python -m trainer --recipe NAME --data PATH``."""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

from hpsearch.contract import Report
from hpsearch.errors import InputError, Problem, RecipeError
from hpsearch.yaml_document import scalar
from trainer import data, recipe
from trainer.final import train_final
from trainer.overrides import with_overrides


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 2 for wrong input, 1 for a run that diverged."""
    options = _parser().parse_args(arguments)
    try:
        return _train(options)
    except InputError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description="Train one recipe and test it at the end.")
    add = parser.add_argument
    add(
        "--recipe",
        default="post4_resnet9",
        help=f"a file, or one of {', '.join(recipe.names())} (default: %(default)s)",
    )
    add("--data", type=Path, metavar="PATH", help="where the data lie (default: HPSEARCH_DATA, the cache, a download)")
    add("--epochs", type=int, help="stretch the schedule to this length")
    add("--seed", type=partial(_integer, least=0), default=0, help="of everything random (default: 0)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--threads", type=partial(_integer, least=1), help="CPU threads (default: what torch chooses)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a value of the recipe, as augment.cutout=4")
    add("--save", type=Path, metavar="FILE", help="write the trained model here")
    add("--full", action="store_true", help="train on all the training images, holding none out")
    return parser


def _integer(text: str, least: int) -> int:
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}")
    return number


def _train(options: argparse.Namespace) -> int:
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    changes = dict(_change(text) for text in options.set)
    if options.epochs is not None:
        changes["epochs"] = options.epochs
    chosen = with_overrides(recipe.load(options.recipe), changes)
    source = data.find(chosen.data.name, options.data)
    sys.stdout.write(f"{chosen.about}\ndata: {source.where}\n")
    report: Report = {}
    for report in train_final(chosen, source, options.seed, options.device, options.save, options.full):
        if report["epoch"] == 1:
            sys.stdout.write(f"device: {report['device']}{', ' + report['note'] if 'note' in report else ''}\n")
        sys.stdout.write(_line(report, chosen.epochs) + "\n")
        sys.stdout.flush()
    return 1 if report.get("diverged") else 0


def _change(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(
            Problem("--set needs a key and a value", got=text, allowed="KEY=VALUE, as in augment.cutout=4")
        )
    return key.strip(), scalar(value.strip())


def _line(report: Report, epochs: int) -> str:
    """Return one line for an epoch, with the metrics that it has."""
    shown = {
        "train_loss": ".4f",
        "val_loss": ".4f",
        "val_accuracy": ".4f",
        "learning_rate": ".4f",
        "images_per_second": ".0f",
    }
    shown["test_accuracy"] = ".4f"
    parts = [f"{name} {report[name]:{form}}" for name, form in shown.items() if name in report]
    reason = [report["stop_reason"]] if "stop_reason" in report else []
    return f"epoch {report['epoch']:>{len(str(epochs))}}/{epochs}  " + "  ".join([*parts, *reason])


if __name__ == "__main__":
    sys.exit(main())
