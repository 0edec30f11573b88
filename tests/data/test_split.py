import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.errors import DataError
from trainer.data import Dataset, held_out_split

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=150).map(lambda labels: np.array(labels, np.int64))


def dealt_one_by_one(total: int, available: dict[int, int]) -> dict[int, int]:
    """The shares by dealing images in rounds, one to each class that has some left."""
    shares = dict.fromkeys(available, 0)
    while total:
        for label in sorted(available):
            if total and shares[label] < available[label]:
                shares[label] += 1
                total -= 1
    return shares


def counts(labels: np.ndarray) -> dict[int, int]:
    return {int(label): int(count) for label, count in zip(*np.unique(labels, return_counts=True), strict=True)}


@given(LABELS, st.data())
def test_split_is_disjoint_balanced_and_nested(labels: np.ndarray, data: st.DataObject) -> None:
    held_out = data.draw(st.integers(0, len(labels) - 1))
    train = data.draw(st.integers(1, len(labels) - held_out))
    kept, held = held_out_split(labels, held_out, train)

    assert len(kept) == train and len(held) == held_out
    assert len(np.union1d(kept, held)) == train + held_out
    assert (np.diff(kept) > 0).all() and (np.diff(held) > 0).all()

    available = counts(labels)
    first = dealt_one_by_one(held_out, available)
    second = dealt_one_by_one(train, {label: available[label] - first[label] for label in available})
    assert counts(labels[held]) == {label: share for label, share in first.items() if share}
    assert counts(labels[kept]) == {label: share for label, share in second.items() if share}

    everything, same_held = held_out_split(labels, held_out)
    np.testing.assert_array_equal(held, same_held)
    assert set(kept) <= set(everything) and len(everything) == len(labels) - held_out


def test_split_is_the_same_on_every_machine() -> None:
    """A change of this digest changes the held-out images of every study: results no longer compare."""
    labels = np.arange(50_000) % 10
    kept, held = held_out_split(labels, 5_000, 10_000)
    assert (np.bincount(labels[held]) == 500).all() and (np.bincount(labels[kept]) == 1_000).all()
    digest = hashlib.sha256(np.concatenate([kept, held]).astype("<i8").tobytes()).hexdigest()
    assert digest == "aa7ee52eb98f2d04870d4cdd5b65e3bff4c5880b5a0f6cda22bc00755c35f2bb"


def test_split_is_shuffled() -> None:
    _, held = held_out_split(np.zeros(1_000, np.int64), 500)
    assert 450 < held.mean() < 550  # the standard error of the mean is 9


@pytest.mark.parametrize(("held_out", "train"), [(10, None), (11, None), (5, 6), (-1, None), (0, 0), (0, -3)])
def test_impossible_splits_are_refused(held_out: int, train: int | None) -> None:
    with pytest.raises(DataError, match="10 in all"):
        held_out_split(np.arange(10) % 2, held_out, train)


def test_cifar_is_split_evenly(cifar: Dataset) -> None:
    kept, held = held_out_split(cifar.train_labels, 5_000)
    assert (np.bincount(cifar.train_labels[held]) == 500).all()
    assert (np.bincount(cifar.train_labels[kept]) == 4_500).all()
