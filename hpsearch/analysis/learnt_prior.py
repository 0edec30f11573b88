"""What finished studies teach the next one: for each where its good settings lie, and the best ones in a good order.

S   studies       J   settings to choose from
"""

import math
from collections.abc import Sequence

import numpy as np

from hpsearch.analysis.lesson import COMMON, Lesson, rounded
from hpsearch.contract import Config, Value
from hpsearch.space.prior_spec import Learnt
from hpsearch.store.reader import Study

MOST_SETTINGS = 16
"""The best settings of so many studies are kept."""


def learn(studies: Sequence[Study], made_by: str) -> Learnt:
    """Return what ``studies`` teach; ``made_by`` is the command. Raises StudyError where one has too few trials."""
    lessons = [Lesson.of(study) for study in studies]
    abouts = (f"{one.study.name}: {one.study.space.goal or 'a search'}, {len(one.losses)} trials" for one in lessons)
    return Learnt(
        about="; ".join(abouts),
        made_by=made_by,
        settings=tuple(_shown(setting) for setting in portfolio(lessons)),
        problems={one.study.name: one.beliefs() for one in lessons},
    )


def portfolio(lessons: Sequence[Lesson]) -> list[Config]:
    """Return the best settings of the studies, each time the one after which all studies together are served best."""
    rest = [one.settings[0] for one in lessons]
    rest = [setting for position, setting in enumerate(rest) if setting not in rest[:position]]
    regrets = np.array([one.regrets(rest) for one in lessons]).T  # (J, S)
    reached, order = np.full(len(lessons), math.inf), list[int]()
    while len(order) < min(len(rest), MOST_SETTINGS):
        left = [j for j in range(len(rest)) if j not in order]
        order.append(min(left, key=lambda j: float(np.minimum(reached, regrets[j]).mean())))
        reached = np.minimum(reached, regrets[order[-1]])
    return [rest[j] for j in order]


def _shown(setting: Config) -> dict[str, Value]:
    shown = {name: rounded(value) if isinstance(value, float) else value for name, value in setting.items()}
    return {name: int(value) if name == COMMON.batch_size else value for name, value in shown.items()}
