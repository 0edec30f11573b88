"""What ``hpsearch study batchnorm`` found, from its tables: the four parts of post 7, as far as they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hpsearch.analysis.by_seed import BySeed, divided, means
from hpsearch.analysis.descent_verdicts import Descent, descents
from hpsearch.analysis.eigenvector_overlaps import Overlaps, overlaps
from hpsearch.analysis.hessian_spectra import SPANS, WHOLE, Spectrum, spectra
from hpsearch.analysis.init_growth import InitGrowth, init_growth
from hpsearch.analysis.output_moves import TRAINED, GradientShares, OutputMoves, gradient_shares, output_moves
from hpsearch.store.diagnostics import Diagnostics


@dataclass(frozen=True)
class NetworkFacts:
    """A partly trained network: how it was trained, what it reached, and the fixed batches of the analysis."""

    network: str
    lr: BySeed
    epochs: BySeed
    schedule_epochs: BySeed
    val_accuracy: BySeed
    loss: BySeed
    accuracy: BySeed
    parameters: int
    images: int
    batch_size: int


@dataclass(frozen=True)
class BatchNormStudy:
    """Each part holds the networks that are stored; nothing where it has not been computed.

    ``classes``  outputs of the networks, None where no move towards them is stored
    ``about``    what was studied;  ``parts``  what is finished, where and with which versions
    """

    growth: tuple[InitGrowth, ...]
    networks: tuple[NetworkFacts, ...]
    moves: tuple[OutputMoves, ...]
    gradients: tuple[GradientShares, ...]
    spectra: tuple[Spectrum, ...]
    overlaps: tuple[Overlaps, ...]
    descents: tuple[Descent, ...]
    classes: int | None
    about: Mapping[str, Any]
    parts: Mapping[str, Any]

    def spectrum(self, network: str, outside: str = WHOLE) -> Spectrum | None:
        """Return the eigenvalues of a network, None where there are none."""
        found = [one for one in self.spectra if (one.network, one.outside) == (network, outside)]
        return found[0] if found else None

    def outliers(self, network: str, outside: str = SPANS[-1]) -> BySeed:
        """Return how many eigenvalues are above all those outside of a span, in the seeds in which both are known.

        It is infinite where all that were computed are above: those that were not may be so too.
        """
        whole, rest = self.spectrum(network), self.leading(network, outside).finite
        seeds = {} if whole is None else whole.seeds
        return BySeed({seed: of.above(rest[seed]) for seed, of in seeds.items() if seed in rest})

    def leading(self, network: str, outside: str = WHOLE) -> BySeed:
        """Return the largest eigenvalue of a network, without seeds where there is none."""
        spectrum = self.spectrum(network, outside)
        return BySeed({}) if spectrum is None else spectrum.leading

    def sure(self, network: str, outside: str = WHOLE) -> BySeed:
        """Return ``leading`` in the seeds in which it has converged."""
        spectrum = self.spectrum(network, outside)
        unsure = () if spectrum is None else spectrum.unsure_leading
        return BySeed(
            {seed: value for seed, value in self.leading(network, outside).values.items() if seed not in unsure}
        )


def batch_norm_study(study: Diagnostics) -> BatchNormStudy:
    """Read the tables of a study of this kind. Raises StudyError for a damaged file."""
    moves = study.table("perturbations")
    return BatchNormStudy(
        init_growth(study.table("init_layers")),
        _networks(study.table("networks")),
        output_moves(moves),
        gradient_shares(study.table("gradient_norms")),
        spectra(study.table("eigenvalues")),
        overlaps(study.table("overlaps")),
        descents(study.table("descents")),
        int(moves["output"].max()) + 1 if len(moves) else None,
        study.about,
        study.parts,
    )


def _networks(table: pd.DataFrame) -> tuple[NetworkFacts, ...]:
    return tuple(_facts(name, rows) for name, rows in divided(table, "network", TRAINED).items())


def _facts(network: str, rows: pd.DataFrame) -> NetworkFacts:
    return NetworkFacts(
        network,
        lr=means(rows, "lr"),
        epochs=means(rows, "epochs"),
        schedule_epochs=means(rows, "schedule_epochs"),
        val_accuracy=means(rows, "val_accuracy"),
        loss=means(rows, "loss"),
        accuracy=means(rows, "accuracy"),
        parameters=int(rows["parameters"].iloc[0]),
        images=int(rows["images"].iloc[0]),
        batch_size=int(rows["batch_size"].iloc[0]),
    )
