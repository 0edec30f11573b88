"""Part of the GPU check: whether number formats, optimiser and augmentation compute what they should."""

import math
from dataclasses import dataclass
from functools import partial
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.gpu_bench import RECIPES, Bench, Result, attempt, good, say
from hpsearch.seeds import stream
from trainer import augment
from trainer.augment_by_offset import crop_and_flip_epoch
from trainer.batches import Split, shuffled
from trainer.blocks import Precision
from trainer.loop import fit, start, train_step
from trainer.precision import supported
from trainer.recipe import Recipe

STEPS, WIDTH = 8, 16
POSITION = 0.05
"""Share of the schedule at which the steps are taken: early in the warm-up, before rates at which runs part."""

FIRST_LOSS, ALL_LOSSES, DIRECTION = 0.01, 0.05, 0.95
"""Bands against fp32: nats between the first losses, nats between any two, least cosine between the first steps."""

AUGMENTED = 5000


@dataclass(frozen=True)
class Steps:
    """A few steps from the weights of seed 0.

    ``losses``  mean training loss before each step, nats
    ``first``  what the first step added to all the parameters, one fp32 vector
    ``finite``  whether all gradients were
    ``unmoved``  parameters that the steps left exactly as they were
    """

    losses: list[float]
    first: Tensor
    finite: bool
    unmoved: list[str]

    @property
    def sound(self) -> bool:
        """Whether they are steps at all."""
        return self.finite and not self.unmoved and all(map(math.isfinite, self.losses))

    def to_json(self) -> Result:
        """Return plain data."""
        return {"losses": self.losses, "gradients_finite": self.finite, "unmoved": self.unmoved, "ok": self.sound}


def formats(bench: Bench) -> Result:
    """Return what each format and each recipe did, with ``ok`` where it is as it should be."""
    train = bench.split(None if bench.tiny else 20_000)
    groups = {
        "formats": attempt(lambda: _against_fp32(bench, train)),
        "post1_norm": _post1(bench, train),
        "updates": {name: attempt(partial(_updates, bench, name, train)) for name in RECIPES},
        "augmentation": {name: attempt(partial(_augmentation, bench, name, train)) for name in RECIPES},
        "same_seed_twice": {name: attempt(partial(_twice, bench, name)) for name in RECIPES if _in_time(bench, name)},
    }
    for group, results in groups.items():
        said = (f"{name} {'ok' if good(one) else 'NOT OK'}" for name, one in results.items())
        say(f"  {group}: {', '.join(said) or 'none here'}")
    bands = {"first_loss": FIRST_LOSS, "all_losses": ALL_LOSSES, "direction": DIRECTION}
    return {"steps": STEPS, "bands": bands, **groups}


def _against_fp32(bench: Bench, train: Split) -> Result:
    """Train post 4's network from equal weights in every format that the device has."""
    reference = _take(bench, bench.recipe("post4_resnet9", WIDTH, precision="fp32"), train)

    def compare(precision: Precision) -> Result:
        return _compared(_take(bench, bench.recipe("post4_resnet9", WIDTH, precision=precision), train), reference)

    there = supported(bench.device)
    for name in get_args(Precision):
        if name not in there:
            bench.skip(f"{name}, for which the device has no fast arithmetic")
    return {name: attempt(partial(compare, name)) for name in get_args(Precision) if name in there}


def _compared(steps: Steps, reference: Steps) -> Result:
    apart = [abs(one - other) for one, other in zip(steps.losses, reference.losses, strict=True)]
    cosine = F.cosine_similarity(steps.first, reference.first, dim=0).item()
    ok = steps.sound and apart[0] <= FIRST_LOSS and max(apart) <= ALL_LOSSES and cosine >= DIRECTION
    return {**steps.to_json(), "first_loss_apart": apart[0], "most_apart": max(apart), "direction": cosine, "ok": ok}


def _post1(bench: Bench, train: Split) -> Result:
    """Train post 1's network as a whole in fp16, its batch norm in fp32 and in fp16."""
    if "fp16_whole" not in supported(bench.device):
        return {}

    def take(norm: str) -> Result:
        changes: Result = {"model.norm.precision": norm}
        return _take(bench, bench.recipe("post1_baseline", WIDTH, **changes), train).to_json()

    return {norm: attempt(partial(take, norm)) for norm in ("fp32", "network")}


def _updates(bench: Bench, name: str, train: Split) -> Result:
    return _take(bench, bench.recipe(name, WIDTH), train).to_json()


def _take(bench: Bench, chosen: Recipe, train: Split) -> Steps:
    run = start(chosen, 0, bench.device, train, len(bench.dataset.classes))
    trained = [(name, parameter) for name, parameter in run.network.named_parameters() if parameter.requires_grad]
    before = [parameter.detach().clone() for _, parameter in trained]
    losses, first, finite = [], torch.empty(0), True
    for number in range(STEPS):
        inputs, labels = bench.batch(chosen, train, number)
        loss, _ = train_step(run, inputs, labels, POSITION * chosen.epochs).tolist()
        losses.append(loss / len(labels))
        # The step has used the gradients up; what is not finite in them stays so.
        finite &= all(p.grad is None or bool(p.grad.isfinite().all()) for _, p in trained)
        if number == 0:
            first = torch.cat(
                [(p.detach().float() - old.float()).flatten() for (_, p), old in zip(trained, before, strict=True)]
            )
    unmoved = [name for (name, p), old in zip(trained, before, strict=True) if torch.equal(p, old)]
    return Steps(losses, first, finite, unmoved)


def _augmentation(bench: Bench, name: str, train: Split) -> Result:
    """Compare crops and mirror images of a whole epoch at once with those batch by batch."""
    chosen = bench.recipe(name)
    images = min(AUGMENTED, len(train))
    few = Split(train.pixels[:images], train.labels[:images], train.shape)
    order = shuffled(images, stream(0, "order"), bench.device)
    choices = augment.draw(chosen.augment, order, few.shape, 0, 0, bench.device)
    at_once = crop_and_flip_epoch(few.pixels, order, choices)
    size = chosen.batch_size
    batches = [slice(first, first + size) for first in range(0, images, size)]
    apart = [(augment.crop_and_flip(few.pixels, order[b], choices[b]) != at_once[b]).sum() for b in batches]
    pixels = int(torch.stack(apart).sum())
    return {"images": images, "different_pixels": pixels, "ok": pixels == 0}


def _in_time(bench: Bench, name: str) -> bool:
    if not bench.has():
        bench.skip(f"{name} twice from the same seed")
    return bench.has()


def _twice(bench: Bench, name: str) -> Result:
    """Train one epoch twice from the same seed; return how far losses and weights are apart."""
    train = bench.split(AUGMENTED)
    chosen = bench.recipe(name, WIDTH, images=len(train), epochs=1)
    ends = []
    for _ in range(2):
        run = start(chosen, 0, bench.device, train, len(bench.dataset.classes))
        (report,) = fit(run, train)
        ends.append((report["train_loss"], torch.cat([p.detach().float().flatten() for p in run.network.parameters()])))
    (loss, weights), (other_loss, other_weights) = ends
    apart = (weights - other_weights).abs().max().item()
    say(f"  {name} twice from the same seed: weights differ by at most {apart:.3g}")
    return {"loss_apart": abs(loss - other_loss), "weights_apart": apart, "largest_weight": weights.abs().max().item()}
