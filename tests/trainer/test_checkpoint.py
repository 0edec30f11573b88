import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from hpsearch.errors import RecipeError
from tests.trainer.conftest import CPU, weights
from trainer import checkpoint
from trainer.batches import Split
from trainer.blocks import Trace
from trainer.loop import Run, fit, start
from trainer.overrides import with_overrides
from trainer.recipe import Recipe, load


def begin(recipe: Recipe, splits: Mapping[str, Split], seed: int = 0) -> Run:
    return start(recipe, seed, CPU, splits["train"], 10)


def with_everything(tiny: Recipe) -> Recipe:
    """What a run may keep beside its parameters: Muon's velocities, an average, a bias with a share of the run."""
    values = tiny.model_dump(mode="json")
    filters = {"patch": 3, "images": 100, "epsilon": 0.01, "mirrored": True, "mix": False, "bias_share": 0.5}
    values["model"] |= {"whitening": filters, "filters": "dirac", "extra": "L2"}
    values["optimizer"] |= {"velocity": "torch", "muon": {"lr": 0.1, "momentum": 0.6, "iterations": 3}}
    values["augment"] |= {"alternate": True, "groups": 20}
    return load({**values, "average": {"every": 3, "momentum": 0.9}})


@pytest.mark.parametrize("killed_after", [1, 2, 3])
@pytest.mark.parametrize("whole", [False, True])
def test_a_resumed_run_is_the_straight_run(
    tiny: Recipe, splits: Mapping[str, Split], killed_after: int, whole: bool, tmp_path: Path
) -> None:
    tiny = with_everything(tiny) if whole else tiny
    data = splits["train"], splits["val"], splits["test"]
    straight = begin(tiny, splits)
    expected = list(fit(straight, *data))

    first, file = begin(tiny, splits), tmp_path / "checkpoint.pt"
    reports = fit(first, *data)
    seen = [next(reports) for _ in range(killed_after)]
    checkpoint.save(first, file)
    reports.close()
    resumed = begin(tiny, splits)
    checkpoint.restore(resumed, file)
    seen += list(fit(resumed, *data))

    for report in [*expected, *seen]:
        del report["images_per_second"], report["seconds"]
    assert seen == expected
    assert np.array_equal(weights(resumed.network), weights(straight.network))
    assert np.array_equal(weights(resumed.judged), weights(straight.judged))
    assert np.array_equal(weights(resumed.judged), weights(resumed.network)) != whole
    for ours, theirs in zip(resumed.update.state(), straight.update.state(), strict=True):
        assert torch.equal(ours, theirs)
    assert resumed.progress.best_loss == straight.progress.best_loss
    assert resumed.progress.seconds > first.progress.seconds > 0


def test_what_was_written_on_a_device_comes_back_as_it_was(
    tiny: Recipe, splits: Mapping[str, Split], tmp_path: Path
) -> None:
    """Tables of a run on a GPU were never there; meta stands for a device that NumPy cannot read."""
    traced = tiny.model_copy(update={"trace": Trace(every=3)})
    first, resumed = begin(traced, splits), begin(traced, splits)
    next(fit(first, splits["train"]))
    checkpoint.save(first, tmp_path / "checkpoint.pt")
    resumed.device = torch.device("meta")
    checkpoint.restore(resumed, tmp_path / "checkpoint.pt")
    before, after = (run.reports[0]["tables"]["dynamics"] for run in (first, resumed))
    assert before.keys() == after.keys()
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values)
    assert weights(resumed.network).tolist() == weights(first.network).tolist()


def test_the_time_and_the_best_loss_go_on(tiny: Recipe, splits: Mapping[str, Split], tmp_path: Path) -> None:
    run = begin(tiny, splits)
    next(fit(run, splits["train"], splits["val"]))
    checkpoint.save(run, tmp_path / "checkpoint.pt")
    resumed = begin(tiny, splits)
    checkpoint.restore(resumed, tmp_path / "checkpoint.pt")
    assert resumed.progress == run.progress


def test_writing_leaves_the_old_file_or_the_new_one(
    tiny: Recipe, splits: Mapping[str, Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, file = begin(tiny, splits), tmp_path / "checkpoint.pt"
    checkpoint.save(run, file)
    before = file.read_bytes()

    def torn(_: object, to: Path) -> None:
        assert to.parent == tmp_path
        assert to.name.startswith(".")
        to.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(run, file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_refuses_another_run(tiny: Recipe, splits: Mapping[str, Split], tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pt"
    checkpoint.save(begin(tiny, splits), file)
    with pytest.raises(RecipeError, match="another seed"):
        checkpoint.restore(begin(tiny, splits, seed=1), file)
    with pytest.raises(RecipeError, match="another recipe") as refusal:
        checkpoint.restore(begin(with_overrides(tiny, {"augment.cutout": 3, "lr": 0.3}), splits), file)
    assert refusal.value.problems[0].key == "schedule, augment"
    run = begin(tiny, splits)
    run.precision = "bf16"
    with pytest.raises(RecipeError, match="another precision"):
        checkpoint.restore(run, file)


def test_refuses_another_version(
    tiny: Recipe, splits: Mapping[str, Split], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(begin(tiny, splits), tmp_path / "checkpoint.pt")
    monkeypatch.setattr(checkpoint, "VERSION", checkpoint.VERSION + 1)
    with pytest.raises(RecipeError, match="another version"):
        checkpoint.restore(begin(tiny, splits), tmp_path / "checkpoint.pt")


class Trap:
    """Pickled code that would run on loading."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was executed",))


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "noise", "pickle", "zip", "other"])
def test_refuses_what_is_no_checkpoint(tiny: Recipe, splits: Mapping[str, Split], damage: str, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pt"
    checkpoint.save(begin(tiny, splits), file)
    whole = file.read_bytes()
    contents = {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "noise": b"noise" * 99,
        "pickle": pickle.dumps(Trap()),
    }
    file.unlink()
    if damage == "zip":
        zipfile.ZipFile(file, "w").close()
    elif damage == "other":
        torch.save([1, 2], file)
    elif damage != "missing":
        file.write_bytes(contents[damage])
    with pytest.raises(RecipeError, match=r"cannot read the saved run|no saved run"):
        checkpoint.restore(begin(tiny, splits), file)
