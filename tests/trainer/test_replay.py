"""Past batches made again, and a frozen network's loss on them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.trainer.conftest import CPU, weights
from trainer import loop
from trainer.batches import Split
from trainer.diagnostics.replay import freeze, halved, held, past_batches, replay
from trainer.overrides import with_overrides
from trainer.recipe import Recipe

LAST = 2


@pytest.mark.parametrize("changes", [{}, {"augment.alternate": True, "augment.groups": 7}, {"drop_last": True}])
def test_the_batches_of_a_past_epoch_are_those_that_were_trained_on(
    tiny: Recipe, splits: dict[str, Split], monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    recipe = held(with_overrides(tiny, {"batch_size": 64, **changes}), 2.0, LAST + 1)
    run = loop.start(recipe, 3, CPU, splits["train"], 10)
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    step = loop.train_step

    def watched(run: loop.Run, inputs: torch.Tensor, labels: torch.Tensor, position: float) -> torch.Tensor:
        if position > LAST:
            seen.append((inputs.clone(), labels.clone()))
        return step(run, inputs, labels, position)

    monkeypatch.setattr(loop, "train_step", watched)
    assert len(list(loop.fit(run, splits["train"]))) == LAST + 1
    again = list(past_batches(recipe, 3, LAST, splits["train"], run.precision))
    assert len(again) == len(seen) == (3 if recipe.drop_last else 4)
    for mine, theirs in zip(again, seen, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    other = next(past_batches(recipe, 3, LAST - 1, splits["train"], run.precision))
    assert not torch.equal(other[0], seen[0][0])


def test_a_replay_is_the_loss_in_evaluation_mode_and_changes_nothing() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3)).train()
    batches = [(torch.randn(n, 5), torch.randint(3, (n,))) for n in (8, 8, 3)]
    with torch.no_grad():
        network(batches[0][0])
    before = weights(network)
    found = replay(network, F.cross_entropy, batches)
    assert network.training and network[1].training
    np.testing.assert_array_equal(weights(network), before)
    parts = {name: tensor.double().numpy() for name, tensor in network.state_dict().items()}
    for (inputs, labels), loss in zip(batches, found, strict=True):
        hidden = inputs.double().numpy() @ parts["0.weight"].T + parts["0.bias"]
        hidden = (hidden - parts["1.running_mean"]) / np.sqrt(parts["1.running_var"] + 1e-5)
        logits = hidden @ parts["3.weight"].T + parts["3.bias"]
        own = logits[np.arange(len(labels)), labels.numpy()]
        assert loss == pytest.approx((np.log(np.exp(logits).sum(1)) - own).mean(), rel=1e-5)


def test_freezing_takes_the_statistics_of_all_batches_alike() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    batches = [(torch.randn(6, 3) + shift, torch.zeros(6, dtype=torch.int64)) for shift in (0.0, 5.0)]
    freeze(network, batches)
    means = np.mean([inputs.numpy().mean(0) for inputs, _ in batches], axis=0)
    np.testing.assert_allclose(network[0].running_mean.numpy(), means, rtol=1e-5)
    plain = nn.Linear(3, 2)
    freeze(plain, batches)
    assert plain.training


def test_the_learning_rate_is_held_at_its_peak_and_the_rest_stays(tiny: Recipe) -> None:
    recipe = with_overrides(tiny, {"stop.patience": 1})  # its peak is at 1 of 4 epochs
    found = held(recipe, 0.5, 7)
    rise = recipe.schedule.lr
    for epoch in (0.0, 0.3, 1.0):
        assert found.schedule.lr.at(epoch) == pytest.approx(0.5 * rise.at(epoch))
    assert found.schedule.lr.at(7) == pytest.approx(0.5 * rise.peak)
    assert (found.epochs, found.stop.patience, found.average) == (7, None, None)
    same = {"batch_size", "model", "optimizer", "augment", "data"}
    assert found.model_dump(include=same) == recipe.model_dump(include=same)
    assert found.schedule.weight_decay == recipe.schedule.weight_decay
    with pytest.raises(ValueError, match="still rises in epoch 1: it peaks at 1 epochs"):
        held(recipe, 0.5, 1)


def test_half_of_sorted_images_has_half_of_each_class(splits: dict[str, Split]) -> None:
    train = splits["train"]
    order = train.labels.argsort()
    half = halved(Split(train.pixels[order], train.labels[order], train.shape))
    assert len(half) == len(train) // 2
    difference = 2 * half.labels.bincount(minlength=10) - train.labels.bincount(minlength=10)
    assert difference.abs().max() <= 1
