import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpsearch.contract import RESERVED, Trial
from hpsearch.errors import DataError, InputError, RecipeError
from trainer import checkpoint, objective, recipe
from trainer.data import Dataset
from trainer.overrides import parameters

SETTINGS = {"recipe": "digits_quickstart"}


@pytest.fixture(scope="module")
def shared() -> Mapping[str, Any]:
    """What a study prepares, read-only as a search hands it out."""
    arrays = objective.prepare(SETTINGS)
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def test_prepare_divides_the_training_images(shared: Mapping[str, Any], digits: Dataset) -> None:
    assert {name: len(array) for name, array in shared.items() if name.endswith("images")} == {
        "train_images": 1077, "val_images": 360, "test_images": 360,
    }  # fmt: skip
    images = np.concatenate([shared["train_images"], shared["val_images"]])
    assert sorted(map(bytes, images)) == sorted(map(bytes, digits.train_images))
    again = objective.prepare(SETTINGS)
    assert all(np.array_equal(again[name], array) for name, array in shared.items())


def test_a_trial_learns_the_digits(shared: Mapping[str, Any], tmp_path: Path) -> None:
    """A whole run of the recipe reaches what the recipe says."""
    expected = recipe.load("digits_quickstart").expect
    reports = list(objective.train(Trial(config={}, settings=SETTINGS, seed=1, workdir=tmp_path, shared=shared)))
    assert len(reports) == recipe.load("digits_quickstart").epochs
    assert expected.low <= reports[-1][expected.metric] <= expected.high
    assert ["test_accuracy" in report for report in reports] == [False] * (len(reports) - 1) + [True]
    assert abs(reports[-1]["test_accuracy"] - reports[-1]["val_accuracy"]) < 0.05
    assert list(tmp_path.iterdir()) == []


def test_describes_what_it_reports(shared: Mapping[str, Any], tmp_path: Path) -> None:
    description = objective.describe(SETTINGS)
    assert description["epochs"] == 8
    assert description["parameters"] == parameters(recipe.load("digits_quickstart"))
    assert not [name for name in description["parameters"] if name.startswith(("data.", "expect.", "about"))]
    assert description["facts"]["data"].startswith("digits")
    assert set(description["facts"]) == {"recipe", "data", "images", "device", "precision"}
    trial = Trial(config={}, settings=SETTINGS, epochs=2, workdir=tmp_path, shared=shared)
    for report in objective.train(trial):
        assert set(report) - set(RESERVED) - {"test_accuracy"} == set(description["metrics"])


def test_the_parameters_reach_the_run(shared: Mapping[str, Any], tmp_path: Path) -> None:
    config = {"lr": 0.05, "batch_size": 100, "schedule.peak_epochs": 4.0, "augment.crop_padding": 0}
    trial = Trial(config=config, settings=SETTINGS, epochs=4, workdir=tmp_path, shared=shared)
    rates = [report["learning_rate"] for report in objective.train(trial)]
    assert rates == pytest.approx([0.025, 0.05, 0.025, 0])  # a peak at epoch 4 of 8, in half the length


def test_equal_seeds_give_equal_reports_and_others_do_not(shared: Mapping[str, Any], tmp_path: Path) -> None:
    def losses(seed: int) -> list[float]:
        trial = Trial(config={}, settings=SETTINGS, epochs=1, seed=seed, workdir=tmp_path, shared=shared)
        return [report["val_loss"] for report in objective.train(trial)]

    assert losses(2**32 - 1) == losses(2**32 - 1) != losses(0)


def test_works_without_prepared_data(tmp_path: Path) -> None:
    (report,) = objective.train(Trial(config={}, settings=SETTINGS, epochs=1, workdir=tmp_path))
    assert math.isfinite(report["val_loss"])


def test_divergence_is_a_report(shared: Mapping[str, Any], tmp_path: Path) -> None:
    *_, last = objective.train(Trial(config={"lr": 1e25}, settings=SETTINGS, workdir=tmp_path, shared=shared))
    assert last["diverged"] is True


