"""A fixed first convolution that decorrelates the pixels of a patch: input patch whitening of post 8.

With P (patches, k) the patches of some images, k = channels * patch * patch, and P'P / patches = V diag(l) V' their
second moment (not centred), the filters are the columns of V, each divided by sqrt(l + epsilon). The second moment of
their outputs on these patches is diag(l / (l + epsilon)).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hpsearch.errors import Problem, RecipeError
from trainer.blocks import Whitening as Spec

IMAGES_AT_ONCE = 25
"""Images whose patches are in memory together; 250 take more than twice as long, for they outgrow a CPU's cache."""


def check(spec: Spec, images_available: int) -> None:
    """Raise RecipeError when there are fewer images to train on than the patches are to come from."""
    if spec.images > images_available:
        what, allowed = "the whitening filters need more images than there are to train on", f"1 to {images_available}"
        raise RecipeError(Problem(what, key="model.whitening.images", got=str(spec.images), allowed=allowed))


class Whitening(nn.Module):
    """Convolution with whitening filters and, if they are ``mirrored``, with their negatives after them.

    ``weight`` (outputs, channels, patch, patch) is a buffer, zero until ``fit``. ``bias`` (outputs,) is a parameter,
    zero at first, or None where the recipe never trains it.
    """

    weight: Tensor
    bias: nn.Parameter | None

    def __init__(self, channels: int, spec: Spec) -> None:
        super().__init__()
        self.patch, self.epsilon, self.mirrored = spec.patch, spec.epsilon, spec.mirrored
        self.outputs = channels * spec.patch**2 * (2 if spec.mirrored else 1)
        self.register_buffer("weight", torch.zeros(self.outputs, channels, spec.patch, spec.patch))
        self.bias = nn.Parameter(torch.zeros(self.outputs)) if spec.bias_share > 0 else None

    def fit(self, images: Tensor) -> None:
        """Set the filters to those of normalised ``images`` (n, channels, h, w)."""
        found = filters(images, self.patch, self.epsilon)
        self.weight.copy_(torch.cat([found, -found]) if self.mirrored else found)

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, channels, h, w) to (n, outputs, h, w), or to one pixel less in height and width for an even patch."""
        return F.conv2d(images, self.weight, self.bias, padding=(self.patch - 1) // 2)


@torch.no_grad()
def filters(images: Tensor, patch: int, epsilon: float) -> Tensor:
    """Return the filters (k, channels, patch, patch), in the format of ``images`` and by falling second moment.

    ``images`` (n, channels, h, w) are normalised; the patches are all those that lie inside them. Eigenvectors have no
    sign: here the entry that is largest in size is positive.
    """
    moments, directions = torch.linalg.eigh(_second_moment(images, patch))
    largest = directions.gather(0, directions.abs().argmax(0, keepdim=True))
    columns: Tensor = directions * largest.sign() / (moments.clamp(min=0) + epsilon).sqrt()
    return columns.T.flip(0).reshape(-1, images.shape[1], patch, patch).to(images)


def _second_moment(images: Tensor, patch: int) -> Tensor:
    """Return the mean over patches of their outer product with themselves, (k, k) fp64."""
    k = images.shape[1] * patch**2
    total, patches = torch.zeros(k, k, dtype=torch.float64, device=images.device), 0
    for start in range(0, len(images), IMAGES_AT_ONCE):
        columns = F.unfold(images[start : start + IMAGES_AT_ONCE], patch).double().transpose(0, 1).flatten(1)
        total.addmm_(columns, columns.T)
        patches += columns.shape[1]
    return total / patches
