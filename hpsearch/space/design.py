"""Two-level fractional factorial designs: which factors are on in which run.

N      runs, 2^m
mask   a column, as the bits of the basic factors (1, 2, 4, ..., N/2) that it is the product of
word   a set of columns whose product is the same in every run: each of them is aliased with the product of the others

The columns are those of the Sylvester-Hadamard matrix of N rows: any two are orthogonal, so that every factor is on in
half of the runs, and in half of those in which another one is. The length of the shortest word is the *resolution*: at
4 (IV) or more no factor is aliased with the interaction of two others. G. E. P. Box and J. S. Hunter, The 2^(k-p)
fractional factorial designs, Technometrics 3 (1961).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ALIASED = 3
"""The resolution at which main effects are mixed with interactions of two factors."""


def columns(factors: int, runs: int) -> list[int]:
    """Return the masks of the columns for ``factors`` < ``runs`` (a power of two).

    The basic factors come first, then the other products of an odd number of them, the longest ones first: an odd
    number of odd products never cancels, so up to N/2 factors have no word shorter than 4.
    """
    return sorted(range(1, runs), key=_preference)[:factors]


def design(masks: Sequence[int], runs: int) -> npt.NDArray[np.int8]:
    """Return the levels, +1 or -1, of shape (``runs``, factors); in the first run every factor is at +1."""
    negative = np.bitwise_count(np.arange(runs)[:, None] & np.array(masks, dtype=np.int64)) % 2 == 1
    return np.where(negative, np.int8(-1), np.int8(1))


def resolution(masks: Sequence[int], runs: int) -> int | None:
    """Return the length of the shortest word, None where there is none: a full factorial design."""
    fewest = np.full(runs, runs)  # at x: the least number of the columns so far whose product has mask x
    fewest[0] = 0
    shortest = runs
    for mask in masks:
        shortest = min(shortest, int(fewest[mask]) + 1)
        fewest = np.minimum(fewest, fewest[np.arange(runs) ^ mask] + 1)
    return shortest if shortest <= len(masks) else None


def _preference(mask: int) -> tuple[bool, bool, int, int]:
    length = mask.bit_count()
    return length % 2 == 0, length > 1, -length, mask
