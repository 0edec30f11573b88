import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.errors import RecipeError
from hpsearch.seeds import stream
from tests.trainer.conftest import CPU
from trainer import augment
from trainer.augment import Choices
from trainer.augment_by_offset import crop_and_flip_epoch
from trainer.batches import Normalizer, Shape, to_device
from trainer.blocks import Augment

SHAPE = Shape(32, 32, 3)


def chosen(**changes: bool | int | None) -> Augment:
    """Everything random, drawn for each image by itself."""
    usual = {"crop_padding": 4, "flip": True, "alternate": False, "cutout": 8, "groups": None}
    return Augment.model_validate({**usual, **changes})


def draw(n: int = 20_000, seed: int = 0, epoch: int = 0, **changes: bool | int | None) -> Choices:
    return augment.draw(chosen(**changes), torch.arange(n), SHAPE, seed, epoch, CPU)


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
    settings = chosen(crop_padding=pad, flip=flip, cutout=cutout)
    choices = augment.draw(settings, order, split.shape, seed, 0, CPU)

    inputs = Normalizer(mean, std, CPU)(augment.crop_and_flip(split.pixels, order, choices))
    augment.cutout_(inputs, cutout, choices)

    assert inputs.is_contiguous(memory_format=torch.channels_last)
    for i, position in enumerate(order.tolist()):
        crop = by_hand(images[position], pad, int(choices.top[i]), int(choices.left[i]), bool(choices.flip[i]))
        expected = (crop.astype(np.float64) - mean) / std
        top, left = int(choices.cut_top[i]), int(choices.cut_left[i])
        expected[top : top + cutout, left : left + cutout] = 0
        np.testing.assert_allclose(inputs[i].permute(1, 2, 0).numpy(), expected, rtol=1e-5, atol=1e-5)


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
    settings = chosen(crop_padding=7, flip=False)
    augment.check(settings, Shape(8, 9, 1))
    with pytest.raises(RecipeError, match=allowed) as refusal:
        augment.check(settings.model_copy(update={key: value}), Shape(8, 9, 1))
    assert refusal.value.problems[0].key == f"augment.{key}"


def test_what_is_drawn_by_image_never_changes() -> None:
    """The numbers that all earlier runs were made with, drawn here by themselves."""
    rng = stream(5, "augment", 3)
    ranges = {"top": (-4, 4), "left": (-4, 4), "flip": (0, 1), "cut_top": (0, 24), "cut_left": (0, 24)}
    expected = {name: rng.integers(low, high, 100, endpoint=True) for name, (low, high) in ranges.items()}
    choices = draw(100, seed=5, epoch=3)
    for name, values in expected.items():
        np.testing.assert_array_equal(getattr(choices, name), values)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_an_image_alternates_whatever_its_place(n: int, seed: int, epoch: int) -> None:
    mirrored = []
    for at in (0, epoch, epoch + 1):
        order = torch.from_numpy(np.random.default_rng([seed, at]).permutation(n))
        choices = augment.draw(chosen(alternate=True), order, SHAPE, seed, at, CPU)
        by_image = torch.empty(n, dtype=torch.bool)
        by_image[order] = choices.flip
        mirrored.append(by_image)
    at_first, now, next_time = mirrored
    assert torch.equal(now, at_first if epoch % 2 == 0 else ~at_first)
    assert torch.equal(next_time, ~now)


def test_half_of_the_images_are_mirrored_first_and_only_mirrors_alternate() -> None:
    """The share falls within 5 standard deviations of 1/2; crops and cutouts are drawn anew in every epoch, as ever."""
    n = 20_000
    free, alternating = draw(n, epoch=1), draw(n, epoch=1, alternate=True)
    assert abs(float(alternating.flip.double().mean()) - 0.5) < 5 * 0.5 / np.sqrt(n)
    assert not torch.equal(draw(n, seed=1, alternate=True).flip, draw(n, alternate=True).flip)
    for name in ("top", "left", "cut_top", "cut_left"):
        assert torch.equal(getattr(free, name), getattr(alternating, name))


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_groups_limit_the_different_crops_and_cutouts(n: int, groups: int, seed: int) -> None:
    choices = draw(n, seed, groups=groups)
    for first, second in ((choices.top, choices.left), (choices.cut_top, choices.cut_left)):
        _, sizes = torch.unique(torch.stack([first, second]), dim=1, return_counts=True)
        assert len(sizes) <= groups
        assert sizes.min() >= n // groups  # two groups may have drawn the same, so there is no such bound above


def test_groups_are_of_nearly_equal_size_and_independent() -> None:
    """Of 20,000 images, a group of a crop and one of a cutout share 800 +- 5 standard deviations."""
    n, groups = 20_000, 5
    choices = draw(n, groups=groups)
    crop, square = kinds(choices)
    assert len(crop) == len(square) == groups  # with this seed no two groups draw the same
    assert {len(members) for members in (*crop.values(), *square.values())} == {n // groups}
    shared = np.array([[len(one & other) for other in square.values()] for one in crop.values()])
    assert np.abs(shared - n / groups**2).max() < 5 * np.sqrt(n / groups**2)
    assert 0.4 < float(choices.flip[list(next(iter(crop.values())))].double().mean()) < 0.6


def kinds(choices: Choices) -> tuple[dict[tuple[int, int], set[int]], ...]:
    """The images of each crop, and those of each cutout."""
    found: tuple[dict[tuple[int, int], set[int]], ...] = ({}, {})
    for members, pair in zip(found, ((choices.top, choices.left), (choices.cut_top, choices.cut_left)), strict=True):
        for image, place in enumerate(zip(*(values.tolist() for values in pair), strict=True)):
            members.setdefault(place, set()).add(image)
    return found


@given(
    st.integers(0, 4),
    st.booleans(),
    st.sampled_from([None, 1, 3]),
    st.integers(5, 9),
    st.integers(1, 30),
    st.integers(0, 2**32 - 1),
)
def test_a_whole_epoch_by_crop_equals_the_gathered_batches(
    pad: int, flip: bool, groups: int | None, width: int, n: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.integers(-(2**31), 2**31, (n, 7, width), dtype=np.int32))
    order = torch.from_numpy(rng.permutation(n))
    settings = chosen(crop_padding=pad, flip=flip, cutout=0, groups=groups)
    choices = augment.draw(settings, order, Shape(7, width, 3), seed, 0, CPU)
    epoch = crop_and_flip_epoch(pixels, order, choices)
    assert torch.equal(epoch, augment.crop_and_flip(pixels, order, choices))
    assert torch.equal(epoch[2:5], augment.crop_and_flip(pixels, order[2:5], choices[2:5]))
