import json

import pytest

from tests.trainer import golden_digits


def test_a_change_of_the_code_does_not_change_the_training() -> None:
    expected = json.loads(golden_digits.FILE.read_text())["train_loss"]
    assert golden_digits.losses() == pytest.approx(expected, rel=1e-3)
