import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.errors import RecipeError
from tests.trainer.conftest import CPU
from trainer import augment
from trainer.augment import Choices
from trainer.batches import Normalizer, Shape, to_device
from trainer.recipe import Augment


def by_hand(image: np.ndarray, pad: int, top: int, left: int, flip: bool) -> np.ndarray:
    """Pad with a reflected border, crop, mirror: one (h, w, c) image."""
    height, width, _ = image.shape
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    crop = padded[pad + top : pad + top + height, pad + left : pad + left + width]
    return crop[:, ::-1] if flip else crop


@given(
    st.integers(0, 4), st.booleans(), st.integers(0, 5), st.integers(1, 4), st.integers(5, 9), st.integers(0, 2**32 - 1)
)
def test_equals_pad_crop_flip_cutout_image_by_image(
    pad: int, flip: bool, cutout: int, channels: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (6, 7, width, channels), dtype=np.uint8)
    mean, std = tuple(rng.uniform(50, 150, channels)), tuple(rng.uniform(50, 80, channels))
    split = to_device(images, np.arange(6), CPU)
    order = torch.from_numpy(rng.permutation(6))
    chosen = augment.draw(Augment(crop_padding=pad, flip=flip, cutout=cutout), 6, split.shape, rng, CPU)

    inputs = Normalizer(mean, std, CPU)(augment.crop_and_flip(split.pixels, order, chosen))
    augment.cutout_(inputs, cutout, chosen)

    assert inputs.is_contiguous(memory_format=torch.channels_last)
    for i, position in enumerate(order.tolist()):
        crop = by_hand(images[position], pad, int(chosen.top[i]), int(chosen.left[i]), bool(chosen.flip[i]))
        expected = (crop.astype(np.float64) - mean) / std
        top, left = int(chosen.cut_top[i]), int(chosen.cut_left[i])
        expected[top : top + cutout, left : left + cutout] = 0
        np.testing.assert_allclose(inputs[i].permute(1, 2, 0).numpy(), expected, rtol=1e-5, atol=1e-5)


def draw(n: int = 20_000, **changes: int | bool) -> Choices:
    chosen = {"crop_padding": 4, "flip": True, "cutout": 8, **changes}
    return augment.draw(Augment.model_validate(chosen), n, Shape(32, 32, 3), np.random.default_rng(0), CPU)


def test_every_choice_is_drawn_equally_often() -> None:
    """Each of k values falls within 5 standard deviations of n/k (false alarms: below 1e-4 for the 70 values)."""
    n, choices = 20_000, draw()
    for values, expected in (
        (choices.top, range(-4, 5)),
        (choices.left, range(-4, 5)),
        (choices.flip.long(), range(2)),
        (choices.cut_top, range(25)),
        (choices.cut_left, range(25)),
    ):
        seen, counts = np.unique(values.numpy(), return_counts=True)
        assert seen.tolist() == list(expected)
        share = 1 / len(seen)
        assert np.abs(counts - n * share).max() < 5 * np.sqrt(n * share * (1 - share))


def test_the_choices_are_independent_of_each_other() -> None:
    choices = draw()
    rows = torch.stack([choices.top, choices.left, choices.flip.long(), choices.cut_top, choices.cut_left])
    correlation = np.corrcoef(rows.double().numpy()) - np.eye(5)
    assert np.abs(correlation).max() < 5 / np.sqrt(20_000)


def test_what_is_off_changes_nothing() -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    split = to_device(images, np.arange(9), CPU)
    choices = draw(9, crop_padding=0, flip=False, cutout=0)
    assert torch.equal(augment.crop_and_flip(split.pixels, torch.arange(9), choices), split.pixels)
    inputs = torch.ones(9, 3, 32, 32)
    assert torch.equal(augment.cutout_(inputs, 0, choices), torch.ones(9, 3, 32, 32))


@pytest.mark.parametrize(("key", "value", "allowed"), [("crop_padding", 8, "0 to 7"), ("cutout", 9, "0 to 8")])
def test_refuses_what_does_not_fit_the_images(key: str, value: int, allowed: str) -> None:
    chosen = Augment.model_validate({"crop_padding": 7, "flip": False, "cutout": 8})
    augment.check(chosen, Shape(8, 9, 1))
    with pytest.raises(RecipeError, match=allowed) as refusal:
        augment.check(chosen.model_copy(update={key: value}), Shape(8, 9, 1))
    assert refusal.value.problems[0].key == f"augment.{key}"
