"""The training loss."""

import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return the mean over images of (1 - smoothing) * -log p(label) + smoothing * mean over classes of -log p.

    ``logits`` (n, classes) fp32; p is their softmax. ``labels`` (n,) int64. Source: Szegedy et al., arXiv 1512.00567,
    section 7.
    """
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)
