"""A step without a part: the part is not computed, and all the rest is as it was."""

import copy
from collections import Counter

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.trainer.conftest import weights
from tests.trainer.diagnostics_profile.plain_step import network, plain_step
from trainer.diagnostics.step import Step, seconds
from trainer.diagnostics.step_ablation import REMOVABLE, compared, undone, without
from trainer.diagnostics.step_traffic import count


def calls(step: Step) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in count(step):
        found[one.part] += one.calls
    return found


@pytest.mark.parametrize("part", REMOVABLE)
def test_the_part_alone_is_not_computed(part: str) -> None:
    step = plain_step(network())
    step.take(0)
    whole = calls(step)
    less = without(step, part)
    less.take(0)
    found = calls(less)
    assert whole[part] > 0
    assert found[part] == 0
    others = (set(whole) | set(found)) - {part, "other operators"}
    assert {name: found[name] for name in others} == {name: whole[name] for name in others}


@pytest.mark.parametrize("part", [part for part in REMOVABLE if part not in ("augmentation", "optimiser")])
def test_its_values_and_gradients_are_those_of_the_first_time(part: str) -> None:
    """Without a step of the optimiser the same batch gives the same gradients, whatever is answered from memory."""
    step = without(plain_step(network(), lr=0.0), "augmentation")
    step.take(0)
    expected = [parameter.grad.clone() for parameter in step.network.parameters()]
    less = without(step, part)
    for _ in range(3):
        less.take(0)
        for parameter, gradient in zip(step.network.parameters(), expected, strict=True):
            torch.testing.assert_close(parameter.grad, gradient)


def test_with_another_batch_the_rest_is_computed_anew() -> None:
    step = plain_step(network(), lr=0.0)
    less = without(step, "convolution")
    less.take(0)
    first = [parameter.grad.clone() for parameter in step.network.parameters()]
    less.take(1)  # other labels; the convolutions answer as for batch 0
    last = list(step.network.parameters())
    torch.testing.assert_close(last[0].grad, first[0])
    assert not torch.allclose(last[-1].grad, first[-1])


@pytest.mark.parametrize("part", REMOVABLE)
def test_what_it_is_compared_with_computes_all(part: str) -> None:
    step = plain_step(network())
    other = compared(step, part)
    other.take(0)
    assert calls(other) == calls(step)


def test_products_are_saved() -> None:
    step = plain_step(network())
    totals = {}
    for name, one in {"whole": step, **{part: without(step, part) for part in ("convolution", "linear")}}.items():
        one.take(0)
        with FlopCounterMode(display=False) as counter:
            one.take(1)
        totals[name] = counter.get_total_flops()
    of_linear = 2 * 3 * 6 * 8 * 5  # forward, to weights, to inputs
    assert totals["linear"] == totals["whole"] - of_linear
    assert totals["convolution"] == of_linear


def test_what_such_steps_do_to_the_network_is_undone() -> None:
    of = network()
    before = weights(of)
    with undone(of):
        for number in range(3):
            without(plain_step(of), "norm").take(number)
        assert (weights(of) != before).any()
    assert (weights(of) == before).all()


def test_a_large_part_saves_its_time() -> None:
    """One convolution that is nearly all of the step."""
    torch.manual_seed(0)
    wide = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3), torch.nn.Conv2d(64, 64, 5), *list(network())[-3:-1])
    wide.append(torch.nn.Linear(64, 5))
    step = plain_step(wide)
    whole, less, other = (seconds(one, 5) for one in (step, without(step, "convolution"), without(step, "loss")))
    assert less < 0.5 * whole
    assert other > 0.5 * whole


def test_the_same_network_can_still_be_copied_and_trained() -> None:
    of = network()
    without(plain_step(of), "norm").take(0)
    plain_step(copy.deepcopy(of)).take(0)


def test_other_parts_cannot_be_left_out() -> None:
    with pytest.raises(ValueError, match="cannot do without 'casts', only without one of convolution, linear"):
        without(plain_step(network()), "casts")
