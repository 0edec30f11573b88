"""Why a deep ReLU network computes an almost constant function at initialisation: theory.

c   correlation of what a layer puts out for two inputs, E[z z'] / E[z^2], about zero and not about the mean

A wide ReLU layer of independent weights of mean zero takes it to (Y. Cho and L. Saul, NIPS 2009; B. Poole et al., NIPS
2016, whose fixed point it is)

    f(c) = (sqrt(1 - c^2) + c (pi - arccos c)) / pi  >  c,

and He initialisation keeps E[z^2]. If all pairs of inputs have one c, the mean over inputs of a channel is sqrt(c) and
its standard deviation sqrt(1 - c), in units of sqrt(E[z^2]), rms over the channels. Near one f(1 - e) =
1 - e + k e^1.5 with k = 2 sqrt(2) / (3 pi), so e = (2 / (k l))^2 = 9 pi^2 / (2 l^2) after many layers l: mean over
spread grows by sqrt(2) / (3 pi), about 0.15, with each layer. A linear layer leaves c as it is.

Pairs of pixels and images have correlations that differ. As f is convex, the mean of f(c) is above f of the mean: by
this the theory, which follows the mean, makes the growth too small. Zeros beyond the edge of an image (which networks
may do without) work the other way: what differs between edge and middle counts as spread. So does a finite width, the
more the deeper the network: simulated fully connected layers of 576 come to 0.7 of this ratio after 50 layers.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

GROWTH_PER_LAYER = float(np.sqrt(2) / (3 * np.pi))
"""By how much mean over spread grows with each layer of a deep ReLU network in the end."""


def relu_correlation(c: npt.ArrayLike) -> Floats:
    """Return the correlation after a wide ReLU layer for ``c`` of any shape before it.

    Raises ValueError for what is no correlation.
    """
    before = np.asarray(c, dtype=float)
    if not np.all(np.abs(before) <= 1):
        raise ValueError("a correlation is from -1 to 1")
    after: Floats = (np.sqrt(1 - before**2) + before * (np.pi - np.arccos(before))) / np.pi
    return after


def mean_over_spread(c: npt.ArrayLike) -> Floats:
    """Return the mean of a channel over its standard deviation, rms over channels, of inputs of correlation ``c``.

    It is infinite at 1, where there is no spread. Raises ValueError below 0: no large set of inputs is like that.
    """
    between = np.asarray(c, dtype=float)
    if not np.all((between >= 0) & (between <= 1)):
        raise ValueError("the correlation of all pairs of many inputs is from 0 to 1")
    with np.errstate(divide="ignore"):
        ratio: Floats = np.sqrt(between / (1 - between))
    return ratio


def growth(first: float, layers: int) -> Floats:
    """Return mean over spread (layers,) in a wide ReLU network where it is ``first`` in the outputs of layer 1.

    Outputs are those before the activation. Raises ValueError for a ratio below zero or not finite.
    """
    if not 0 <= first < np.inf:
        raise ValueError("mean over spread is a finite number from 0")
    c = np.empty(layers)
    c[:1] = first**2 / (1 + first**2)
    for layer in range(1, layers):
        c[layer] = min(1.0, float(relu_correlation(c[layer - 1])))  # rounding may pass the fixed point
    return mean_over_spread(c)
