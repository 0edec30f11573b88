"""What can be said of a search space before it is searched: of the setting it starts from, and of its extent."""

from collections import Counter
from dataclasses import dataclass

from hpsearch.analysis.advice import Advice, Finding, advise
from hpsearch.contract import Config
from hpsearch.space.beliefs import settings_of
from hpsearch.space.coordinates import Raw
from hpsearch.space.spec import Space
from hpsearch.space.translation import Translation

DRAWS = 512
LEAST_SHARE = 0.1
"""What holds for less of a space is not worth a word."""


@dataclass(frozen=True)
class SpaceAdvice:
    """What to think of a space.

    ``start``   the advice on its first setting to start with, else on its reference; None where it has neither
    ``shares``  findings with the share of the space that they hold for, the largest first; the finding's value is that
                of one of the settings
    """

    start: Advice | None
    shares: tuple[tuple[Finding, float], ...]


def advise_space(space: Space) -> SpaceAdvice | None:
    """Return what to think of a space, None where too little is known of what it trains."""
    draws = [advice for config in _draws(space) if (advice := _advice(space, config)) is not None]
    start = _advice(space, _start(space))
    if not draws and start is None:
        return None
    found = {_kind(finding): finding for advice in draws for finding in advice.findings}
    counts = Counter(_kind(finding) for advice in draws for finding in advice.findings)
    shares = ((found[kind], count / len(draws)) for kind, count in counts.most_common())
    return SpaceAdvice(start, tuple((finding, share) for finding, share in shares if share >= LEAST_SHARE))


def hyperparameters(space: Space, config: Config) -> Raw | None:
    """Return what the optimiser is given under ``config``, None where one of the four is not known."""
    found = Translation.of(space).quantities(config)
    values = (found.lr, found.weight_decay, found.batch_size, found.momentum)
    lr, decay, batch_size, momentum = values
    if lr is None or decay is None or batch_size is None or momentum is None:
        return None
    return Raw(lr, decay, batch_size, momentum)


def _advice(space: Space, config: Config) -> Advice | None:
    raw, run = hyperparameters(space, config), Translation.of(space).run(config)
    return None if raw is None or run.seen is None or space.coordinates.optimizer is None else advise(raw, run)


def _start(space: Space) -> Config:
    return {**space.constants, **next(iter([*space.start_with, *settings_of(space)]), {})}


def _draws(space: Space) -> list[Config]:
    names = space.searched
    if not names:
        return [space.config_from_units({})]
    from scipy.stats.qmc import Sobol  # takes most of a second to import

    points = Sobol(len(names), seed=0).random(DRAWS)
    return [space.config_from_units(dict(zip(names, point, strict=True))) for point in points.tolist()]


def _kind(finding: Finding) -> tuple[str, str]:
    return finding.quantity, finding.limit
