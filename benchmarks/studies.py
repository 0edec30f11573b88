"""The findings of the stored studies of posts 2, 3 and 7, written into the pages about them.

    python -m benchmarks.studies [--check]

They are made anew from the tables in results/reference/studies. ``--check`` changes nothing and exits with 1 where
something would change.
"""

import re
import sys
from pathlib import Path

from hpsearch.analysis.batch_norm_study import batch_norm_study
from hpsearch.analysis.curvature_limit import curvature_limit
from hpsearch.analysis.forgetting_curve import forgetting
from hpsearch.analysis.step_profile import step_profile
from hpsearch.report import batch_norm_text, forgetting_text, profile_text
from hpsearch.store import batch_norm_tables, forgetting_tables, profile_tables
from hpsearch.store.diagnostics import Diagnostics, read
from hpsearch.store.reader import open_study

ROOT = Path(__file__).parents[1]
STUDIES = ROOT / "results" / "reference" / "studies"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SCAN = "lr_scan"


def _of_batch_norm(study: Diagnostics) -> str:
    return batch_norm_text.finding(batch_norm_study(study))


def _of_forgetting(study: Diagnostics) -> str:
    return forgetting_text.finding(study, curvature_limit(open_study(study.folder, SCAN)), forgetting(study))


def _of_profile(study: Diagnostics) -> str:
    return profile_text.finding(study, step_profile(study))


KINDS = {
    "batch_norm": (batch_norm_tables, _of_batch_norm),
    "forgetting": (forgetting_tables, _of_forgetting),
    "profile": (profile_tables, _of_profile),
}
"""Page -> the tables of its kind of study, and how its finding is made."""


def measured(page: str) -> str:
    """Return what stands between the marks of a page: the findings of its studies with their pictures."""
    tables, finding = KINDS[page]
    return "\n\n".join(_section(folder, finding(read(folder, tables.KIND, tables.TABLES))) for folder in folders(page))


def folders(page: str) -> list[Path]:
    """Return the stored studies that a page is about."""
    return sorted(STUDIES.glob(f"{KINDS[page][0].KIND}-*"))


def _section(folder: Path, finding: str) -> str:
    """Return a finding as a part of a page: without its title, its headings lower by one, its pictures at the end."""
    text = re.sub("^## ", "### ", finding.partition("\n")[2].strip(), flags=re.MULTILINE)
    shown = [f"![{file.stem.replace('_', ' ')}](../{file.relative_to(ROOT)})" for file in sorted(folder.glob("*.png"))]
    return "\n\n".join([text, *shown])


def with_measured(text: str, page: str) -> str:
    """Return the text of a page with what was measured between its marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{measured(page)}\n\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Write the pages, or only look with ``--check``; return the exit code."""
    changed = False
    for page in KINDS:
        file = ROOT / "docs" / f"{page}.md"
        old = file.read_text()
        new = with_measured(old, page)
        if new != old:
            changed = True
            print(f"{file.name} {'is not up to date' if '--check' in sys.argv else 'written'}")
            if "--check" not in sys.argv:
                file.write_text(new)
    return int(changed and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
