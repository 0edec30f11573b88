"""Priors made of earlier studies: the studies found and read, and what they teach put into the space."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hpsearch.analysis.learnt_prior import learn
from hpsearch.cli import console, options
from hpsearch.errors import InputError, Problem, SpaceError, StudyError
from hpsearch.space.learnt import for_space, read_learnt
from hpsearch.space.parameters import Constant, Parameter, ends
from hpsearch.space.prior_spec import Learnt, PriorSpec
from hpsearch.space.spec import Space
from hpsearch.space.values import is_number
from hpsearch.store.reader import Study, open_study


def resolve_prior(space: Space, base: Path, results: Path) -> Space:
    """Return ``space`` with the values of its prior in the place of names, so that a study keeps what it began with.

    File names are relative to ``base``, studies are looked for in ``results``. Raises SpaceError or StudyError where
    there is no such prior, or it does not fit the space.
    """
    prior = space.prior
    if prior is None:
        return space
    if "tau" in (prior.normal or {}) and space.coordinates.run.seen is None:
        what = "tau is a share of the run, whose length is not known"
        raise SpaceError(Problem(what, key="prior.normal.tau", hint="add coordinates: {examples: ..., epochs: ...}"))
    if prior.study is not None:
        studies = open_studies(prior.study, results, base)
        for study in studies:
            _check_ranges(space, study)
        learnt = learn(studies, made_by(prior.study, results))
    elif prior.learnt is not None:
        learnt = prior.learnt if isinstance(prior.learnt, Learnt) else read_learnt(prior.learnt, base)
    else:
        return space
    return space.with_prior(PriorSpec(learnt=for_space(learnt, space)))


def open_studies(names: Sequence[str], results: Path, base: Path) -> list[Study]:
    """Read studies given by name, or by folder relative to ``base``. Raises StudyError."""
    folders = [base / Path(name).expanduser() for name in names]
    studies = [
        open_study(folder.parent, folder.name) if "/" in name else open_study(results, name)
        for name, folder in zip(names, folders, strict=True)
    ]
    found: dict[str, Study] = {}
    for study in studies:
        if study.name in found:
            raise StudyError(Problem(f"two of the studies are called '{study.name}'", file=study.folder))
        found[study.name] = study
    return [_resolved(study) for study in studies]


def made_by(names: Iterable[str], results: Path) -> str:
    """Return the command that learns from these studies, without the folders of this machine."""
    where = "" if results.is_absolute() or results == options.RESULTS else f" --results {results}"
    return f"hpsearch prior {' '.join(Path(name).name for name in names)}{where}"


def _resolved(study: Study) -> Study:
    """Return a study that knows how it trains: an older one asks its training function, if that is still there."""
    from hpsearch.cli.plan import with_coordinates

    try:
        return with_coordinates(study)
    except InputError:
        console.note(f"how {study.name} trains is not known: its lr and weight_decay are learnt, not rate and tau")
        return study


def _check_ranges(space: Space, study: Study) -> None:
    """Refuse a study that has searched elsewhere."""
    for name in space.searched:
        mine, other = space.parameters[name], study.space.parameters.get(name)
        if other is not None and not isinstance(other, Constant) and not _overlap(mine, other):
            what = f"the study '{study.name}' has searched {name} elsewhere, so it is no prior for this space"
            got = f"{other.describe()} in the study"
            raise SpaceError(Problem(what, key=f"parameters.{name}", got=got, allowed=f"{mine.describe()} in part"))


def _overlap(one: Parameter, other: Parameter) -> bool:
    mine, others = ends(one), ends(other)
    if not all(is_number(value) for value in (*mine, *others)):
        return any(one.contains(value) for value in others)
    least, greatest = ([float(pick(values)) for values in (mine, others)] for pick in (min, max))
    return max(least) <= min(greatest)
