"""Small moves of the parameters that raise the mean of one output: their effect, and the layers of the gradient."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpsearch.analysis.by_seed import BySeed, divided, means
from hpsearch.analysis.constant_function import Floats

TRAINED = ("batch_norm", "frozen_batch_norm", "no_norm")
"""The partly trained networks, in the order of tables and pictures."""


@dataclass(frozen=True)
class OutputMoves:
    """The network after moves by ``size``, a share of its parameters' length, towards each of its ``outputs``.

    Each figure is a mean over the outputs. ``each_share`` and ``each_accuracy`` are those after each single move.
    """

    network: str
    size: float
    outputs: int
    accuracy_before: BySeed
    accuracy: BySeed
    share_before: BySeed
    share: BySeed
    each_accuracy: Floats
    each_share: Floats

    @property
    def lost(self) -> BySeed:
        """The accuracy that a move costs."""
        return self.accuracy_before.minus(self.accuracy)


@dataclass(frozen=True)
class GradientShares:
    """Shares of the squared norm of an output mean's gradient, averaged over the outputs.

    ``layers``  layer -> its share; a layer is the tensors whose names are the same but for the last word
    ``last``    the share of the last layer, which is named ``last_layer``
    """

    network: str
    outputs: int
    layers: dict[str, BySeed]

    @property
    def last_layer(self) -> str:
        """The layer of the tensor that comes last in the network."""
        return next(reversed(self.layers))

    @property
    def last(self) -> BySeed:
        """The share of the last layer."""
        return self.layers[self.last_layer]


def output_moves(table: pd.DataFrame) -> tuple[OutputMoves, ...]:
    """Return what the moves of the table ``perturbations`` do to each network."""
    return tuple(_moves(name, rows) for name, rows in divided(table, "network", TRAINED).items())


def _moves(network: str, rows: pd.DataFrame) -> OutputMoves:
    return OutputMoves(
        network,
        float(rows["size"].iloc[0]),
        rows["output"].nunique(),
        accuracy_before=means(rows, "accuracy_before"),
        accuracy=means(rows, "accuracy"),
        share_before=means(rows, "share_before"),
        share=means(rows, "share"),
        each_accuracy=rows["accuracy"].to_numpy(dtype=float),
        each_share=rows["share"].to_numpy(dtype=float),
    )


def gradient_shares(table: pd.DataFrame) -> tuple[GradientShares, ...]:
    """Return where the gradients of the table ``gradient_norms`` lie in each network."""
    return tuple(_shares(name, rows) for name, rows in divided(table, "network", TRAINED).items())


def _shares(network: str, rows: pd.DataFrame) -> GradientShares:
    rows = rows.sort_values("position", kind="stable")
    names = dict.fromkeys(layer_of(name) for name in rows["layer"])
    last = layer_of(rows["layer"].iloc[-1])
    whole = rows.groupby(["seed", "output"])["squared_norm"].transform("sum")
    shares = rows.assign(of=rows["layer"].map(layer_of), share=rows["squared_norm"] / whole.where(whole > 0, np.nan))
    of = shares.groupby(["of", "seed", "output"])["share"].sum(min_count=1).reset_index()
    order = [*(name for name in names if name != last), last]
    layers = {name: means(of[of["of"] == name], "share") for name in order}
    return GradientShares(network, rows["output"].nunique(), layers)


def layer_of(tensor: str) -> str:
    """Return the name of the layer that a tensor belongs to: ``stem.conv`` for ``stem.conv.weight``."""
    return tensor.rpartition(".")[0] or tensor


def pairs(table: pd.DataFrame, column: str, order: tuple[str, ...]) -> list[tuple[str, str, pd.DataFrame]]:
    """Return the rows of each trained network and name in ``column``, in the order of tables and pictures."""
    return [
        (network, name, own)
        for network, rows in divided(table, "network", TRAINED).items()
        for name, own in divided(rows, column, order).items()
    ]
