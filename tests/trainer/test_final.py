from pathlib import Path

import numpy as np
import pytest
import torch

from hpsearch.errors import InputError, RecipeError
from tests.trainer.conftest import CPU
from trainer import data
from trainer.batches import Normalizer, to_device
from trainer.final import load_model, train_final
from trainer.overrides import with_overrides
from trainer.recipe import Recipe


def test_trains_on_everything_and_keeps_the_model(tiny: Recipe, digits: data.Dataset, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    reports = list(train_final(tiny, data.find("digits"), device="cpu", save=file))
    assert len(reports) == 4
    assert "val_loss" not in reports[-1]

    model = load_model(file)
    assert (model.recipe, model.classes) == (tiny, digits.classes)
    test = to_device(digits.test_images, digits.test_labels, CPU)
    inputs = Normalizer(model.recipe.data.mean, model.recipe.data.std, CPU)(test.pixels)
    with torch.inference_mode():
        predicted = model.network(inputs).argmax(1).numpy()
    assert np.mean(predicted == digits.test_labels) == reports[-1]["test_accuracy"]


def test_all_images_means_more_steps(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("trainer.final.fit", lambda _, train, val, test: seen.append((len(train), val)) or iter(()))
    list(train_final(tiny, data.find("digits"), device="cpu"))
    list(train_final(tiny, data.find("digits"), device="cpu", full=False))
    assert seen[0] == (1437, None)
    assert (seen[1][0], len(seen[1][1])) == (200, 100)


def test_a_diverged_model_is_not_kept(tiny: Recipe, tmp_path: Path) -> None:
    lost = with_overrides(tiny, {"lr": 1e25})
    *_, last = train_final(lost, data.find("digits"), device="cpu", save=tmp_path / "model.pt")
    assert last["diverged"]
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_known_before_training(tiny: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no-folder"):
        next(train_final(tiny, data.find("digits"), device="cpu", save=tmp_path / "no-folder" / "model.pt"))


def test_another_file_is_no_model(tmp_path: Path) -> None:
    torch.save({"network": {}}, tmp_path / "other.pt")
    with pytest.raises(RecipeError, match="no saved model"):
        load_model(tmp_path / "other.pt")
