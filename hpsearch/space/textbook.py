"""Settings with which few trainings go wrong, for a space of which nothing better is known."""

from collections.abc import Mapping

from hpsearch.space.coordinate_spec import Role
from hpsearch.space.coordinates import Optimizer

_SGD: Mapping[Role, float] = {"lr": 0.1, "weight_decay": 5e-4, "batch_size": 128, "momentum": 0.9}

TEXTBOOK: Mapping[Optimizer, Mapping[Role, float]] = {
    "sgd": _SGD,
    "sgd_nesterov": _SGD,
    "adamw": {"lr": 1e-3, "weight_decay": 1e-2, "batch_size": 128, "momentum": 0.9},
}
"""SGD: K. He et al. 2016 and S. Zagoruyko and N. Komodakis 2016, for CIFAR-10. AdamW: the defaults of PyTorch."""


def usable(role: Role, value: float) -> bool:
    """Whether rate and tau exist for this value of a role."""
    return 0 <= value < 1 if role == "momentum" else value > 0
