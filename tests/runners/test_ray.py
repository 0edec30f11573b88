"""Trials on a real Ray: the same as in one process, watched from outside, and with what goes wrong there."""

import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
import ray

from hpsearch.errors import StudyError
from hpsearch.runners.budget import Budget
from hpsearch.runners.engine import Inline, inline
from hpsearch.runners.ray_cluster import Cluster as RayCluster
from hpsearch.runners.ray_cluster import cluster, temporary_folder
from hpsearch.runners.ray_engine import OnRay
from hpsearch.runners.search import Search
from hpsearch.runners.work import Work, prepare
from hpsearch.samplers.by_name import make_sampler
from hpsearch.space.spec import Resources
from hpsearch.trial import Status
from tests.runners.scripted import Record, space

TOY = Path(__file__).parent.parent / "functions" / "toy.py"


@pytest.fixture(scope="module")
def joined():
    with cluster(None) as made:
        yield made


@pytest.fixture
def on_ray(joined):
    return OnRay(joined, Resources(), 2)


@pytest.fixture
def here():
    with inline(Resources(gpus=0)) as engine:
        yield engine


def toy(trials=6, rule="none", **settings):
    train = {"function": f"{TOY}:train", **settings}
    return space(trials=trials, rule=rule, train=train, sampler={"name": "random"}, prior="uniform")


def execute(engine, a_space, tmp_path, *sinks, study="toy"):
    """Run a space on an engine; return its trials."""
    record = Record()
    work = Work(study, a_space.train.function, TOY.parent, a_space, tmp_path / "work", engine.device)
    shared = prepare(work.load(), a_space.train.settings)
    told = [record, *engine.sinks(work, []), *sinks]
    search = Search(a_space, make_sampler(a_space), Budget(a_space.budget.trials), told, epochs=4)
    engine.run(search, work, shared)
    assert search.error is not None or not search.running
    return record.trials, search


def comparable(trials):
    return {n: (t.config, t.seed, t.status, t.objective, t.curve, t.epochs) for n, t in trials.items()}


def test_a_sampler_that_does_not_learn_gives_the_same_trials_on_ray_and_inline(on_ray, here, tmp_path):
    on, _ = execute(on_ray, toy(), tmp_path)
    off, _ = execute(here, toy(), tmp_path)
    assert comparable(on) == comparable(off)
    assert len(on) == 6 and {trial.status for trial in on.values()} == {Status.COMPLETED}


def test_every_way_to_end_has_its_status_and_the_search_goes_on(on_ray, here, tmp_path):
    a_space = toy(trials=12, rule="halving", fail_above=0.5, diverge_above=0.1)
    on, _ = execute(on_ray, a_space, tmp_path)
    for number, trial in on.items():
        lr = trial.config["lr"]
        if lr > 0.5:
            assert trial.status is Status.FAILED and trial.error.endswith(f"ValueError: lr {lr} is too large"), number
        elif lr > 0.1:
            assert trial.status is Status.DIVERGED and trial.epochs == 2, number
    statuses = Counter(trial.status for trial in on.values())
    assert set(statuses) == set(Status), "the space was chosen so that each occurs"
    assert all(trial.epochs == 2 for trial in on.values() if trial.status is Status.STOPPED)


def test_workers_live_long_the_data_are_prepared_once_and_stopped_functions_are_closed(on_ray, tmp_path):
    log = tmp_path / "log"
    trials, _ = execute(on_ray, toy(trials=12, rule="median", log=str(log)), tmp_path)
    lines = [line.split() for line in log.read_text().splitlines()]
    assert [event for event, _, _ in lines].count("prepare") == 1
    assert len({pid for event, _, pid in lines if event == "start"}) <= on_ray.concurrent
    stopped = {trial.trial_id for trial in trials.values() if trial.status is Status.STOPPED}
    assert stopped
    over = {name for event, name, _ in lines if event in ("closed", "end")}
    still_open = {trial.trial_id for trial in trials.values()} - over
    assert len(still_open) <= on_ray.concurrent, "a worker closes a stopped function when it takes the next trial"


def test_a_worker_that_dies_fails_its_trial_only(on_ray, tmp_path):
    trials, search = execute(on_ray, toy(trials=8, die_above=0.2), tmp_path)
    died = {n for n, trial in trials.items() if trial.config["lr"] > 0.2}
    assert died and {n for n, trial in trials.items() if trial.status is Status.FAILED} == died
    assert all("died" in trials[n].error for n in died)
    assert search.error is None and len(trials) == 8


def test_three_identical_failures_stop_the_search_on_ray_too(on_ray, tmp_path):
    trials, search = execute(on_ray, toy(trials=50, fail_above=0.0), tmp_path)
    assert search.error.endswith("is too large")
    assert len(trials) <= 3 + on_ray.concurrent


class Full:
    """A sink whose disk is full when the third trial ends."""

    count = 0

    def started(self, trial):
        pass

    def reported(self, trial, report):
        pass

    def finished(self, trial):
        self.count += 1
        if self.count == 3:
            raise StudyError()


def test_what_a_sink_raises_comes_out(on_ray, tmp_path):
    with pytest.raises(StudyError):
        execute(on_ray, toy(trials=20), tmp_path, Full())


def test_more_than_the_machine_has_is_refused_with_what_it_has(joined):
    with pytest.raises(StudyError, match="a trial asks for more than any node has"):
        OnRay(joined, Resources(cpus=10_000), None)


def test_max_concurrent_is_a_limit(joined):
    assert OnRay(joined, Resources(), 1).concurrent == 1
    assert OnRay(joined, Resources(), None).concurrent == joined.nodes[0][0]


def token():
    command = [str(Path(sys.executable).with_name("ray")), "get-auth-token"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def fetch(url):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token()}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


