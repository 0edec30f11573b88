"""Trials that only wait: the same one as a training function of hpsearch and as a plain Ray Tune script.

Both append the time at which each trial starts and ends to a file. As a script it is the plain one:
``python benchmarks/noop.py LOG TRIALS SECONDS CONCURRENT``.
"""

import sys
import tempfile
import time
from pathlib import Path


def note(log: str) -> None:
    """Append the present time."""
    with Path(log).open("a") as file:
        file.write(f"{time.time()}\n")


def train(trial):
    """Wait, for hpsearch."""
    note(trial.settings["log"])
    time.sleep(trial.settings["seconds"])
    note(trial.settings["log"])
    return {"val_loss": trial.config["x"]}


def plain(log: str, trials: int, seconds: float, concurrent: int) -> None:
    """Wait, on Ray Tune as its documentation shows it, with workers reused."""
    import ray
    from ray import tune

    def objective(config):
        note(log)
        time.sleep(seconds)
        note(log)
        tune.report({"val_loss": config["x"]})

    ray.init(address="local")
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            objective,
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=concurrent, reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder),
        ).fit()


if __name__ == "__main__":
    plain(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
