"""Which columns of a table a result hangs on, by Optuna's forest of regression trees, and how sure that is.

share      of a column in what the splits of the forest explain, 0 to 1 (mean decrease of impurity; G. Louppe et al.,
           NIPS 2013): with all its interactions, over the rows that there are and not over a whole space
resampled  shares in forests of other seeds, each on another bootstrap sample of the rows
chance     beside the columns the forest gets their shadows: the same rows in another order, which have nothing to do
           with the result (M. B. Kursa, W. R. Rudnicki, J. Stat. Softw. 36, 2010). The p-value counts the shadows that
           have as large a share as their column (B. Phipson, G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010)

Columns are places in the unit interval, (n, d); ``unordered`` (d,) tells which of them are categories.
"""

import numpy as np
import numpy.typing as npt

from hpsearch.space.axes import Floats

Mask = npt.NDArray[np.bool_]

TREES = 32


def resampled_shares(points: Floats, values: Floats, unordered: Mask, rounds: int) -> Floats:
    """Return the shares of the columns in bootstrap samples of the rows, shape (rounds, d)."""
    n, found = len(values), []
    for seed in range(rounds):
        rows = np.random.default_rng(seed).integers(n, size=n)
        found.append(forest_shares(points[rows], values[rows], unordered, seed))
    return np.array(found)


def chance(points: Floats, values: Floats, unordered: Mask, rounds: int) -> Floats:
    """Return the p-value of each column, (1 + the shadows that matter as much) / (1 + rounds), shape (d,)."""
    d = points.shape[1]
    larger = np.zeros(d)
    for seed in range(rounds):
        shadows = np.random.default_rng(seed).permutation(points)
        shares = forest_shares(np.hstack([points, shadows]), values, np.tile(unordered, 2), seed)
        larger += shares[d:] >= shares[:d]
    p_values: Floats = (1 + larger) / (1 + rounds)
    return p_values


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
