"""The notebook runs on the reference studies, shows its pictures, and needs nothing of hpsearch."""

import ast
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebooks" / "weight_decay.ipynb"
STUDY = ROOT / "results" / "reference" / "norm_reset"


def read() -> NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    """The notebook as a reader runs it, with two cells more that tell what came out."""
    notebook = read()
    loaded = 'import sys\nprint(sorted({"hpsearch", "torch", "trainer"} & set(sys.modules)))'
    notebook.cells += [nbformat.v4.new_code_cell("print(median_ratio, delta)"), nbformat.v4.new_code_cell(loaded)]
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MPLBACKEND", raising=False)
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    return notebook


def printed(cell: NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def kind(output: NotebookNode) -> str:
    """What an output shows, or the text that it should not have said."""
    shown = [kind for kind in ("image/png", "text/html") if kind in output.get("data", {})]
    return shown[0] if shown else str(output)


def test_it_shows_a_table_and_two_pictures_and_no_warning(executed: NotebookNode) -> None:
    outputs = [output for cell in code_cells(executed)[:-2] for output in cell.outputs]
    assert [kind(output) for output in outputs] == ["text/html", "image/png", "image/png"]


def test_its_figures_are_those_of_the_study(executed: NotebookNode) -> None:
    median_ratio, delta = map(float, printed(code_cells(executed)[-2]).split())
    rows = pd.read_parquet(STUDY / "dynamics").query("scale_invariant")
    late = rows[rows["step"] >= rows["step"].max() * 2 / 3]
    ratios = [
        np.linalg.norm(one["rotation"]) / np.linalg.norm(one["equilibrium_rotation"])
        for _, one in late.groupby(["trial_id", "layer"])
    ]
    assert median_ratio == pytest.approx(np.median(ratios), rel=1e-5)
    assert delta == pytest.approx(0.2 * 5e-3 / (1 - 0.9))


def test_it_needs_pandas_and_matplotlib_only(executed: NotebookNode) -> None:
    trees = [ast.walk(ast.parse(cell.source)) for cell in code_cells(read())]
    imports = [node for tree in trees for node in tree if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports]
    assert {str(name).split(".")[0] for name in names} == {"matplotlib", "pandas", "pathlib"}
    assert printed(code_cells(executed)[-1]).strip() == "[]"


def test_it_is_kept_without_outputs() -> None:
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(read()))
