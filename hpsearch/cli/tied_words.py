"""Tied settings in words: which share the first place, what the best is worth, what the study could have seen."""

from hpsearch.analysis.next_step import next_step
from hpsearch.analysis.repeats import any_repeated, by_setting
from hpsearch.analysis.rungs import Rung
from hpsearch.analysis.tied import Tied, TiedSetting
from hpsearch.cli import console
from hpsearch.cli.settings_table import with_error
from hpsearch.statistics.rank_correlation import LEAST
from hpsearch.store.reader import Study

MORE = 12
"""At most so many repeats are recommended at first."""

FEW = 4
"""Degrees of freedom below which the noise itself is hardly known."""


def tied_facts(found: Tied) -> dict[str, str]:
    """Return label and text of what there is to say of tied settings."""
    rows = {"best": _best(found), "tied": _tied(found)}
    if found.cheapest is not found.best:
        cheap, best = (console.duration(one.setting.train_seconds) for one in (found.cheapest, found.best))
        expected = f"{found.metric} {_expected(found.cheapest)}"
        rows["cheapest"] = f"{_name(found, found.cheapest)}: {cheap} a run instead of {best}, {expected}"
    return rows | {"noise": _noise(found), "resolution": _resolution(found)}


def unknown_noise(study: Study) -> str | None:
    """Return what to say where no setting was run twice; None where there is nothing to compare."""
    settings, to_come = by_setting(study), study.running and study.space.budget.repeats != 0
    if len(settings) < 2 or any_repeated(settings) or to_come:
        return None
    mended = next_step(study, f"--trials {max(4, min(MORE, len(settings) // 2))} --repeats auto")
    return f"every setting ran once, so nothing is known of the noise: the best may be the luckiest; {mended}"


def unstable(found: Tied) -> list[str]:
    """Return a line for every setting of which only some runs came to a result."""
    return [f"{console.settings(one.config)}: a run diverged, so it is no choice" for one in found.unstable]


def rung_line(rung: Rung, longer: Rung | None) -> str:
    """Return what a rung amounts to, and how well it foretells the ``longer`` one."""
    parts = [f"{console.counted(rung.trained, 'run')} of {console.counted(rung.settings, 'setting')}"]
    parts += [f"{rung.diverged} diverged"] if rung.diverged else []
    parts += [] if rung.best is None else [f"best {console.number(rung.best)}"]
    if longer is None:
        return ", ".join(parts)
    parts.append(f"{rung.went_on} went on")
    agreement = rung.agreement
    if agreement is None:
        return f"{', '.join(parts)}; how well they rank is not known before {LEAST} have"
    interval = f"{agreement.low:.2f} to {agreement.high:.2f}"
    ranks = f"rank correlation with {longer.epochs} epochs {agreement.value:.2f} ({interval}, {agreement.n} settings)"
    left_out = "" if rung.used else ": it misleads, and new settings begin above it"
    return f"{', '.join(parts)}; {ranks}{left_out}"


def _tied(found: Tied) -> str:
    tied, worse, level = len(found.members), found.settings - len(found.members), f"{found.confidence:.0%}"
    stopped = f"; {console.counted(found.stopped, 'setting')} stopped early not compared" if found.stopped else ""
    if not worse:
        every = "both" if tied == 2 else f"all {tied}"
        return f"{every} settings: none is shown to be worse ({level}), so any of them may be the best{stopped}"
    others = "the other setting is" if worse == 1 else f"the other {worse} settings are"
    first = "none" if tied == 1 else f"{tied} settings, any of which may be the best"
    return f"{first}; {others} shown to be worse ({level}){stopped}"


def _best(found: Tied) -> str:
    best = found.best
    mean, n = console.number(best.setting.mean), best.setting.n
    seen = "its one run gave" if n == 1 else f"its {n} runs gave on average"
    return f"{_name(found, best)}: {found.metric} {_expected(best)} is to be expected; {seen} {mean}"


def _name(found: Tied, one: TiedSetting) -> str:
    """Return the parameters that were searched, with a trial to find the setting by."""
    config = {name: one.setting.config[name] for name in found.searched if name in one.setting.config}
    return f"trial {one.setting.trials[0]}, {console.settings(config)}"


def _expected(one: TiedSetting) -> str:
    return with_error(one.expected, one.standard_error)


def _noise(found: Tied) -> str:
    degrees = f"{found.freedom:.0f} degrees of freedom"
    known = degrees if found.freedom >= FEW else f"by {degrees} only, so this is hardly known itself"
    grows = "; it grows away from the best" if found.growth else ""
    return f"a run differs from the mean of its setting by {float(f'{found.noise:.2g}'):g} (std; {known}){grows}"


def _resolution(found: Tied) -> str:
    once = float(f"{found.shows:.2g}")
    repeated = float(f"{found.shows_repeated:.2g}")
    n = found.best.setting.n
    more = "" if n == 1 else f", one that ran {n} times as the best by {repeated:g}"
    return f"a setting that ran once must be worse by {once:g} to show in 4 of 5 such studies{more}"
