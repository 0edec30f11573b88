import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpsearch.contract import RESERVED, Config, Trial
from hpsearch.errors import DataError, InputError, RecipeError
from trainer import checkpoint, objective, recipe
from trainer.batches import Split, pack
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
    assert {name: array.shape for name, array in shared.items()} == {
        "train_pixels": (1077, 8, 8), "val_pixels": (360, 8, 8), "test_pixels": (360, 8, 8),
        "train_labels": (1077,), "val_labels": (360,), "test_labels": (360,), "channels": (1,),
    }  # fmt: skip
    pixels = np.concatenate([shared["train_pixels"], shared["val_pixels"]])
    assert sorted(map(bytes, pixels)) == sorted(map(bytes, pack(digits.train_images)))
    again = objective.prepare(SETTINGS)
    assert all(np.array_equal(again[name], array) for name, array in shared.items())


def test_a_trial_learns_the_digits(shared: Mapping[str, Any], tmp_path: Path) -> None:
    """A whole run of the recipe reaches what the recipe says."""
    expected = recipe.load("digits_quickstart").expect
    reports = list(objective.train(Trial(config={}, settings=SETTINGS, seed=1, workdir=tmp_path, shared=shared)))
    assert len(reports) == recipe.load("digits_quickstart").epochs
    assert reports[-1][expected.metric] == pytest.approx(expected.accuracy, abs=3 * expected.std)
    assert ["test_accuracy" in report for report in reports] == [False] * (len(reports) - 1) + [True]
    assert abs(reports[-1]["test_accuracy"] - reports[-1]["val_accuracy"]) < 0.05
    assert list(tmp_path.iterdir()) == []


def test_describes_what_it_reports(shared: Mapping[str, Any], tmp_path: Path) -> None:
    description = objective.describe(SETTINGS)
    assert description["epochs"] == 8
    assert (description["optimizer"], description["examples"]) == ("sgd_nesterov", 1077)
    rules = [description["optimizer_of"]({"optimizer.name": name, "tau": 1.0}) for name in ("adamw", "lars", "sgdw")]
    assert rules == ["adamw", "sgd_nesterov", None]
    switches = {"technique.crop": True, "technique.residual": True, "technique.warm_up": True}
    assert description["parameters"] == parameters(recipe.load("digits_quickstart")) | switches
    assert not [name for name in description["parameters"] if name.startswith(("data.", "expect.", "about"))]
    assert description["facts"]["data"].startswith("digits")
    assert set(description["facts"]) == {"recipe", "data", "images", "device", "precision"}
    assert description["facts"]["images"] == "1,077 training images, 360 held out"
    trial = Trial(config={}, settings=SETTINGS, epochs=2, workdir=tmp_path, shared=shared)
    for report in objective.train(trial):
        assert set(report) - set(RESERVED) - {"test_accuracy"} == set(description["metrics"])


def test_muon_is_no_update_rule_that_lr_and_weight_decay_describe() -> None:
    values = recipe.load("digits_quickstart").model_dump(mode="json")
    values["optimizer"]["muon"] = {"lr": 0.1, "momentum": 0.9, "iterations": 3}
    assert "optimizer" not in objective.describe({"recipe": values})


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
    first = next(interrupted)
    next(interrupted)  # asks for more: the first epoch is saved
    del interrupted
    resumed = list(objective.train(trial(checkpoint=tmp_path / "checkpoint.pt")))
    assert resumed[0] == first  # with the time that it took then
    for report in (*straight, *resumed):
        del report["images_per_second"], report["seconds"]
    assert resumed == straight


def test_a_damaged_checkpoint_means_starting_over(shared: Mapping[str, Any], tmp_path: Path) -> None:
    kept = tmp_path / "kept.pt"
    kept.write_bytes(b"PK not a checkpoint")
    trial = Trial(config={}, settings=SETTINGS, epochs=2, workdir=tmp_path, shared=shared, checkpoint=kept)
    assert [report["epoch"] for report in objective.train(trial)] == [1, 2]


def test_the_checkpoint_is_left_to_the_search(shared: Mapping[str, Any], tmp_path: Path) -> None:
    """Until it knows that the trial has ended, whoever resumes needs it."""
    settings = {**SETTINGS, "checkpoint_seconds": 0}
    reports = objective.train(Trial(config={}, settings=settings, workdir=tmp_path, shared=shared))
    next(reports), next(reports)
    reports.close()
    assert list(tmp_path.iterdir()) == [tmp_path / "checkpoint.pt"]
    list(objective.train(Trial(config={}, settings=settings, epochs=2, workdir=tmp_path, shared=shared)))
    assert list(tmp_path.iterdir()) == [tmp_path / "checkpoint.pt"]


def test_a_run_that_has_stopped_itself_is_not_saved_to_go_on(shared: Mapping[str, Any], tmp_path: Path) -> None:
    settings, config = {**SETTINGS, "checkpoint_seconds": 0}, {"stop.target_accuracy": 0.01}
    (report,) = objective.train(Trial(config=config, settings=settings, workdir=tmp_path, shared=shared))
    assert report["stop_reason"].startswith("target reached")
    assert list(tmp_path.iterdir()) == []


