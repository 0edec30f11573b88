import numpy as np
import pytest
import torch
from torch import nn

from trainer import test_time
from trainer.blocks import Views

N, SHAPE, CLASSES = 3, (2, 5, 6), 4
RNG = np.random.default_rng(0)
IMAGES, WEIGHT = RNG.normal(size=(N, *SHAPE)), RNG.normal(size=(CLASSES, *SHAPE))


class Counted(nn.Module):
    """Squares of a linear map, so that the mean over views is not the map of their mean; counts its forward passes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.tensor(WEIGHT, dtype=torch.float32)
        self.passes = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return torch.einsum("nchw,ochw->no", images, self.weight) ** 2


def by_hand(images: np.ndarray) -> np.ndarray:
    return np.einsum("nchw,ochw->no", images, WEIGHT) ** 2


def shifted(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Each pixel comes from ``down`` rows above and ``right`` columns to the left; outside is the mirror of inside."""

    def source(size: int, shift: int) -> np.ndarray:
        position = np.abs(np.arange(size) - shift)
        return np.where(position >= size, 2 * (size - 1) - position, position)

    height, width = images.shape[2:]
    return images[:, :, source(height, down)][..., source(width, right)]


def both(images: np.ndarray) -> np.ndarray:
    return by_hand(images) + by_hand(images[..., ::-1])


EXPECTED = {
    "none": by_hand(IMAGES),
    "flip": both(IMAGES) / 2,
    "crops": both(IMAGES) / 4 + both(shifted(IMAGES, -1, -1)) / 8 + both(shifted(IMAGES, 1, 1)) / 8,
}


@pytest.mark.parametrize(("views", "passes"), [("none", 1), ("flip", 2), ("crops", 6)])
def test_is_the_weighted_mean_over_the_views(views: Views, passes: int) -> None:
    network = Counted()
    logits = test_time.logits(network, torch.tensor(IMAGES, dtype=torch.float32), views)
    np.testing.assert_allclose(logits.numpy(), EXPECTED[views], rtol=1e-4, atol=1e-4)
    assert network.passes == passes


def test_mirror_images_are_judged_alike() -> None:
    images = torch.tensor(IMAGES, dtype=torch.float32)
    plain, mirrored = (test_time.logits(Counted(), x, "flip") for x in (images, images.flip(-1)))
    torch.testing.assert_close(plain, mirrored, rtol=0, atol=0)
    assert not torch.allclose(
        test_time.logits(Counted(), images, "none"), test_time.logits(Counted(), images.flip(-1), "none")
    )


@pytest.mark.parametrize("views", ["none", "flip", "crops"])
def test_views_are_averaged_in_fp32(views: Views) -> None:
    """The mean of 16-bit logits is not rounded to 16 bits."""
    images = torch.tensor(IMAGES, dtype=torch.bfloat16)
    network = Counted()
    network.weight = network.weight.bfloat16()
    logits = test_time.logits(network, images, views)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, logits.bfloat16().float()) == (views == "none")
