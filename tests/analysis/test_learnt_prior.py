"""What studies teach, against trials whose good settings are known."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpsearch.analysis.learnt_prior import learn, portfolio
from hpsearch.analysis.lesson import Lesson, common
from hpsearch.contract import Config
from hpsearch.errors import StudyError
from hpsearch.space.coordinates import Coordinates, Raw, Run, to_coordinates, to_raw
from hpsearch.space.spec import Space
from hpsearch.store.reader import Study, open_study
from hpsearch.trial import Status
from tests.samplers.trials import finished
from tests.space.examples import make_space

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
RUN = {"optimizer": "sgd", "examples": 50000, "epochs": 10}
FOUR = {
    "lr": {"type": "real", "low": 1e-4, "high": 10, "scale": "log"},
    "weight_decay": {"type": "real", "low": 1e-7, "high": 0.1, "scale": "log"},
    "batch_size": {"type": "integer", "low": 16, "high": 1024, "scale": "log"},
    "momentum": {"type": "real", "low": 0.5, "high": 0.99, "scale": "log1m"},
}


@pytest.fixture(scope="module")
def real() -> Study:
    return open_study(REFERENCE, "wd_lr_cpu")


def study_of(real: Study, space: Space, configs: list[Config], losses: list[float], name: str = "one") -> Study:
    trials = tuple(finished(n, config, loss) for n, (config, loss) in enumerate(zip(configs, losses, strict=True)))
    return replace(real, name=name, space=space, history=trials)


def four(real: Study, rate: float, tau: float, n: int = 400, **blocks: Any) -> Study:
    """Trials whose loss is a bowl in log rate and log tau around the given ones, whatever batch size and momentum."""
    space, rng = make_space(FOUR, **{"coordinates": RUN, **blocks}), np.random.default_rng(0)
    configs, losses, run = [], [], Run("sgd", 50000, 10)
    for _ in range(n):
        away = rng.normal(0, 2, 2)
        batch, momentum = int(rng.integers(16, 1024)), float(1 - np.exp(rng.uniform(np.log(0.01), np.log(0.5))))
        raw = to_raw(Coordinates(rate * math.exp(away[0]), tau * math.exp(away[1]), batch, momentum), run)
        configs.append({"lr": raw.lr, "weight_decay": raw.weight_decay, "batch_size": batch, "momentum": momentum})
        losses.append(float(away @ away))
    return study_of(real, space, configs, losses)


def test_the_centre_is_found_in_coordinates(real: Study) -> None:
    found = learn([four(real, 3e-3, 0.2)], "a command").problems["one"]
    assert found["rate"].centre == pytest.approx(3e-3, rel=0.25)
    assert found["tau"].centre == pytest.approx(0.2, rel=0.25)
    assert found["rate"].spread < 2.5 and found["tau"].spread < 2.5
    assert found["momentum"].spread > 2 and found["batch_size"].spread > 1.6, "they do not matter"
    assert {"lr", "weight_decay"}.isdisjoint(found)


def test_without_the_run_the_raw_parameters_are_learnt(real: Study) -> None:
    found = learn([four(real, 3e-3, 0.2, coordinates={})], "a command").problems["one"]
    assert set(found) == set(FOUR)
    without_length = learn([four(real, 3e-3, 0.2, coordinates={"optimizer": "sgd"})], "a command").problems["one"]
    assert set(without_length) == {"rate", "weight_decay", "batch_size", "momentum"}


def test_other_names_of_the_roles_are_made_common(real: Study) -> None:
    space = make_space(
        {"eta": FOUR["lr"], "width": {"type": "integer", "low": 1, "high": 9}},
        coordinates={"lr": "eta", "optimizer": "sgd", "reference": {"batch_size": 100, "momentum": 0.9}},
    )
    assert common(space, {"eta": 0.5, "width": 3}) == pytest.approx(
        {"rate": 0.05, "batch_size": 100, "momentum": 0.9, "width": 3}
    )


def test_a_spread_by_hand(real: Study) -> None:
    """Ten trials, of which the best three are good: weights log(3.5) - log(1, 2, 3); momentum as 1 - momentum."""
    space = make_space({"width": {"type": "integer", "low": 0, "high": 100}, **FOUR})
    columns = {
        "width": [10, 30, 80, *range(7)],
        "lr": [1e-3, 1e-1, 1e-2, *np.geomspace(1e-4, 1, 7).tolist()],
        "momentum": [0.9, 0.98, 0.6, *np.linspace(0.5, 0.9, 7).tolist()],
    }
    configs = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    found = learn([study_of(real, space, configs, [float(n) for n in range(10)])], "a command").problems["one"]
    w = np.log(3.5) - np.log([1, 2, 3])
    scales = {
        "width": (float, float),
        "lr": (np.log, np.exp),
        "momentum": (lambda x: np.log(1 - x), lambda y: 1 - np.exp(y)),
    }
    for name, (there, back) in scales.items():
        x = np.array([there(value) for value in columns[name][:3]])
        mean = (w * x).sum() / w.sum()
        std = math.sqrt((w * (x - mean) ** 2).sum() / (w.sum() - (w**2).sum() / w.sum()))
        expected = back(mean), std if name == "width" else math.exp(std)
        assert (found[name].centre, found[name].spread) == pytest.approx(expected, rel=1e-3)


def test_a_spread_is_never_narrow(real: Study) -> None:
    space = make_space({"width": {"type": "integer", "low": 0, "high": 160}, "lr": FOUR["lr"]})
    configs: list[Config] = [{"width": 50, "lr": 0.1}] * 5 + [{"width": n, "lr": 0.01 * n} for n in range(1, 21)]
    found = learn([study_of(real, space, configs, [float(n) for n in range(25)])], "a command").problems["one"]
    assert (found["lr"].centre, found["lr"].spread) == (0.1, 1.5)
    assert (found["width"].centre, found["width"].spread) == (50, 10)


def test_what_never_changed_or_is_no_number_is_not_learnt(real: Study) -> None:
    space = make_space(
        {
            "lr": FOUR["lr"],
            "weight_decay": {"type": "choice", "values": [0, 0.0001]},
            "norm": {"type": "choice", "values": ["batch", "layer"]},
            "momentum": {"type": "constant", "value": 0.9},
        }
    )
    configs: list[Config] = [{"lr": 10.0**-n, "weight_decay": 0, "norm": "layer", "momentum": 0.9} for n in range(6)]
    found = learn([study_of(real, space, configs, [float(n) for n in range(6)])], "a command")
    assert set(found.problems["one"]) == {"lr"}
    assert found.settings == ({"momentum": 0.9, "lr": 1.0, "weight_decay": 0.0, "norm": "layer"},)


def test_how_many_settings_are_good(real: Study) -> None:
    space = make_space({"lr": FOUR["lr"]})
    configs: list[Config] = [{"lr": 1e-3 * (n + 1)} for n in range(100)]

    def good(losses: list[float]) -> int:
        return Lesson.of(study_of(real, space, configs[: len(losses)], losses)).good

    assert good([float(n) for n in range(100)]) == 5, "0 .. 4 are within a tenth of the median, 49.5"
    assert good([0.0] * 80 + [1.0] * 20) == 20, "a fifth at most"
    assert good([0.0, *[9.0] * 5]) == 3, "three at least"


def test_only_completed_trials_count(real: Study) -> None:
    space = make_space({"lr": FOUR["lr"]})
    configs: list[Config] = [{"lr": 10.0 ** (-n / 2)} for n in range(8)]
    study = study_of(real, space, configs, [float(n) for n in range(8)])
    lost = [replace(trial, status=Status.STOPPED) for trial in study.history[:2]]
    kept = replace(study, history=(*lost, *study.history[2:]))
    assert Lesson.of(kept).settings[0] == {"lr": 0.1}
    with pytest.raises(StudyError, match="4 completed trials, too few"):
        learn([replace(study, history=study.history[:4])], "a command")


def test_the_mode_of_the_objective(real: Study) -> None:
    space = make_space({"lr": FOUR["lr"]}, objective={"metric": "val_accuracy", "mode": "max"})
    study = study_of(real, space, [{"lr": 10.0**-n} for n in range(5)], [float(n) for n in range(5)])
    assert Lesson.of(study).settings[0] == {"lr": 1e-4}


def test_the_first_setting_serves_all_studies_best(real: Study) -> None:
    """Three bowls in log lr; that of the middle is nearest to all, then the one farther from it."""
    space = make_space({"lr": FOUR["lr"]})
    lrs = np.geomspace(1e-4, 10, 41)
    studies = [
        study_of(real, space, [{"lr": float(lr)} for lr in lrs], (np.log10(lrs / best) ** 2).tolist(), f"at {best}")
        for best in (10.0, 1e-1, 1e-4)
    ]
    learnt = learn(studies, "a command")
    assert [one["lr"] for one in learnt.settings] == pytest.approx([1e-1, 1e-4, 10.0], rel=0.01)
    assert [learnt.problems[one.name]["lr"].centre for one in studies] == pytest.approx([10.0, 0.1, 1e-4], rel=0.6)
    assert len(portfolio([Lesson.of(one) for one in [*studies, *studies]])) == 3, "equal ones once"


def test_a_real_study(real: Study) -> None:
    learnt = learn([real], "hpsearch prior wd_lr_cpu")
    trials = real.trials[real.trials["status"] == "completed"].sort_values("objective")
    (setting,), best = learnt.settings, trials.iloc[0]
    assert setting["lr"] == pytest.approx(best["lr"], rel=1e-3) and setting["batch_size"] == best["batch_size"]
    for name, belief in learnt.problems["wd_lr_cpu"].items():
        good = trials[name].iloc[:3]
        assert good.min() * 0.999 <= belief.centre <= good.max() * 1.001


def test_a_setting_that_is_known_as_coordinates_gives_back_the_raw_one(real: Study) -> None:
    study = four(real, 3e-3, 0.2, n=20)
    setting = learn([study], "a command").settings[0]
    best = min(study.history, key=lambda trial: trial.objective or 0.0).config
    expected = to_coordinates(Raw(**best), Run("sgd", 50000, 10))
    assert setting == pytest.approx(vars(expected), rel=1e-3)
