"""The parts of a training step, and which of them an operator or a function belongs to, by its name.

The names of torch's operators ("aten::convolution_backward"), of autograd's nodes ("ConvolutionBackward0") and of the
functions that a network calls ("conv2d") have enough in common to be told apart by the same few words.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

CONVOLUTION, LINEAR, NORM, ACTIVATION, POOLING = "convolution", "linear", "norm", "activation", "pooling"
LOSS, OPTIMISER, AUGMENTATION = "loss", "optimiser", "augmentation"
CASTS, ADDITIONS, OTHER, HOST = "casts", "additions", "other operators", "host"

PHASES = (AUGMENTATION, LOSS, OPTIMISER)
"""Parts that are a stretch of the step: what runs in it belongs to it, whatever its name."""

PARTS = (CONVOLUTION, LINEAR, NORM, ACTIVATION, POOLING, *PHASES, CASTS, ADDITIONS, OTHER, HOST)
"""All parts; ``host`` is the time in which no operator runs."""

Named = Callable[[str], AbstractContextManager[object]]
"""What marks a stretch of the step with the name of its phase."""

_WORDS = {
    NORM: ("batchnorm", "layernorm", "groupnorm", "instancenorm", "rmsnorm"),
    CONVOLUTION: ("conv",),
    LOSS: ("softmax", "loss", "crossentropy"),
    POOLING: ("pool", "mean"),
    ACTIVATION: ("elu", "silu", "softplus", "softplusbackward", "sigmoid", "tanh", "threshold", "hardswish", "mish"),
    LINEAR: ("linear", "addmm", "matmul", "bmm"),
}
_WHOLE = {
    LINEAR: ("mm", "mmbackward0"),
    CASTS: ("to", "tocopy", "tocopybackward0"),
    ADDITIONS: ("add", "addbackward0"),
}


def of_operator(name: str) -> str | None:
    """Return the part that an operator, a node of autograd or a function of torch belongs to; None if none does.

    ``elu`` is in the names of relu, celu and gelu too. A mean is taken for a global average pooling.
    """
    plain = name.rpartition(":")[2].strip().replace("_", "").lower()
    for part, names in _WHOLE.items():
        if plain in names:
            return part
    return next((part for part, words in _WORDS.items() if any(word in plain for word in words)), None)
