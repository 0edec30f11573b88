"""What stored runs say is what the recipe files and their page say."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import evidence
from benchmarks.evidence import BEGIN, END, PAGE, changes, with_evidence, with_tables
from hpsearch.store.recipe_runs import append
from tests.store.recipe_run import make_run
from trainer import recipe
from trainer.reproduce import scaled, training_values

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "results" / "reference" / "reproduce"
NAMES = ("post4_resnet9", "post8_09_flip_test", "digits_quickstart")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Recipes without evidence, a page without tables, no runs."""
    (tmp_path / "recipes").mkdir()
    for name in NAMES:
        text = (recipe.FOLDER / f"{name}.yaml").read_text()
        (tmp_path / "recipes" / f"{name}.yaml").write_text(with_evidence(text, []))
    (tmp_path / "page.md").write_text(f"# Recipes\n\n{BEGIN}\n{END}\n\nThe end.\n")
    return tmp_path


def store(place: Path, name: str, seed: int, accuracy: float | None, epochs: int | None = None, **more: Any) -> None:
    """Keep a run of a recipe, at an eighth of its width where its epochs are given."""
    full = recipe.load(name)
    here = scaled(full, None if epochs is None else 8, epochs)
    sizes = {"width": here.model.width, "full_width": full.model.width}
    lengths = {"epochs": here.epochs, "full_epochs": full.epochs}
    run = make_run(seed, accuracy, name=name, recipe=training_values(here), **sizes, **lengths, **more)
    append(place / "runs" / f"{name}-{epochs}", run)


def write(place: Path) -> dict[Path, str]:
    found = changes(place / "runs", place / "recipes", place / "page.md")
    for file, text in found.items():
        file.write_text(text)
    return found


def test_entries_are_valid_and_full_scale_comes_first(place: Path) -> None:
    for seed, accuracy in enumerate([0.61, 0.63]):
        store(place, "post4_resnet9", seed, accuracy, epochs=2)
    store(place, "post4_resnet9", 0, 0.94123456, threads=1)
    write(place)
    full, small = recipe.load(place / "recipes" / "post4_resnet9.yaml").evidence
    assert (full.scale, full.runs, full.accuracy, full.std) == ("full", 1, 0.94123, None)
    assert (full.device, full.versions) == ("a processor, 1 thread, bf16", "torch 2.13.0, Python 3.11.7")
    assert (small.scale, small.runs, small.accuracy) == ("width 8 of 64, 2 of 24 epochs", 2, 0.62)
    assert small.std == pytest.approx(0.01414)
    assert (full.seconds, small.seconds) == (190.0, 95.0)  # of the processor, per thread
    assert (small.petaflop, small.data) == (2.7, "cifar10, images")


def test_everything_else_stays_byte_by_byte(place: Path) -> None:
    file = place / "recipes" / "digits_quickstart.yaml"
    before = file.read_text()
    store(place, "digits_quickstart", 0, 0.98)
    assert {changed.name for changed in write(place)} == {file.name, "page.md"}
    head, entry = file.read_text().split("evidence:\n")
    assert before == f"{head}evidence: []\n"
    assert entry.count("\n") == 1
    page = (place / "page.md").read_text()
    assert page.startswith(f"# Recipes\n\n{BEGIN}\n")
    assert page.endswith(f"{END}\n\nThe end.\n")


def test_writing_twice_changes_nothing(place: Path) -> None:
    store(place, "post4_resnet9", 0, 0.941)
    assert write(place)
    assert not write(place)


def test_runs_of_a_recipe_that_was_changed_do_not_count(place: Path) -> None:
    store(place, "digits_quickstart", 0, 0.98)
    store(place, "digits_quickstart", 0, 0.95, epochs=2)
    file = place / "recipes" / "digits_quickstart.yaml"
    file.write_text(file.read_text().replace("cutout: 0", "cutout: 2"))
    write(place)
    assert recipe.load(file).evidence == ()
    assert "Nothing is measured yet." in (place / "page.md").read_text()


def test_what_is_said_of_a_recipe_may_change(place: Path) -> None:
    store(place, "digits_quickstart", 0, 0.98)
    file = place / "recipes" / "digits_quickstart.yaml"
    file.write_text(file.read_text().replace("about: ResNet-9", "about: A ResNet-9"))
    write(place)
    assert len(recipe.load(file).evidence) == 1


