"""The spaces of the experiments with weight decay hold at both sizes: the proxy's, and the one that a comment names."""

import re
from pathlib import Path

import pytest

from hpsearch.cli.plan import overrides, plan_file

SPACES = Path(__file__).parents[2] / "search_spaces"


@pytest.mark.parametrize("name", ["norm_reset", "wd_flat", "lars_equivalent"])
def test_a_space_holds_at_both_sizes(name: str) -> None:
    file = SPACES / f"{name}.yaml"
    found = re.findall(r"--(recipe|set) (\S+)", file.read_text(encoding="utf-8"))
    assert found
    recipe = dict(found).get("recipe")
    full = overrides(recipe=recipe, set_=[value for option, value in found if option == "set"])
    for changes in (overrides(), full):
        plan, _ = plan_file(str(file), changes)
        assert plan.space.train.settings["trace"]["layers"] == "all"
