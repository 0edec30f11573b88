"""What a search costs beside its trials: ``hpsearch run`` against a plain Ray Tune script, interleaved.

    python benchmarks/overhead.py [--repeats 3] [--long] [--json FILE]

Measured for each: seconds per no-op trial (from the first start to the last end), and seconds from the command to the
start of the first trial. ``--long`` adds one run of 15-second trials, five minutes: the share of its whole time that is
not trials.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

TRIALS = 40
CONCURRENT = 2
NOOP = Path(__file__).with_name("noop.py")


@dataclass(frozen=True)
class Timing:
    """Seconds: from the command to the first trial's start, from there to the last trial's end, in all."""

    first: float
    search: float
    total: float


def measure(command: list[str], log: Path, cwd: Path) -> Timing:
    """Run a command whose trials note their times in ``log``."""
    begun = time.time()
    subprocess.run(command, check=True, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    total = time.time() - begun
    times = [float(line) for line in log.read_text().split()]
    assert len(times) == 2 * TRIALS, f"{len(times)} notes of {TRIALS} trials"
    return Timing(min(times) - begun, max(times) - min(times), total)


def hpsearch(folder: Path, seconds: float) -> Timing:
    """Measure ``hpsearch run``, with its store, its dashboard and its lines."""
    log = folder / "log"
    space = folder / "noop.yaml"
    space.write_text(
        f"train: {{function: '{NOOP.resolve()}:train', log: '{log}', seconds: {seconds}}}\n"
        "parameters: {x: {type: real, low: 0, high: 1}}\n"
        "objective: {metric: val_loss, mode: min}\n"
        "sampler: {name: random}\n"
        f"budget: {{trials: {TRIALS}}}\n"
    )
    command = [sys.executable, "-m", "hpsearch", "run", "--space", str(space), "--max-concurrent", str(CONCURRENT)]
    return measure(command, log, folder)


def plain(folder: Path, seconds: float) -> Timing:
    """Measure the plain script."""
    log = folder / "log"
    arguments = [str(log), str(TRIALS), str(seconds), str(CONCURRENT)]
    return measure([sys.executable, str(NOOP.resolve()), *arguments], log, folder)


def once(function, seconds: float = 0.0) -> Timing:
    """Call a measurement in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return function(Path(folder), seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--long", action="store_true", help="also run 15-second trials (five minutes)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    ours, theirs = [], []
    for _ in range(options.repeats):
        theirs.append(once(plain))
        ours.append(once(hpsearch))
    result = summary(ours, theirs)
    if options.long:
        timing = once(hpsearch, 15.0)
        result["overhead_15_s"] = timing.total / (TRIALS / CONCURRENT * 15.0) - 1
    for key, value in result.items():
        print(f"{key:<28} {value if isinstance(value, str) else format(value, '.3f')}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def summary(ours: list[Timing], theirs: list[Timing]) -> dict[str, float | str]:
    """Return medians, and the ratio and the difference of the pairs that ran one after the other."""
    pairs = list(zip(ours, theirs, strict=True))
    median = statistics.median
    return {
        "versions": f"ray {metadata.version('ray')}, Python {sys.version.split()[0]}, n = {len(pairs)} pairs",
        "plain_s_per_trial": median(timing.search / TRIALS for timing in theirs),
        "hpsearch_s_per_trial": median(timing.search / TRIALS for timing in ours),
        "ratio_per_trial": median(mine.search / plain.search for mine, plain in pairs),
        "plain_first_trial_s": median(timing.first for timing in theirs),
        "hpsearch_first_trial_s": median(timing.first for timing in ours),
        "first_trial_later_s": median(mine.first - plain.first for mine, plain in pairs),
        "ratio_total": median(mine.total / plain.total for mine, plain in pairs),
    }


if __name__ == "__main__":
    main()