def test_a_killed_trial_goes_on_from_its_checkpoint(shared: Mapping[str, Any], tmp_path: Path) -> None:
    settings = {**SETTINGS, "checkpoint_seconds": 0}

    def trial(**more: Any) -> Trial:
        return Trial(config={}, settings=settings, epochs=3, workdir=tmp_path, shared=shared, **more)

    straight = list(objective.train(trial()))
    interrupted = objective.train(trial())
    next(interrupted), next(interrupted)  # the second one asks for more: the first epoch is saved
    file = tmp_path / "checkpoint.pt"
    kept = tmp_path / "kept.pt"
    kept.write_bytes(file.read_bytes())
    del interrupted
    resumed = list(objective.train(trial(checkpoint=kept)))
    for report in (*straight, *resumed):
        del report["images_per_second"]
    assert resumed == straight
    assert list(tmp_path.iterdir()) == [kept]


def test_a_damaged_checkpoint_means_starting_over(shared: Mapping[str, Any], tmp_path: Path) -> None:
    kept = tmp_path / "kept.pt"
    kept.write_bytes(b"PK not a checkpoint")
    trial = Trial(config={}, settings=SETTINGS, epochs=2, workdir=tmp_path, shared=shared, checkpoint=kept)
    assert [report["epoch"] for report in objective.train(trial)] == [1, 2]


def test_a_stopped_trial_leaves_nothing(shared: Mapping[str, Any], tmp_path: Path) -> None:
    settings = {**SETTINGS, "checkpoint_seconds": 0}
    reports = objective.train(Trial(config={}, settings=settings, workdir=tmp_path, shared=shared))
    next(reports), next(reports)
    assert list(tmp_path.iterdir()) == [tmp_path / "checkpoint.pt"]
    reports.close()
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_are_no_more_frequent_than_asked(
    shared: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []
    monkeypatch.setattr(checkpoint, "save", lambda *_: saved.append(1))
    list(objective.train(Trial(config={}, settings=SETTINGS, epochs=3, workdir=tmp_path, shared=shared)))
    assert saved == []
    settings = {**SETTINGS, "checkpoint_seconds": 0}
    list(objective.train(Trial(config={}, settings=settings, epochs=3, workdir=tmp_path, shared=shared)))
    assert len(saved) == 2  # a finished run needs none


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"recipe": "digits_quickstar"}, RecipeError, "did you mean 'digits_quickstart'"),
        ({"receipt": "digits_quickstart"}, RecipeError, "did you mean 'recipe'"),
        ({"recipe": 4}, RecipeError, "train.recipe"),
        ({**SETTINGS, "checkpoint_seconds": -1}, RecipeError, "train.checkpoint_seconds"),
        ({**SETTINGS, "data": "digit"}, DataError, "did you mean 'digits'"),
        ({"data_path": "nowhere"}, DataError, "nowhere"),
    ],
)
def test_refuses_wrong_settings(settings: dict[str, Any], error: type[InputError], said: str) -> None:
    for function in (objective.prepare, objective.describe):
        with pytest.raises(error, match=said):
            function(settings)


def test_the_best_trial_is_a_recipe() -> None:
    chosen = objective.recipe_for({**SETTINGS, "data": "cifar10"}, {"lr": 0.3, "augment.crop_padding": 2})
    assert (chosen.schedule.lr.peak, chosen.augment.crop_padding, chosen.data.name) == (0.3, 2, "cifar10")
    assert objective.recipe_for(SETTINGS, {}) == recipe.load("digits_quickstart")


def test_data_that_the_recipe_does_not_fit(shared: Mapping[str, Any], tmp_path: Path) -> None:
    settings = {"recipe": "post4_resnet9", "data": "digits"}
    with pytest.raises(RecipeError, match="number of channels"):
        objective.train(Trial(config={}, settings=settings, workdir=tmp_path, shared=shared))


@pytest.mark.parametrize("config", [{"learning_rate": 0.1}, {"data.train_images": 100}, {"batch_size": 64.5}])
def test_refuses_wrong_parameters(config: dict[str, float], shared: Mapping[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=next(iter(config))):
        objective.train(Trial(config=config, settings=SETTINGS, workdir=tmp_path, shared=shared))