def test_tables_follow_the_series_and_say_where_they_come_from(place: Path) -> None:
    store(place, "post8_09_flip_test", 0, 0.945)
    for name, accuracy in (("post8_09_flip_test", 0.72), ("post4_resnet9", 0.66)):
        for seed in range(3):
            store(place, name, seed, accuracy + seed / 100, epochs=2)
    store(place, "post4_resnet9", 9, None, epochs=2)
    write(place)
    lines = (place / "page.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    assert "Full runs; cifar10, images; a processor, 2 threads, bf16:" in lines
    assert "Ladder at width 8 of 64, 2 epochs; cifar10, images; a processor, 2 threads, bf16:" in lines
    assert "| CPU seconds per thread | PFLOP |" in rows[0]
    # 24 epochs of 97 batches of 512 images, whatever the clock on the wall said
    assert rows[1] == "| 8.9 | `post8_09_flip_test` | 1 | 0.9450 | 0.941 | 95 | 2.7 | 12,547 | 28% |"
    scale = "width 8 of 64, 2 of 24 epochs"
    assert rows[3] == f"| 4 final | `post4_resnet9` | {scale} | 4 (1 diverged) | 0.6700 +- 0.0100 |  | 0.9408 |"
    # t of 4 degrees of freedom, 2.776, times 0.01 sqrt(2/3)
    assert rows[4] == (
        "| 8.9 | `post8_09_flip_test` | width 8 of 64, 2 of 10 epochs | 3 | 0.7300 +- 0.0100 "
        "| +0.0600 (+0.0373 to +0.0827), higher | 0.941 |"
    )


def test_a_gpu_has_its_wall_time(place: Path) -> None:
    store(place, "post4_resnet9", 0, 0.94, device="a GPU")
    write(place)
    header, row = (line for line in (place / "page.md").read_text().splitlines() if line.startswith("| "))
    assert "| seconds |" in header
    assert "| 100 |" in row


@pytest.mark.parametrize(
    ("accuracies", "says"),
    [
        ([0.72, 0.72, 0.72], "| +0.0000 (+0.0000 to +0.0000), within noise |"),
        ([0.70, 0.70, 0.70], "| -0.0200 (-0.0200 to -0.0200), lower |"),
        ([0.70, 0.75, 0.72], "within noise |"),
        ([0.75], "| 1 | 0.7500 |  |"),
    ],
)
def test_a_row_of_the_ladder_is_compared_with_the_one_above(place: Path, accuracies: list[float], says: str) -> None:
    for seed in range(3):
        store(place, "post4_resnet9", seed, 0.72, epochs=2)
    for seed, accuracy in enumerate(accuracies):
        store(place, "post8_09_flip_test", seed, accuracy, epochs=2)
    write(place)
    assert says in (place / "page.md").read_text()


def test_another_length_or_machine_is_another_table(place: Path) -> None:
    for seed in range(3):
        store(place, "post4_resnet9", seed, 0.6, epochs=1)
        store(place, "post4_resnet9", seed, 0.7, epochs=2)
        store(place, "post4_resnet9", seed, 0.7, epochs=2, cpu="another")
    write(place)
    page = (place / "page.md").read_text()
    assert page.count("Ladder at width 8 of 64, ") == page.count("|  | 0.9408 |") == 3


def test_only_diverged_runs_are_no_evidence(place: Path) -> None:
    store(place, "digits_quickstart", 0, None)
    write(place)
    assert recipe.load(place / "recipes" / "digits_quickstart.yaml").evidence == ()


def test_places_that_are_not_there_are_no_place_to_write() -> None:
    with pytest.raises(ValueError, match="evidence"):
        with_evidence("about: nothing\n", [])
    with pytest.raises(ValueError, match="measured: begin"):
        with_tables("# A page\n", "")


def test_check_writes_nothing(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    store(place, "digits_quickstart", 0, 0.98)
    monkeypatch.setattr(evidence, "changes", lambda runs: changes(runs, place / "recipes", place / "page.md"))
    runs, before = str(place / "runs"), (place / "page.md").read_text()
    assert evidence.main([runs, "--check"]) == 1
    assert (place / "page.md").read_text() == before
    assert "digits_quickstart.yaml" in capsys.readouterr().out
    assert evidence.main([runs]) == 0
    assert evidence.main([runs, "--check"]) == 0


@pytest.mark.skipif(not REFERENCE.is_dir() or not PAGE.exists(), reason="no reference runs of recipes yet")
def test_the_repository_says_what_was_measured() -> None:
    assert not changes(REFERENCE), "run: python -m benchmarks.evidence results/reference/reproduce"
