import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hpsearch.errors import RecipeError
from tests.trainer.conftest import CPU, weights
from trainer import augment
from trainer.batches import Normalizer, Split, batch_slices
from trainer.evaluate import evaluate
from trainer.loop import Run, fit, start
from trainer.models.norm import BatchNorm
from trainer.overrides import with_overrides
from trainer.recipe import Precision, Recipe

Splits = Mapping[str, Split]


def begin(recipe: Recipe, splits: Splits, seed: int = 0, **changes: Any) -> Run:
    return start(with_overrides(recipe, changes), seed, CPU, splits["train"], 10)


def run_all(run: Run, splits: Splits) -> list[dict[str, Any]]:
    return list(fit(run, splits["train"], splits["val"], splits["test"]))


def without_speed(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    timed = ("images_per_second", "seconds")
    return [{key: value for key, value in report.items() if key not in timed} for report in reports]


def test_reports(tiny: Recipe, splits: Splits) -> None:
    reports = run_all(begin(tiny, splits), splits)
    usual = {
        "epoch",
        "train_loss",
        "train_accuracy",
        "val_loss",
        "val_accuracy",
        "learning_rate",
        "images_per_second",
        "seconds",
        "device",
    }
    assert [report["epoch"] for report in reports] == [1, 2, 3, 4]
    assert all(0 < report["seconds"] < 60 for report in reports)
    assert all(set(report) == usual for report in reports[:-1])
    assert set(reports[-1]) == {*usual, "test_accuracy"}
    assert [report["learning_rate"] for report in reports] == [tiny.schedule.lr.at(epoch) for epoch in (1, 2, 3, 4)]
    assert reports[-1]["train_loss"] < reports[0]["train_loss"]


def test_the_same_seed_gives_the_same_bits(tiny: Recipe, splits: Splits) -> None:
    first, second, other = begin(tiny, splits), begin(tiny, splits), begin(tiny, splits, seed=1)
    reports = without_speed(run_all(first, splits))
    torch.manual_seed(99)  # nobody else's random numbers matter
    np.random.seed(99)
    assert without_speed(run_all(second, splits)) == reports
    assert np.array_equal(weights(first.network), weights(second.network))
    assert without_speed(run_all(other, splits)) != reports


def test_the_seed_chooses_the_initial_weights(tiny: Recipe, splits: Splits) -> None:
    first, again, other = (weights(begin(tiny, splits, seed=seed).network) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_leaves_the_global_random_state_alone(tiny: Recipe, splits: Splits) -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1]
    run_all(begin(tiny, splits, epochs=1), splits)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # type: ignore[arg-type]


def test_an_epoch_is_the_textbook_loop(tiny: Recipe, splits: Splits) -> None:
    """One epoch without augmentation, against torch.optim.SGD on the same batches: every step's loss and weight."""
    off = {"augment.crop_padding": 0, "augment.flip": False, "augment.cutout": 0, "optimizer.velocity": "torch"}
    run, copy = (begin(tiny, splits, epochs=1, **off) for _ in range(2))
    (report,) = fit(run, splits["train"])

    from hpsearch.seeds import stream

    order = torch.from_numpy(stream(0, "order", 0).permutation(200))
    inputs = Normalizer(tiny.data.mean, tiny.data.std, CPU)(splits["train"].pixels)[order]
    labels = splits["train"].labels[order]
    network, losses = copy.network, []
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for step, batch in enumerate(batch_slices(200, 50, drop_last=False), start=1):
        optimizer.param_groups[0]["lr"] = run.recipe.schedule.lr.at(step / 4)
        loss = F.cross_entropy(network(inputs[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert report["train_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    np.testing.assert_allclose(weights(run.network), weights(network), rtol=1e-4, atol=1e-5)


def test_the_score_is_plain_cross_entropy_in_evaluation_mode(tiny: Recipe, splits: Splits) -> None:
    run = begin(tiny, splits, epochs=2)
    run_all(run, splits)
    normalize, val = Normalizer(tiny.data.mean, tiny.data.std, CPU), splits["val"]
    score = evaluate(run.network, val, normalize, "fp32", "none")
    assert run.network.training
    logits = run.network.eval()(normalize(val.pixels)).detach().double().numpy()
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert score.loss == pytest.approx(-log_p[np.arange(100), val.labels].mean(), rel=1e-5)
    assert score.accuracy == np.mean(logits.argmax(1) == val.labels.numpy())


def test_an_exploding_loss_has_diverged_and_is_not_evaluated(
    tiny: Recipe, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.loop.evaluate", lambda *_: pytest.fail("evaluated a network that is lost"))
    (report,) = run_all(begin(tiny, splits, lr=1e20, momentum=0.0), splits)
    assert report["diverged"] is True
    assert report["stop_reason"].startswith("diverged")
    assert math.isnan(report["val_loss"])
    assert "test_accuracy" not in report


def test_an_explosion_ends_the_epoch_it_happens_in(
    tiny: Recipe, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.loop.CHECK_EVERY", 2)
    steps = []
    monkeypatch.setattr("trainer.loop.train_step", lambda *_: steps.append(1) or torch.tensor([math.nan, 0]))
    (report,) = run_all(begin(tiny, splits), splits)
    assert (len(steps), report["diverged"]) == (2, True)


def test_a_network_that_is_lost_only_in_evaluation_has_diverged(tiny: Recipe, splits: Splits) -> None:
    run = begin(tiny, splits)
    next(module for module in run.network.modules() if isinstance(module, BatchNorm)).running_mean[0] = math.nan
    (report,) = run_all(run, splits)
    assert report["diverged"] is True


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"stop.target_accuracy": 0.01}, "target reached: accuracy 0.01"),
        ({"stop.max_seconds": 1e-9}, "out of time: 1e-09 s"),
    ],
)
def test_a_run_that_stops_itself_is_tested(tiny: Recipe, splits: Splits, rule: dict[str, float], reason: str) -> None:
    (report,) = run_all(begin(tiny, splits, **rule), splits)
    assert (report["stop_reason"], report["diverged"]) == (reason, False)
    assert 0 <= report["test_accuracy"] <= 1


def test_no_progress(tiny: Recipe, splits: Splits) -> None:
    run = begin(tiny, splits, **{"stop.patience": 2})
    run.progress.best_loss = 0.0
    assert [report.get("stop_reason") for report in run_all(run, splits)] == [
        None,
        "no progress: lowest loss 2 epochs ago",
    ]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_16_bit_formats_learn_as_fp32_does(tiny: Recipe, splits: Splits, precision: Precision) -> None:
    plain, run = begin(tiny, splits), begin(tiny, splits)
    run.precision = precision
    expected, got = run_all(plain, splits), run_all(run, splits)
    assert got[0]["train_loss"] == pytest.approx(expected[0]["train_loss"], rel=0.02)
    assert got[-1]["train_loss"] == pytest.approx(expected[-1]["train_loss"], rel=0.2)
    assert all(tensor.dtype == torch.float32 for tensor in run.network.parameters())
    assert not np.array_equal(weights(run.network), weights(plain.network))


def test_a_fallback_is_said_in_every_report(tiny: Recipe, splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.loop.supported", lambda _: frozenset({"fp32"}))
    run = begin(tiny, splits, precision="fp16", epochs=2)
    assert run.precision == "fp32"
    assert ["fp32 instead of fp16" in report["note"] for report in run_all(run, splits)] == [True, True]


@pytest.mark.parametrize(("drop_last", "steps"), [(True, 1), (False, 2)])
def test_drops_the_last_batch_only_where_the_recipe_says_so(
    tiny: Recipe, splits: Splits, drop_last: bool, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    monkeypatch.setattr("trainer.loop.train_step", lambda *_: taken.append(1) or torch.zeros(2))
    run_all(begin(tiny, splits, batch_size=150, drop_last=drop_last, epochs=1), splits)
    assert len(taken) == steps


def test_a_batch_is_no_larger_than_the_training_set(tiny: Recipe, splits: Splits) -> None:
    assert len(run_all(begin(tiny, splits, batch_size=200, epochs=1), splits)) == 1
    with pytest.raises(RecipeError, match="larger than the training set") as refusal:
        run_all(begin(tiny, splits, batch_size=201), splits)
    assert refusal.value.problems[0].allowed == "2 to 200"


def test_a_recipe_for_other_images_is_refused(tiny: Recipe, splits: Splits) -> None:
    three = tiny.data.model_copy(update={"mean": (1.0, 2.0, 3.0), "std": (1.0, 2.0, 3.0)})
    with pytest.raises(RecipeError, match="number of channels"):
        begin(tiny.model_copy(update={"data": three}), splits)
    with pytest.raises(RecipeError, match="too small"):
        begin(tiny, splits, **{"augment.cutout": 9})


def test_augmentation_is_drawn_anew_in_every_epoch(
    tiny: Recipe, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    original = augment.draw

    def spy(*arguments: Any) -> augment.Choices:
        drawn.append(original(*arguments))
        return drawn[-1]

    monkeypatch.setattr("trainer.augment.draw", spy)
    run_all(begin(tiny, splits, epochs=2), splits)
    assert len(drawn) == 2
    assert not torch.equal(drawn[0].top, drawn[1].top)
