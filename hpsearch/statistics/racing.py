"""Which setting to run again: the one that looks best, or the one that could yet be better.

m_i, n_i  mean loss of setting i and its number of runs, those under way included        s  std of one run
leader    the setting with the least m_i;  l is its number of runs
rival     of the others, the one with the least m_i - s sqrt(log(l) / (2 n_i))

The leader and its rival are compared until one of them is shown to be worse, and the one with fewer runs goes first
(LUCB: S. Kalyanakrishnan, A. Tewari, P. Auer, P. Stone, ICML 2012, with a smaller bonus than the one of its proof,
which needs hundreds of runs). The better the leader is known, the more of a chance settings with few runs are given.
"""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from hpsearch.statistics.confidence_set import CONFIDENCE, tied
from hpsearch.statistics.seed_variance import Floats, Groups, SeedVariance, means_and_runs, seed_variance

ENOUGH = 3
"""Runs after which a setting that is tied with no other needs no more."""


def next_repeat(groups: Groups, running: Sequence[int], confidence: float = CONFIDENCE) -> int | None:
    """Return the setting to run again, None when nothing is left to decide.

    ``running`` counts the repeats of each setting that are under way. Nothing is left to decide when one setting is
    shown to be better than all others at this ``confidence``, and was run three times.
    """
    means, finished = means_and_runs(groups)
    runs = finished + np.array(running)
    leader = int(means.argmin())
    if len(groups) == 1:
        return leader if runs[leader] < ENOUGH else None
    noise = seed_variance(groups)
    if noise is not None and finished[leader] >= ENOUGH and _stands_alone(means, finished, noise, confidence):
        return None
    std = 0.0 if noise is None else noise.std
    hopeful = means - std * np.sqrt(np.log(runs[leader]) / (2 * runs))
    hopeful[leader] = np.inf
    rival = int(hopeful.argmin())
    return leader if runs[leader] <= runs[rival] else rival


def _stands_alone(means: Floats, runs: Floats, noise: SeedVariance, confidence: float) -> bool:
    return len(list(islice(tied(means, runs, noise, confidence), 2))) == 1
