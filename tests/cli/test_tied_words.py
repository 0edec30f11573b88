"""Tied settings and rungs in words that a practitioner understands."""

import re

import pytest

from hpsearch.analysis.rungs import rungs
from hpsearch.analysis.tied import tied
from hpsearch.cli.tied_words import rung_line, tied_facts, unknown_noise, unstable
from hpsearch.trial import Status
from tests.analysis.tied_studies import runs, study, trial

NOISY = [(1, 0.10), (2, 0.12), (1, 0.14), (2, 0.11)]
"""Two settings that nothing tells apart."""
SURE = [(1, 0.100), (1, 0.101), (1, 0.102), (1, 0.101)]
"""One that is well known."""


def facts(trials, **keys):
    return tied_facts(tied(study(trials, **keys)))


@pytest.mark.parametrize(
    ("results", "says"),
    [
        (NOISY, "both settings: none is shown to be worse (95%), so any of them may be the best"),
        ([*NOISY, (3, 9)], "2 settings, any of which may be the best; the other setting is shown to be worse (95%)"),
        ([*NOISY, (3, 9), (4, 9)], "2 settings, any of which may be the best; the other 2 settings are shown to be"),
        ([*SURE, (3, 9)], "none; the other setting is shown to be worse (95%)"),
        ([*SURE, (3, 9), (4, 9)], "none; the other 2 settings are shown to be worse (95%)"),
    ],
)
def test_how_many_are_tied(results, says):
    assert facts(runs(results))["tied"].startswith(says)


def test_what_was_stopped_is_said_not_to_be_compared():
    stopped = [trial(9, 9, 0.2, status=Status.STOPPED)]
    assert facts([*runs(NOISY), *stopped])["tied"].endswith("; 1 setting stopped early not compared")


def test_the_best_has_a_name_and_what_is_to_be_expected_beside_what_was_seen():
    found = tied(study(runs(NOISY)))
    best = tied_facts(found)["best"]
    assert best.startswith("trial 00001, lr=2: val_loss 0.11")
    assert re.search(r"0\.\d+ \+- 0\.\d+ is to be expected; its 2 runs gave on average 0\.115$", best)
    assert "its one run gave" in facts(runs([*[(1, value) for value in (0.1, 0.4, 0.7, 0.1)], (2, -0.9)]))["best"]


def test_the_cheapest_is_named_where_it_saves_a_tenth():
    def of(seconds):
        trials = [trial(n, *one, train_seconds=seconds if one[0] == 1 else 100.0) for n, one in enumerate(NOISY)]
        return facts(trials).get("cheapest")

    assert of(80.0).startswith("trial 00000, lr=1: 1 min 20 s a run instead of 1 min 40 s, val_loss 0.1")
    assert of(95.0) is None


def test_few_repeats_say_that_the_noise_is_hardly_known():
    assert "by 2 degrees of freedom only, so this is hardly known itself" in facts(runs(NOISY))["noise"]
    many = [(setting, value + 0.01 * again) for setting, value in NOISY for again in range(4)]
    assert "hardly" not in facts(runs(many))["noise"]


def test_the_resolution_is_that_of_one_run_and_of_as_many_as_the_best_had():
    found = tied(study(runs(NOISY)))
    once, again = map(float, re.findall(r"by ([\d.]+)", tied_facts(found)["resolution"]))
    assert (once, again) == (pytest.approx(found.shows, rel=0.05), pytest.approx(found.shows_repeated, rel=0.05))
    assert again < once


def test_unstable_settings_are_named():
    found = tied(study([*runs([*NOISY, (3, 0.01)]), trial(9, 3, None, status=Status.DIVERGED)]))
    assert unstable(found) == ["lr=3: a run diverged, so it is no choice"]


def test_where_nothing_was_run_twice_a_command_finds_out():
    alone = unknown_noise(study(runs([(1, 0.1), (2, 0.2), (3, 0.3)])))
    assert "every setting ran once" in alone and "`hpsearch extend s --trials 4 --repeats auto`" in alone
    assert unknown_noise(study(runs(NOISY))) is None
    assert unknown_noise(study(runs([(1, 0.1)]))) is None


def lines(trials):
    low, high = rungs(study(trials, fidelity={"epochs": [2, 8]}))
    return rung_line(low, high), rung_line(high, None)


def test_a_rung_says_how_many_ran_went_on_and_how_well_it_ranks():
    short = runs([(setting, setting) for setting in range(8)], schedule=2)
    few = [trial(8, 1, 0.5)]
    low, high = lines([*short, trial(20, 9, None, schedule=2, status=Status.DIVERGED), *few])
    assert low == ("8 runs of 8 settings, 1 diverged, best 0, 1 went on; how well they rank is not known before 4 have")
    assert high == "1 run of 1 setting, best 0.5"
    low, _ = lines([*short, *(trial(8 + n, n, float(n)) for n in range(8))])
    assert re.search(r"8 went on; rank correlation with 8 epochs 0.99 \(0.\d+ to 1.00, 8 settings\)$", low)
    low, _ = lines([*short, *(trial(8 + n, n, -float(n)) for n in range(8))])
    assert low.endswith(": it misleads, and new settings begin above it")
