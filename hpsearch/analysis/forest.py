"""Which columns of a table a result hangs on, by Optuna's forest of regression trees, and what chance would do.

share    of a column in what the splits of the forest explain, 0 to 1 (mean decrease of impurity; G. Louppe et al., NIPS
         2013): with all its interactions, over the rows that there are and not over a whole space
shadows  beside the columns the forest gets a copy of each: the same rows in another order, which have nothing to do
         with the result (M. B. Kursa, W. R. Rudnicki, J. Stat. Softw. 36, 2010). Without them the shares sum to 1
         whether or not anything acts; with them, what is left to explain by chance goes to the copies as well

Columns are places in the unit interval, (n, d); ``unordered`` (d,) tells which of them are categories.
"""

import numpy as np
import numpy.typing as npt

from hpsearch.space.axes import Floats

Mask = npt.NDArray[np.bool_]

TREES = 32


def shares_and_shadows(
    points: Floats, values: Floats, unordered: Mask, rounds: int, resampled: bool = False
) -> tuple[Floats, Floats]:
    """Return the shares of the columns and of their shadows, each (rounds, d): other seeds, and other orders.

    ``resampled`` takes another bootstrap sample of the rows, each with its shadows, in every round.
    """
    n, d = points.shape
    found = []
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        table = np.hstack([points, rng.permutation(points)])
        rows = rng.integers(n, size=n) if resampled else np.arange(n)
        found.append(forest_shares(table[rows], values[rows], np.tile(unordered, 2), seed))
    shares = np.array(found)
    return shares[:, :d], shares[:, d:]


def forest_shares(points: Floats, values: Floats, unordered: Mask, seed: int) -> Floats:
    """Return the share of each column of ``points`` (n, d) in what a forest explains of ``values`` (n,)."""
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
    from optuna.importance import MeanDecreaseImpurityImportanceEvaluator, get_param_importances

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kinds: dict[str, BaseDistribution] = {
        str(j): CategoricalDistribution(sorted({*column})) if by_category else FloatDistribution(0.0, 1.0)
        for j, (column, by_category) in enumerate(zip(points.T.tolist(), unordered, strict=True))
    }
    study = optuna.create_study()
    for point, value in zip(points.tolist(), values.tolist(), strict=True):
        parameters = dict(zip(kinds, point, strict=True))
        study.add_trial(optuna.trial.create_trial(params=parameters, distributions=kinds, value=value))
    shares = get_param_importances(study, evaluator=MeanDecreaseImpurityImportanceEvaluator(n_trees=TREES, seed=seed))
    return np.array([shares[name] for name in kinds])
