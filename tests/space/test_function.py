"""Training functions by name, loaded from real files, here and in a process somewhere else."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpsearch.contract import Trial
from hpsearch.errors import FunctionError, Problem
from hpsearch.space.function import load_function

CODE = """\
from dataclasses import dataclass
import sibling_of_train

@dataclass
class Result:
    x: float

VALUE = 3

def train(trial):
    return {"val_loss": Result(trial.config["x"]).x + sibling_of_train.OFFSET}

def prepare(settings):
    return {}

def describe(settings):
    return {"metrics": ["val_loss"]}
"""


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    """What a test imports is forgotten, as in a new process."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a space's training code, which is not the working directory."""
    folder = tmp_path / "space"
    (folder / "nested" / "pack").mkdir(parents=True)
    (folder / "my_train.py").write_text(CODE)
    (folder / "sibling_of_train.py").write_text("OFFSET = 10\n")
    (folder / "nested" / "pack" / "deep.py").write_text("from pack.other import train\n")
    (folder / "nested" / "pack" / "other.py").write_text("def train(trial):\n    return {'val_loss': 5.0}\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


def loss(reference: str, base: Path) -> float:
    result = load_function(reference, base).train(Trial({"x": 1.0}))
    assert isinstance(result, dict)
    return float(result["val_loss"])


@pytest.mark.parametrize("reference", ["my_train.py:train", "my_train:train", "./my_train.py:train"])
def test_a_function_is_found_beside_its_space(base: Path, reference: str) -> None:
    found = load_function(reference, base)
    assert found.train(Trial({"x": 1.0})) == {"val_loss": 11.0}
    assert found.prepare is not None
    assert found.describe is not None
    assert found.describe({}) == {"metrics": ["val_loss"]}


def test_a_function_is_found_in_the_working_directory(base: Path) -> None:
    Path("here.py").write_text("train = lambda trial: {'val_loss': 7.0}\n")
    assert loss("here.py:train", base) == 7.0
    assert loss("here:train", base) == 7.0


def test_what_the_module_does_not_offer_is_none(base: Path) -> None:
    found = load_function("nested/pack.other:train", base)
    assert (found.prepare, found.describe) == (None, None)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [("my_train.py:train", 11.0), ("my_train:train", 11.0), ("nested/pack.deep:train", 5.0)],
)
def test_the_reference_finds_the_same_function_in_another_process(
    base: Path, tmp_path: Path, reference: str, expected: float
) -> None:
    found = load_function(reference, base).reference
    code = (
        "import sys; from pathlib import Path; from hpsearch.contract import Trial\n"
        "from hpsearch.space.function import load_function\n"
        "print(load_function(sys.argv[1], Path('/')).train(Trial({'x': 1.0}))['val_loss'])\n"
    )
    root = Path(__file__).resolve().parents[2]
    command, environment = [sys.executable, "-c", code, found], {"PYTHONPATH": str(root)}
    result = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == (f"{expected}\n", "")


def test_the_reference_of_an_installed_module_stays_as_it_is(base: Path) -> None:
    assert load_function("json:loads", base).reference == "json:loads"
    repository = Path(__file__).resolve().parents[2]
    assert load_function("hpsearch.seeds:stream", repository).reference == "hpsearch.seeds:stream"


def test_a_file_is_run_once(base: Path) -> None:
    (base / "counts.py").write_text("import os\nos.mkdir('ran')\ndef f(trial): ...\n")
    for _ in range(2):
        load_function("counts.py:f", base)
    assert Path("ran").is_dir()


def problem(reference: str, base: Path) -> Problem:
    with pytest.raises(FunctionError) as caught:
        load_function(reference, base)
    (only,) = caught.value.problems
    assert only.key == "train.function"
    return only


@pytest.mark.parametrize("reference", ["", "train", "my_train.py", ":train", "my_train:", "my_train:a b", "a:b:1"])
def test_a_bad_form_is_refused(base: Path, reference: str) -> None:
    found = problem(reference, base)
    assert (found.got, found.allowed) == (reference, "module:name or path/file.py:name")


@pytest.mark.parametrize("reference", ["nowhere.py:train", "nowhere:train", "nested/pack.none:train", "none.pack:f"])
def test_a_module_that_is_not_there(base: Path, reference: str) -> None:
    found = problem(reference, base)
    assert "not there" in found.what
    assert str(base) in (found.hint or "")


def test_a_name_that_is_not_in_the_module(base: Path) -> None:
    found = problem("my_train.py:trian", base)
    assert found.what == "'trian' is not in the module"
    assert (found.file, found.hint) == (base / "my_train.py", "did you mean 'train'?")
    assert "prepare" in (found.allowed or "")


def test_a_name_that_cannot_be_called(base: Path) -> None:
    assert problem("my_train.py:VALUE", base).what == "'VALUE' cannot be called"


@pytest.mark.parametrize(
    ("code", "line", "words"),
    [
        ("x = 1\nx / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("def f():\n    return undefined\n\nf()\n", 2, "NameError: name 'undefined' is not defined"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),
        ("x = 1\ndef f(:\n", 2, "SyntaxError"),
        ("import a_package_nobody_has\n", 1, "ModuleNotFoundError: No module named 'a_package_nobody_has'"),
        ("import broken\n", 1, "AttributeError"),
        ("raise SystemExit('usage: ...')\n", 1, "SystemExit: usage"),
    ],
)
@pytest.mark.parametrize("form", ["broken.py:f", "broken:f"])
def test_a_module_that_raises_shows_the_place(base: Path, form: str, code: str, line: int, words: str) -> None:
    (base / "broken.py").write_text(code if "import broken" not in code else "import json\njson.nothing\n")
    line = 2 if "import broken" in code else line
    found = problem(form, base)
    assert (found.file, found.line) == (base / "broken.py", line)
    assert words in found.what


def test_a_file_that_cannot_be_imported_is_read_again_when_it_is_mended(base: Path) -> None:
    (base / "mended.py").write_text("1 / 0\n")
    problem("mended.py:f", base)
    (base / "mended.py").write_text("def f(trial):\n    return {'val_loss': 1.0}\n")
    assert loss("mended.py:f", base) == 1.0