def test_trials_share_the_arrays_and_leave_them_alone(
    shared: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Split] = []
    original = objective.fit

    def spy(run: Any, *splits: Split) -> Any:
        seen.extend(splits)
        return original(run, *splits)

    monkeypatch.setattr(objective, "fit", spy)
    before = {name: array.copy() for name, array in shared.items()}
    for seed in (0, 1):
        config = {"augment.flip": True, "augment.cutout": 2}
        list(objective.train(Trial(config, SETTINGS, epochs=1, seed=seed, workdir=tmp_path, shared=shared)))
    assert len(seen) == 6
    for split, name in zip(seen, ("train", "val", "test") * 2, strict=True):
        assert np.shares_memory(split.pixels.numpy(), shared[f"{name}_pixels"])
        assert np.shares_memory(split.labels.numpy(), shared[f"{name}_labels"])
    assert all(np.array_equal(shared[name], array) for name, array in before.items())


def test_a_technique_is_left_out_where_its_switch_is_off() -> None:
    used = objective.recipe_for(SETTINGS, {"technique.crop": True, "lr": 0.1})
    left_out = objective.recipe_for(SETTINGS, {"technique.crop": False, "lr": 0.1})
    assert used.augment.crop_padding == 1
    assert left_out == used.model_copy(update={"augment": used.augment.model_copy(update={"crop_padding": 0})})
    with pytest.raises(RecipeError, match="true or false"):
        objective.recipe_for(SETTINGS, {"technique.crop": 0})
    with pytest.raises(RecipeError, match=r"did you mean 'technique\.crop'"):
        objective.recipe_for(SETTINGS, {"technique.crops": False})


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
        ({"recipe": {"about": "too little"}}, RecipeError, "recipe.batch_size"),
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
        objective.describe(settings)
    with pytest.raises(RecipeError, match="number of channels"):
        objective.train(Trial(config={}, settings=settings, workdir=tmp_path, shared=shared))


def test_more_images_than_there_are() -> None:
    values = recipe.load("digits_quickstart").model_dump(mode="json")
    values["data"]["held_out"] = 1437
    with pytest.raises(DataError, match="1,437 held out"):
        objective.describe({"recipe": values})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 64.5),
        ("batch_size", 1),
        ("batch_size", 1078),
        ("augment.cutout", 9),
        ("augment.crop_padding", 8),
        ("precision", "bf61"),
        ("lr", -1),
        ("momentum", 1.0),
        ("schedule.peak_epochs", 8.0),
        ("epochs", 0),
        ("width", 8),
    ],
)
def test_check_names_the_parameter_with_a_wrong_value(name: str, value: Any) -> None:
    with pytest.raises(RecipeError) as refusal:
        objective.describe(SETTINGS)["check"]({name: value})
    assert [problem.key for problem in refusal.value.problems] == [name]


@pytest.mark.parametrize(
    "config", [{}, {"batch_size": 1077, "augment.cutout": 8}, {"epochs": 1, "schedule.peak_epochs": 0.9, "lr": 3.0}]
)
def test_check_accepts_what_can_be_trained(config: Config) -> None:
    objective.describe(SETTINGS)["check"](config)


def test_described_settings_stand_on_their_own(
    tmp_path: Path, shared: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study goes on with them when the recipe's file has gone."""
    file = tmp_path / "mine.yaml"
    file.write_text(recipe.load("digits_quickstart").to_yaml())
    monkeypatch.chdir(tmp_path)
    given = {"recipe": "mine.yaml", "checkpoint_seconds": 5.0}
    first = objective.describe(given)
    file.unlink()
    settings = json.loads(json.dumps(first["settings"]))
    assert settings == {**given, "recipe": recipe.load("digits_quickstart").model_dump(mode="json")}

    again = objective.describe(settings)
    assert again["settings"] == settings
    about = recipe.load("digits_quickstart").about
    assert (first["facts"].pop("recipe"), again["facts"].pop("recipe")) == (f"mine.yaml: {about}", about)
    for key in ("facts", "parameters", "metrics", "epochs"):
        assert again[key] == first[key]
    assert objective.recipe_for(settings, {"lr": 0.3}) == objective.recipe_for(SETTINGS, {"lr": 0.3})
    prepared = objective.prepare(settings)
    assert all(np.array_equal(prepared[name], array) for name, array in shared.items())
    (report,) = objective.train(Trial({}, settings, epochs=1, workdir=tmp_path, shared=prepared))
    assert math.isfinite(report["val_loss"])


def test_described_settings_name_the_place_of_the_data(
    cifar_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", str(cifar_folder))
    first = objective.describe({})
    assert first["facts"]["images"] == "45,000 training images, 5,000 held out"
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path))
    again = objective.describe(first["settings"])
    assert first["settings"]["data_path"] == str(cifar_folder)
    assert again["facts"]["data"] == first["facts"]["data"]
    with pytest.raises(RecipeError) as refusal:
        again["check"]({"augment.cutout": 40})
    assert (refusal.value.problems[0].key, refusal.value.problems[0].allowed) == ("augment.cutout", "0 to 32")


@pytest.mark.parametrize("config", [{"learning_rate": 0.1}, {"data.train_images": 100}, {"batch_size": 64.5}])
def test_refuses_wrong_parameters(config: dict[str, float], shared: Mapping[str, Any], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=next(iter(config))):
        objective.train(Trial(config=config, settings=SETTINGS, workdir=tmp_path, shared=shared))
