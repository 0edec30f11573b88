"""Running the real command in a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

HPSEARCH = str(Path(sys.executable).with_name("hpsearch"))
ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "functions" / "toy.py"


def hpsearch(*arguments, cwd, **environment):
    """Run ``hpsearch`` to its end; the result has returncode, stdout, stderr."""
    return subprocess.run(
        [HPSEARCH, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def start(*arguments, cwd, stdout=subprocess.PIPE):
    """Start ``hpsearch`` in a process group of its own, as a shell would.

    Tests that run in the background ignore Ctrl-C, and what they start would inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [HPSEARCH, *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        start_new_session=True,
    )


def space_file(folder, name="toy.yaml", **changes):
    """Write a space over the toy function; ``changes`` replace its top-level keys, as YAML text."""
    blocks = {
        "goal": "A parabola",
        "train": f'{{function: "{TOY}:train", epochs: 4, seconds: 0}}',
        "parameters": "{lr: {type: real, low: 0.001, high: 1.0, scale: log}}",
        "objective": "{metric: val_loss, mode: min}",
        "sampler": "{name: random}",
        "budget": "{trials: 5}",
    }
    file = folder / name
    file.write_text("".join(f"{key}: {text}\n" for key, text in {**blocks, **changes}.items()))
    return file
