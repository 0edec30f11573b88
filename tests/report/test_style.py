"""Pictures become files of the kind that their name says, the same ones each time, or say why not."""

from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from PIL import Image

from hpsearch.errors import StudyError
from hpsearch.report.style import LOOK, check, look, save


def figure() -> Figure:
    with look():
        made = Figure(figsize=(2, 1))
        made.subplots().plot([0, 1], [0, 1])
    return made


def test_png_and_svg(tmp_path: Path) -> None:
    for name in ("one.png", "ONE.PNG", "one.svg"):
        save(figure(), tmp_path / name)
    with Image.open(tmp_path / "one.png") as image:
        assert image.format == "PNG" and image.size == (300, 150)
    assert "<svg" in (tmp_path / "one.svg").read_text()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_same_picture_is_the_same_file(tmp_path: Path, suffix: str) -> None:
    for name in ("one", "two"):
        save(figure(), tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_the_look_stays_inside() -> None:
    before = mpl.rcParams["axes.grid"]
    with look():
        assert mpl.rcParams["axes.grid"] == LOOK["axes.grid"] != before
    assert mpl.rcParams["axes.grid"] == before


@pytest.mark.parametrize("name", ["picture.pdf", "picture", "png", "picture.png.txt"])
def test_another_kind_is_refused_before_anything_is_drawn(name: str) -> None:
    with pytest.raises(StudyError, match=r"PNG or SVG") as refusal:
        check(Path(name))
    (problem,) = refusal.value.problems
    assert (problem.key, problem.got, problem.allowed) == ("--plot", name, "a name ending in .png, .svg")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken.png").mkdir()
    for file, why in ((tmp_path / "none" / "x.png", "no such folder"), (tmp_path / "taken.png", "this is a folder")):
        for refused in (lambda file=file: check(file), lambda file=file: save(figure(), file)):
            with pytest.raises(StudyError, match=f"cannot write the picture: .*{why}"):
                refused()
    check(tmp_path / "new.png")
    assert not (tmp_path / "new.png").exists()
