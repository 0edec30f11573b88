"""The health of a search in words: all of it for ``analyze health``, what is worth saying for ``show``."""

import math

from hpsearch.analysis.importance import Importances
from hpsearch.analysis.next_step import next_step
from hpsearch.analysis.progress import Progress
from hpsearch.analysis.search_health import WASTED, Health, Kind, health
from hpsearch.analysis.summary import Edge, State
from hpsearch.analysis.tied import LEAST_TRIALS
from hpsearch.analysis.variance_components import VarianceComponents
from hpsearch.cli import console
from hpsearch.store.names import option_for
from hpsearch.store.reader import Study

MUCH = 0.2
"""From this share on, diverged trials are worth a line."""

ENDED = {Kind.SHORTER: "completed a shorter schedule"}


def health_notes(study: Study) -> list[str]:
    """Return what is worth saying of the search of ``study`` beside its counts and its best settings."""
    if len(study.history) < LEAST_TRIALS:
        return []
    found = health(study)
    notes = [diverged(found)] if found.of_trials(Kind.DIVERGED) >= MUCH or found.unsteady else []
    notes += [f"{progress_words(found)}{_advice(study, found)}"] if found.progress else []
    return notes


def health_facts(study: Study, found: Health) -> dict[str, str]:
    """Return all of the health of a search as text, by what it is called."""
    ended = [f"{share.trials} {ENDED.get(kind, kind)}" for kind, share in found.shares.items() if share.trials]
    progress = {"progress": f"{progress_words(found)}; {_halving(found.progress)}"} if found.progress else {}
    bounds = {"bounds": "; ".join(map(edge_words, found.edges))} if found.edges else {}
    return {
        "trials": f"{', '.join(ended)}; {found.state}",
        "infeasible": diverged(found),
        **({"failed": failed(study, found)} if found.failures else {}),
        "time": _time(found),
        "noise": noise_words(study, found),
        **progress,
        **bounds,
    }


def diverged(found: Health) -> str:
    """Say how many trials diverged, and what to make of it: by the seed alone, or as the space has such settings."""
    if not found.diverging:
        return "no trial diverged"
    settings = f"{found.of_trials(Kind.DIVERGED):.0%} of the trials diverged ({_settings(found)})"
    much = found.of_trials(Kind.DIVERGED) >= MUCH
    return f"{settings}: a narrower space would spend less on them" if much else settings


def failed(study: Study, found: Health) -> str:
    """Say how many trials failed, of what, and how to have them again."""
    number, message = found.shares[Kind.FAILED].trials, max(found.failures, key=lambda one: found.failures[one])
    share = "all trials" if number == found.trials else f"{number} of {console.counted(found.trials, 'trial')}"
    others = f" and {len(found.failures) - 1} other errors" if len(found.failures) > 1 else ""
    again = f"`hpsearch resume {study.name} --retry-failed{option_for(study.folder)}`"
    return f"{share} failed, the training function raised {message}{others}; after mending it: {again}"


def progress_words(found: Health) -> str:
    """Say what the last settings gained; nothing where that is not known."""
    progress = found.progress
    if progress is None:
        return ""
    last = f"the last {progress.last} of {progress.settings} settings"
    if progress.gain == 0:
        return f"{last} did not improve the best"
    return f"{last} improved the best by {_number(progress.gain)}, {_against_noise(progress.gain, found.noise)}"


def noise_words(study: Study, found: Health) -> str:
    """Say how far runs of one setting lie apart, and how far settings do."""
    noise = found.noise
    if noise is None:
        return f"not known: {_no_noise(study, found)}"
    settings = console.counted(noise.repeated, "setting")
    if noise.seed_std == 0:
        return f"none: the runs of a setting are equal ({settings} repeated)"
    low, high = _number(noise.interval.low), _number(noise.interval.high)
    runs = f"a run lies {_number(noise.seed_std)} ({low} to {high}) from the mean of its setting"
    return f"{runs}, settings {_number(noise.setting_std)} from theirs (std; {settings} repeated)"


def edge_words(edge: Edge) -> str:
    """Say at which end of its range the best value of a parameter lies."""
    return (
        f"the best {edge.parameter}, {console.value(edge.value)}, lies at the {edge.end} end of its range "
        f"{edge.low:g} .. {edge.high:g}: the optimum may be outside"
    )


def print_importances(found: Importances) -> None:
    """Print the importance of the parameters with what to make of it."""
    table = console.table("parameter", "share", "90% interval", "chance up to", "", title="importance")
    for one in found.parameters:
        judged = "" if one.settings == found.settings else f"in the {one.settings} settings that have it"
        words = ", ".join(filter(None, ["" if one.shown else "within chance", judged]))
        interval, chance = f"{one.low:.0%} to {one.high:.0%}", f"{one.chance:.0%}"
        table.add_row(one.name, f"{one.share:.0%}", interval, chance, words)
    console.out.print(table)
    others = f"; {found.left_out} without a full run are not among them" if found.left_out else ""
    console.note(f"shares of what a forest explains of the ranks of {found.settings} settings{others}")
    console.note(
        "the forest sees a shuffled copy of each parameter too; chance is what the copy exceeds in 1 of 40 forests"
    )
    console.note(
        "they describe the settings that were run: where a search stays near good values, these look unimportant"
    )


def _settings(found: Health) -> str:
    counted = console.counted(found.diverging, "setting")
    which = "which" if found.unsteady == found.diverging else f"of which {found.unsteady}"
    return f"{counted}, {which} completed other runs" if found.unsteady else counted


def _no_noise(study: Study, found: Health) -> str:
    if not found.shares[Kind.COMPLETED].trials:
        return "no full run has completed"
    if found.state is State.RUNNING:
        return "no setting has been run twice so far"
    return f"no setting was run twice; {next_step(study, '--trials N --repeats auto')}"


def _time(found: Health) -> str:
    spent = f"{console.duration(found.seconds)} of training"
    parts = [f"{found.of_seconds(kind):.0%} {kind}" for kind in WASTED if found.shares[kind].seconds]
    lost = f"; {found.of_seconds(*WASTED):.0%} without a result ({', '.join(parts)})" if parts else ""
    shorter = (
        f"; {found.of_seconds(Kind.SHORTER):.0%} on shorter schedules" if found.shares[Kind.SHORTER].trials else ""
    )
    return f"{spent}{lost}{shorter}"


def _against_noise(gain: float, noise: VarianceComponents | None) -> str:
    if noise is None:
        return "how much of that is noise is not known"
    way = "more" if gain > noise.seed_std else "less"
    return f"{way} than the noise of one run ({_number(noise.seed_std)})"


def _halving(progress: Progress) -> str:
    half = f"half as many, in any order, would on average have ended {_number(progress.halving)} worse"
    return half if progress.halving else "half as many, in any order, would have ended as well"


def _advice(study: Study, found: Health) -> str:
    may_go_on = found.improving and found.state is not State.RUNNING
    return f": {next_step(study)}, which may find better ones" if may_go_on else ""


def _number(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else "infinite"
