from pathlib import Path

import numpy as np
import pytest
import torch

from hpsearch.errors import FunctionError
from hpsearch.runners.work import Work, prepare
from hpsearch.space.function import Functions, load_function
from hpsearch.space.spec import Objective
from hpsearch.trial import PendingTrial
from tests.runners.scripted import space

TOY = Path(__file__).parent.parent / "functions" / "toy.py"


def functions(prepare):
    return Functions(lambda trial: {}, prepare, None, "mine.py:train")


def test_the_bound_is_on_the_worse_side_and_the_target_on_the_better():
    low = Objective(metric="a", mode="min", bound=5, target=1)
    high = Objective(metric="a", mode="max", bound=0.1, target=0.9)
    assert low.past_bound(5.1) and not low.past_bound(5.0) and not low.past_bound(-9.0)
    assert high.past_bound(0.05) and not high.past_bound(0.1) and not high.past_bound(9.0)
    assert low.reached_by(1.0) and low.reached_by(0.5) and not low.reached_by(1.1)
    assert high.reached_by(0.9) and high.reached_by(1.0) and not high.reached_by(0.8)
    neither = Objective(metric="a", mode="min")
    assert not neither.past_bound(1e30) and not neither.reached_by(-1e30)


def test_prepared_arrays_are_read_only():
    arrays = prepare(load_function(f"{TOY}:train", TOY.parent), {})
    with pytest.raises(ValueError, match="read-only"):
        arrays["numbers"][0] = 1


@pytest.mark.parametrize("error", [ValueError("no such file"), OSError("disk is gone")])
def test_what_prepare_says_of_its_settings_is_shown_without_a_traceback(error):
    def refuses(settings):
        raise error

    with pytest.raises(FunctionError, match=str(error)):
        prepare(functions(refuses), {})


@pytest.mark.parametrize("result", [None, [1], {"a": [1]}])
def test_prepare_must_return_arrays(result):
    with pytest.raises(FunctionError, match="must return a dict of NumPy arrays"):
        prepare(functions(lambda settings: result), {})


def test_a_function_without_prepare_shares_nothing():
    assert prepare(functions(None), {}) == {}


def test_a_trial_gets_its_folder_its_settings_and_the_checkpoint_of_an_earlier_run(tmp_path):
    a_space = space(train={"function": f"{TOY}:train", "epochs": 2})
    work = Work("study", f"{TOY}:train", TOY.parent, a_space, tmp_path / "work")
    seen = []

    def train(trial):
        seen.append(trial)
        return {"val_loss": 1.0}

    for _ in range(2):
        shared = {"numbers": np.ones(1)}
        work.start(Functions(train, None, None, "x"), PendingTrial(3, {"lr": 0.1}, 5), shared, epochs=7).step()
        (tmp_path / "work" / "00003" / "checkpoint.pt").write_text("state")
    first, second = seen
    assert first.workdir == tmp_path / "work" / "00003" and first.workdir.is_dir()
    assert (first.config, first.seed, first.epochs, first.settings) == ({"lr": 0.1}, 5, 7, {"epochs": 2})
    assert first.checkpoint is None
    assert second.checkpoint == first.workdir / "checkpoint.pt"


def test_torch_gets_the_threads_of_a_trial(tmp_path):
    before = torch.get_num_threads()
    try:
        Work("study", f"{TOY}:train", TOY.parent, space(), tmp_path, threads=before + 1).load()
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