class Watcher:
    """A sink that looks at the dashboard and the gauges from outside while trials run."""

    def __init__(self, dashboard, wanted):
        self.dashboard, self.wanted = dashboard, wanted
        self.actors, self.gauges = "", ""

    def started(self, trial):
        pass

    def reported(self, trial, report):
        if self.wanted not in self.actors:
            self.actors = fetch(f"{self.dashboard}/logical/actors")
        port = ray.nodes()[0]["MetricsExportPort"]
        page = fetch(f"http://127.0.0.1:{port}/metrics")
        if "ray_hpsearch_best_objective" in page:
            self.gauges = page

    def finished(self, trial):
        pass


@pytest.mark.slow
def test_actors_are_named_after_study_and_trial_and_gauges_count(on_ray, tmp_path):
    watcher = Watcher(on_ray.dashboard, "ray::gauged trial 0000")
    trials, _ = execute(on_ray, toy(trials=4, seconds=3), tmp_path, watcher, study="gauged")
    actors = [actor for actor in json.loads(watcher.actors)["data"]["actors"].values() if actor["state"] == "ALIVE"]
    assert {actor["reprName"] for actor in actors} >= {"gauged worker"}
    titles = [" ".join(actor["processStats"]["cmdline"]) for actor in actors if actor.get("processStats")]
    assert any(title.startswith("ray::gauged trial 0000") for title in titles)
    running, completed = (gauge(watcher.gauges, "trials", status=status) for status in ("running", "completed"))
    assert running in (1, 2) and completed in (1, 2, 3) and running + completed <= 4
    losses = sorted(trial.objective for trial in trials.values())
    assert gauge(watcher.gauges, "best_objective", metric="val_loss") in losses
    assert gauge(watcher.gauges, "images_per_second") in (100, 200)


def gauge(text, name, **tags):
    """The value of one of our gauges for the study in the text of the metrics page."""
    wanted = {f'{key}="{value}"' for key, value in {"study": "gauged", **tags}.items()}
    lines = [line for line in text.splitlines() if line.startswith(f"ray_hpsearch_{name}{{")]
    (line,) = [line for line in lines if all(tag in line for tag in wanted)]
    return float(line.split()[-1])


def test_an_unauthenticated_request_is_refused(on_ray):
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{on_ray.dashboard}/logical/actors", timeout=30)


def python(code):
    """Run code in a process of its own, from the root of the project."""
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[2]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=200, cwd=root)


@pytest.mark.slow
def test_the_temporary_folder_of_a_local_ray_goes_with_it():
    done = python("""
import ray
from hpsearch.runners.ray_cluster import Cluster as RayCluster
from hpsearch.runners.ray_cluster import cluster, temporary_folder
with cluster(None, dashboard=False):
    print(ray._private.worker._global_node.get_temp_dir_path())
""")
    folder = Path(done.stdout.strip().splitlines()[-1])
    assert folder.name.startswith("hpsearch-") and len(str(folder)) <= 43
    assert not folder.exists()


@pytest.mark.slow
def test_no_line_of_ray_or_tune_is_printed(tmp_path):
    done = python(f"""
from pathlib import Path
from tests.runners.test_ray import *
with cluster(None) as joined:
    execute(OnRay(joined, Resources(), 2), toy(trials=4, fail_above=0.5), Path({str(tmp_path)!r}))
""")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_inline_is_one_at_a_time():
    assert Inline(Resources(gpus=0)).concurrent == 1


def test_a_cluster_is_joined_by_its_address_and_left_running(tmp_path):
    done = python(f"""
import ray
from pathlib import Path
from ray.cluster_utils import Cluster
from tests.runners.test_ray import *
theirs = Cluster(initialize_head=True, head_node_args={{"num_cpus": 1, "include_dashboard": False}})
theirs.add_node(num_cpus=1)
with cluster(theirs.address) as joined:
    trials, _ = execute(OnRay(joined, Resources(), None), toy(trials=4), Path({str(tmp_path)!r}))
    print(joined.slots(1, 0), len(trials), *{{trial.status for trial in trials.values()}})
with cluster(theirs.address) as joined:
    print(joined.slots(1, 0), joined.slots(2, 0))
theirs.shutdown()
""")
    assert done.stdout.split("\n")[:2] == ["2 4 completed", "2 0"], done.stderr


def test_a_folder_of_a_killed_driver_is_cleared_and_that_of_a_living_one_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path) if len(str(tmp_path)) < 20 else "/tmp")
    with temporary_folder() as mine:
        (mine / "socket").write_text("in use")
        killed = Path(tempfile.mkdtemp(prefix="hpsearch-", dir=mine.parent))
        (killed / "owner.lock").touch()
        foreign = Path(tempfile.mkdtemp(prefix="hpsearch-", dir=mine.parent))
        with temporary_folder():
            assert not killed.exists(), "nobody holds its lock"
            assert (mine / "socket").exists(), "its driver is at work"
            assert foreign.exists(), "it is not ours to judge"
        foreign.rmdir()
    assert not mine.exists()


def test_a_temporary_folder_deep_down_is_not_taken(monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/tmp/" + "deep/" * 10)
    with temporary_folder() as folder:
        assert len(str(folder)) <= 43


@pytest.mark.parametrize(
    ("nodes", "cpus", "gpus", "slots"),
    [
        (((4, 0.0),), 1, 0, 4),
        (((2, 0.0), (2, 0.0)), 3, 0, 0),
        (((8, 1.0), (8, 2.0)), 2, 0.5, 6),
        (((1, 4.0),), 1, 1, 1),
    ],
)
def test_trials_fit_on_nodes_not_on_their_sum(nodes, cpus, gpus, slots):
    assert RayCluster(nodes).slots(cpus, gpus) == slots
