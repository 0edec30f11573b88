"""The largest eigenvalues of a symmetric operator that is known by its products with vectors, and how sure they are.

Lanczos with full reorthogonalisation: the operator, seen from the space of a random vector and what it makes of it
again and again (Golub and Van Loan, "Matrix Computations", chapter 10). ARPACK, which scipy wraps, would hold all
vectors on the CPU and gives nothing of what has not converged; here that comes with its residual, on any device.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Operator = Callable[[Tensor], Tensor]
"""From (p,) to (p,), linear and symmetric."""

_BREAKDOWN = 100
"""Of the format's rounding errors of the operator: what is shorter after orthogonalisation is no direction."""


@dataclass(frozen=True)
class Spectrum:
    """The algebraically largest eigenvalues, as ``steps`` products with the operator tell them.

    ``values``     (count,) in descending order, fp64 on the CPU
    ``vectors``    (p, count) orthonormal, on the device
    ``residuals``  (count,) the length of A v - value v: an eigenvalue of A is no further from the value than that
    ``converged``  (count,) whether the residual is within the tolerance
    """

    values: Tensor
    vectors: Tensor
    residuals: Tensor
    converged: Tensor
    steps: int


def leading(
    times: Operator,
    size: int,
    count: int,
    *,
    most_steps: int,
    tolerance: float,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    outside: Tensor | None = None,
    watch: Callable[[int, float], None] | None = None,
) -> Spectrum:
    """Return the ``count`` largest eigenvalues of ``times``, a symmetric operator on vectors of ``size`` p.

    ``most_steps``  products to stop at, converged or not; each keeps two vectors in memory
    ``tolerance``   largest residual that counts as converged, as a share of the largest of the values without sign
    ``outside``     (p, k) orthonormal: look at (1 - Q Q') A (1 - Q Q') on the vectors orthogonal to it
    ``watch``       is told, after each product, their number and the largest residual as that share (inf at first)

    Residuals are of real products, not of the recurrence's estimate: A v is put together from the products with the
    basis, which are kept, so this costs no further one. What no residual shows is a further copy of a multiple
    eigenvalue, or one whose vector is almost orthogonal to the random start.
    Raises ValueError where the space or ``most_steps`` is smaller than ``count``, and where a product is not finite.
    """
    room = size - (outside.shape[1] if outside is not None else 0)
    if not 1 <= count <= min(room, most_steps):
        raise ValueError(f"{count} eigenvalues were asked for in {room} dimensions and {most_steps} steps")
    space = _Space(times, size, min(most_steps, room), seed, torch.zeros(0, device=device, dtype=dtype), outside)
    while True:
        closed = space.extend()
        found = space.largest(count, tolerance)
        if watch:
            watch(space.steps, _largest_residual(found) if space.steps >= count else float("inf"))
        done = bool(space.steps >= count and found.converged.all() and not closed)
        if done or space.full:
            return found


def _largest_residual(found: Spectrum) -> float:
    """Return it as a share of the largest value."""
    scale = found.values.abs().max()
    return float(found.residuals.max() / scale) if scale > 0 else float(found.residuals.max())


class _Space:
    """Orthonormal vectors, what the operator makes of them, and the operator as seen in their space.

    ``most`` vectors have room. ``like`` has the device and format of all vectors.
    """

    def __init__(self, times: Operator, size: int, most: int, seed: int, like: Tensor, outside: Tensor | None) -> None:
        self.times, self.most, self.steps = times, most, 0
        self.outside = like.new_zeros(0, size) if outside is None else outside.T.to(like)
        self.basis, self.images = like.new_empty(most, size), like.new_empty(most, size)
        self.matrix = torch.zeros(most, most, dtype=torch.float64)
        self._random = torch.Generator().manual_seed(seed)
        self._next = self._fresh()

    @property
    def full(self) -> bool:
        return self.steps == self.most

    def extend(self) -> bool:
        """Add a vector and its product; return whether the space had been closed, so that a fresh vector is next."""
        n = self.steps
        self.basis[n] = self._next
        self.images[n] = _without(self.times(self._next.clone()), self.outside)
        self.steps += 1
        self.matrix[n, : n + 1] = self.matrix[: n + 1, n] = (self.basis[: n + 1] @ self.images[n]).double().cpu()
        if not self.matrix[n, n].isfinite():
            raise ValueError("the product with a vector is not finite")
        return not self.full and self._find_next()

    def _find_next(self) -> bool:
        direction = self._orthogonal(self.images[self.steps - 1])
        length = direction.norm()
        closed = bool(length <= _BREAKDOWN * torch.finfo(direction.dtype).eps * self.matrix.abs().max())
        self._next = self._fresh() if closed else direction / length
        return closed

    def _fresh(self) -> Tensor:
        """Return a random unit vector that is orthogonal to all others, the same on every device."""
        drawn = torch.randn(self.basis.shape[1], generator=self._random, dtype=torch.float64).to(self.basis)
        return F.normalize(self._orthogonal(drawn), dim=0)

    def _orthogonal(self, vector: Tensor) -> Tensor:
        """Twice is enough (Parlett, "The Symmetric Eigenvalue Problem", section 6.9)."""
        for _ in range(2):
            vector = _without(_without(vector, self.outside), self.basis[: self.steps])
        return vector

    def largest(self, count: int, tolerance: float) -> Spectrum:
        """Return the largest eigenvalues of the operator in this space; fewer than ``count`` while it is smaller."""
        values, vectors = torch.linalg.eigh(self.matrix[: self.steps, : self.steps])
        values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
        weights = vectors.to(self.basis)
        there = self.basis[: self.steps].T @ weights
        images = self.images[: self.steps].T @ weights
        residuals = (images - there * values.to(there)).norm(dim=0).double().cpu()
        converged = residuals <= tolerance * values.abs().max()
        return Spectrum(values, there, residuals, converged, self.steps)


def _without(vector: Tensor, rows: Tensor) -> Tensor:
    """Return ``vector`` less its projection on the orthonormal ``rows`` (k, p)."""
    return vector - (rows @ vector) @ rows
