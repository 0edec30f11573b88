from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hpsearch.errors import RecipeError
from trainer.batches import Normalizer, to_device
from trainer.blocks import Whitening as Spec
from trainer.data import Dataset
from trainer.models import whitening
from trainer.models.whitening import Whitening, filters

CPU = torch.device("cpu")
EPSILON = 1e-2
SPEC: dict[str, Any] = {
    "patch": 3, "images": 10, "epsilon": EPSILON, "mirrored": False, "mix": True, "bias_share": 0.0,
}  # fmt: skip


def spec(**changes: Any) -> Spec:
    return Spec(**{**SPEC, **changes})


def correlated_images(n: int, channels: int, height: int = 9, width: int = 7) -> np.ndarray:
    """Noise, smoothed along rows and leaking from one channel into the next, with a mean that is not zero."""
    noise = np.random.default_rng(0).normal(size=(n, channels, height, width))
    smooth = noise + np.roll(noise, 1, axis=3) + 0.5 * np.roll(noise, 1, axis=1)
    return (smooth + 0.3).astype(np.float32)


def patches_by_hand(images: np.ndarray, patch: int) -> np.ndarray:
    n, _, height, width = images.shape
    rows = [
        image[:, i : i + patch, j : j + patch].ravel()
        for image in images.astype(np.float64)
        for i in range(height - patch + 1)
        for j in range(width - patch + 1)
    ]
    assert len(rows) == n * (height - patch + 1) * (width - patch + 1)
    return np.array(rows)


@pytest.mark.parametrize(("channels", "patch", "n"), [(3, 3, 40), (1, 2, 40), (2, 4, 600)])
def test_filters_are_the_principal_directions(channels: int, patch: int, n: int) -> None:
    """More images than are looked at together, too. Filters are compared up to their sign."""
    images = correlated_images(n, channels)
    rows = patches_by_hand(images, patch)
    _, s, directions = np.linalg.svd(rows, full_matrices=False)  # of the patches, not of their second moment
    moments = s**2 / len(rows)
    found = filters(torch.tensor(images), patch, EPSILON)
    assert found.shape == (channels * patch**2, channels, patch, patch)
    assert found.dtype == torch.float32
    found = found.flatten(1).numpy()
    overlap = (found * directions).sum(1) * np.sqrt(moments + EPSILON)
    np.testing.assert_allclose(np.abs(overlap), 1, atol=1e-5)
    np.testing.assert_allclose((found**2).sum(1), 1 / (moments + EPSILON), rtol=1e-5)
    assert bool((np.take_along_axis(found, np.abs(found).argmax(1)[:, None], 1) > 0).all())


@pytest.mark.parametrize("patch", [2, 3])
def test_outputs_are_uncorrelated_on_the_same_patches(patch: int) -> None:
    images = correlated_images(50, 3)
    rows = patches_by_hand(images, patch)
    moments = np.sort(np.linalg.eigvalsh(rows.T @ rows / len(rows)))[::-1]
    outputs = F.conv2d(torch.tensor(images), filters(torch.tensor(images), patch, EPSILON))
    flat = outputs.double().transpose(0, 1).flatten(1).numpy()
    second = flat @ flat.T / flat.shape[1]
    np.testing.assert_allclose(second, np.diag(moments / (moments + EPSILON)), atol=1e-4)


def test_whitens_real_images(cifar: Dataset) -> None:
    split = to_device(cifar.train_images[:500], cifar.train_labels[:500], CPU)
    images = Normalizer((125.31, 122.95, 113.87), (62.99, 62.09, 66.70), CPU)(split.pixels)
    layer = Whitening(3, spec())
    layer.fit(images)
    inside = layer(images)[:, :, 1:-1, 1:-1]  # at the border the patches are padded with zeros
    flat = inside.transpose(0, 1).flatten(1).double()
    second = flat @ flat.T / flat.shape[1]
    kept = second.diagonal()
    moments = EPSILON * kept / (1 - kept)
    assert moments.sum().item() == pytest.approx(27 * images[:, :, 1:-1, 1:-1].square().mean().item(), rel=0.05)
    assert bool((kept[:-1] >= kept[1:] - 1e-6).all())
    assert kept[0] > 0.99  # the mean colour of a patch: hundreds of epsilons
    np.testing.assert_allclose(second.numpy(), np.diag(kept.numpy()), atol=1e-4)


@pytest.mark.parametrize(("patch", "height", "width"), [(3, 9, 7), (2, 8, 6)])
def test_is_a_fixed_convolution(patch: int, height: int, width: int) -> None:
    images = torch.tensor(correlated_images(20, 2))
    layer = Whitening(2, spec(patch=patch))
    assert not layer.weight.any()
    layer.fit(images)
    assert list(layer.parameters()) == []
    assert layer(images).shape == (20, layer.outputs, height, width)
    again = Whitening(2, spec(patch=patch))
    again.load_state_dict(layer.state_dict())
    torch.testing.assert_close(again(images), layer(images), rtol=0, atol=0)


def test_mirrored_filters_come_after_the_others() -> None:
    images = torch.tensor(correlated_images(20, 2))
    layer, mirrored = Whitening(2, spec()), Whitening(2, spec(mirrored=True))
    for module in (layer, mirrored):
        module.fit(images)
    assert mirrored.outputs == 2 * layer.outputs == 36
    torch.testing.assert_close(mirrored(images), torch.cat([layer(images), -layer(images)], 1))


def test_a_bias_is_there_if_the_recipe_trains_it() -> None:
    images = torch.tensor(correlated_images(20, 1))
    layer, plain = Whitening(1, spec(bias_share=0.25)), Whitening(1, spec())
    for module in (layer, plain):
        module.fit(images)
    assert plain.bias is None
    assert layer.bias is not None
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    torch.testing.assert_close(layer(images), plain(images))
    layer.bias.data.copy_(torch.arange(9.0))
    torch.testing.assert_close(layer(images) - plain(images), torch.arange(9.0)[:, None, None].expand(20, 9, 9, 7))


def test_needs_as_many_images_as_the_recipe_says() -> None:
    whitening.check(spec(images=10), 10)
    with pytest.raises(RecipeError, match="need more images than there are") as caught:
        whitening.check(spec(images=10_000), 5_000)
    problem = caught.value.problems[0]
    assert (problem.key, problem.got, problem.allowed) == ("model.whitening.images", "10000", "1 to 5000")
