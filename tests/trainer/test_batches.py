import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.conftest import CPU
from trainer.batches import Normalizer, batch_slices, from_packed, pack, shuffled, to_device


@given(st.integers(1, 300), st.integers(1, 320), st.booleans())
def test_batches_cover_the_epoch(images: int, batch_size: int, drop_last: bool) -> None:
    slices = batch_slices(images, batch_size, drop_last)
    covered = [position for batch in slices for position in range(images)[batch]]
    left_out = images - len(covered)
    assert covered == list(range(len(covered)))
    assert all(batch.stop - batch.start == batch_size for batch in slices[:-1])
    last_is_full = images % batch_size == 0 and batch_size > 1
    if last_is_full:
        assert left_out == 0
    elif drop_last:
        assert left_out == (images % batch_size or 1)
    else:
        assert left_out <= 1


def test_a_single_image_is_no_batch_for_batch_norm() -> None:
    assert batch_slices(9, 4, drop_last=False) == [slice(0, 4), slice(4, 8)]
    assert batch_slices(10, 4, drop_last=False) == [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert batch_slices(10, 4, drop_last=True) == [slice(0, 4), slice(4, 8)]
    assert batch_slices(3, 4, drop_last=True) == []


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_come_back_normalised(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 7, channels), dtype=np.uint8)
    split = to_device(images, np.arange(5), CPU)
    mean, std = tuple(np.arange(channels) + 100.0), tuple(np.arange(channels) + 60.0)
    inputs = Normalizer(mean, std, CPU)(split.pixels)
    assert (split.shape, len(split)) == ((6, 7, channels), 5)
    np.testing.assert_allclose(inputs.numpy(), ((images - mean) / std).transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-6)


def test_packed_images_are_shared_with_the_split() -> None:
    """What a search hands out is read-only: no copy on the CPU, and no warning (an error here)."""
    pixels, labels = pack(np.full((5, 6, 7, 3), 9, np.uint8)), np.arange(5)
    assert pixels.dtype == np.int32 and pixels.shape == (5, 6, 7)
    pixels.flags.writeable = labels.flags.writeable = False
    split = from_packed(pixels, labels, 3, CPU)
    assert split.shape == (6, 7, 3)
    assert np.shares_memory(split.pixels.numpy(), pixels) and np.shares_memory(split.labels.numpy(), labels)


def test_an_order_is_a_permutation_of_its_generator() -> None:
    order = shuffled(100, np.random.default_rng(3), CPU)
    assert order.sort().values.tolist() == list(range(100))
    assert torch.equal(order, shuffled(100, np.random.default_rng(3), CPU))
    assert not torch.equal(order, shuffled(100, np.random.default_rng(4), CPU))
