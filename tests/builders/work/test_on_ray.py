"""The engine of a Ray cluster: lost nodes, failing units and slow ones; and how it ends."""

import contextlib
import importlib.util
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from builders import score_shard
from builders.work import on_ray
from builders.work.cluster import Cluster, Node
from builders.work.job import keep_unit, run_job
from builders.work.on_ray import Kept, Worker, engine
from builders.work.rows import Folder
from nbzero.errors import ReleaseError, UsageError
from tests.builders.conftest import engine_here
from tests.builders.made import row_in_shard, wait_until
from tests.builders.work.clustered import (
    ALWAYS,
    DEADLY,
    FINE,
    LAST,
    LONG,
    SCORED,
    TWICE,
    begun,
    faults_job,
    scores_job,
)
from tests.builders.work.gated import ENDS
from tests.places import ROOT

needs_ray = pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="needs pip install '.[ray]'")


# Options


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "cuda:1"}, "device 'cuda:1'; with --engine ray it is auto, cpu or cuda"),
        ({"workers": 0}, "workers is 0; at least 1"),
        ({"gpus_per_worker": 1.5}, r"gpus per worker is 1\.5; it is a part of a card, from 0\.01 to 1"),
        ({"gpus_per_worker": 0}, "gpus per worker is 0; "),
        ({"gpus_per_worker": float("nan")}, "gpus per worker is nan; "),
        ({"device": "cpu"}, r"--gpus-per-worker 0\.25 is given with --device cpu; it goes with auto or cuda"),
        ({"device": "cuda", "gpus_per_worker": None}, "device 'cuda'; no node of the Ray cluster has a card"),
        ({"gpus_per_worker": 0.5}, "device 'auto'; no node of the Ray cluster has a card"),
        ({"gpus_per_worker": None}, "the Ray cluster auto has no room for a worker; name --workers to wait"),
    ],
)
def test_bad_options_say_what_is_allowed(changes, said, tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray, "find_cluster", lambda address, workers: Cluster(address, [Node(0, 0)]))
    job = replace(faults_job(tmp_path, "auto"), **changes)
    with pytest.raises(UsageError, match=said):
        run_job(job, str(tmp_path / "out"), engine, "parquet")
    assert not (tmp_path / "out").exists()


def test_where_all_is_there_no_cluster_is_asked_for(tmp_path, monkeypatch):
    job = replace(faults_job(tmp_path, "auto"), start=plain_start)
    name = run_job(job, str(tmp_path), engine_here, "parquet")
    monkeypatch.setattr(on_ray, "find_cluster", None)
    assert run_job(job, str(tmp_path), engine, "parquet") == name


class NoRoom:
    """In place of Ray: a cluster in which no worker ever starts."""

    exceptions = SimpleNamespace(RayError=OSError)

    def remote(self, **options):
        never = SimpleNamespace(remote=lambda *told: SimpleNamespace(future=Future))
        return lambda kind: SimpleNamespace(remote=lambda: SimpleNamespace(start=never))

    def kill(self, actor):
        pass

    def available_resources(self):
        return {"CPU": 0.5}


@pytest.mark.parametrize("part", [None, 0.25])
def test_a_cluster_without_room_is_told_and_ends_the_job(part, tmp_path, monkeypatch, capsys):
    busy = Cluster("auto", [Node(2, 1)])
    monkeypatch.setattr(on_ray, "find_cluster", lambda address, workers: busy)
    monkeypatch.setattr(on_ray, "joined", lambda cluster: contextlib.nullcontext(NoRoom()))
    for name, seconds in {"POLL_S": 0.02, "SAID_S": 0, "WAIT_S": 0.1}.items():
        monkeypatch.setattr(on_ray, name, seconds)
    device = "cpu" if part is None else "cuda"
    job = replace(faults_job(tmp_path, "auto"), gpus_per_worker=part, device=device)
    need = "1 CPU" if part is None else r"1 CPU and 0\.25 GPU"
    said = rf"no worker has started for \d s; each needs {need}, the cluster has 0\.5 CPU and 0 GPU free"
    with pytest.raises(ReleaseError, match=said):
        run_job(job, str(tmp_path / "out"), engine, "parquet")
    assert "no worker has started for 0 s" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


# Workers


def plain_start(device, settings):
    """Rows that say how often one was computed."""
    counted = itertools.count()

    def compute(unit, there):
        row = row_in_shard(unit[0], train_loss=float(next(counted)), device=device)
        return {name: value for name, value in row.items() if name not in ENDS}

    return compute


@pytest.fixture
def worker(tmp_path) -> Worker:
    """A worker in this process, of a job whose rows are complete where they have not diverged."""
    made = Worker()
    (tmp_path / "probe").write_text("probe")
    job = replace(faults_job(tmp_path, ""), start=plain_start)
    made.begin(job, str(tmp_path), "probe", lambda row: row["status"] == "ok")
    return made


def test_a_worker_that_sees_another_folder_computes_nothing(tmp_path):
    job = replace(faults_job(tmp_path, ""), start=plain_start)
    (tmp_path / "probe").write_text("of another folder")
    for probe in ("probe", "absent"):
        with pytest.raises(UsageError, match=r"is not the same folder on every node; name an --out that all"):
            Worker().begin(job, str(tmp_path), probe, bool)


def test_a_unit_that_another_worker_has_kept_is_not_computed(worker):
    unit = worker.job.units[0]
    first = worker.compute(unit, None)
    assert first.apart == [] and first.row["train_loss"] == 0
    assert worker.compute(unit, None) == first


def test_an_incomplete_row_is_replaced(worker, tmp_path):
    unit = worker.job.units[0]
    incomplete = plain_start("cpu", {})(unit, None) | {"status": "diverged", "val_acc": None}
    incomplete |= {"test_acc": None, "train_loss": None}
    keep_unit(worker.job, Folder(tmp_path), unit, incomplete)
    assert worker.compute(unit, None).row["status"] == "ok"


@pytest.mark.parametrize(("loss", "apart"), [(0.0, []), (7.0, ["train_loss"])])
def test_a_second_row_of_a_unit_is_dropped_and_what_differs_is_told(loss, apart, worker, tmp_path):
    """Another worker keeps the unit while this one computes it. Times and devices may differ."""
    unit, inner = worker.job.units[0], plain_start("cpu", {})
    first = inner(unit, None) | {"train_loss": loss, "train_time_s": 99.0, "device": "another"}

    def overtaken(unit, there):
        keep_unit(worker.job, Folder(tmp_path), unit, first)
        return inner(unit, there) | {"train_loss": 0.0}

    worker.use(overtaken)
    said = worker.compute(unit, None)
    assert isinstance(said, Kept) and said.apart == apart
    assert (said.row["train_loss"], said.row["device"]) == (loss, "another")
    assert worker.compute(unit, None).row == said.row


# Jobs on a cluster


@pytest.fixture(scope="module")
def tests_are_found() -> Iterator[None]:
    """Workers are sent the packages alone; the jobs of these tests they find here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else Ray leaves a token in the home folder
        yield


class TwoNodes:
    """A cluster of two nodes, of which one can be killed."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.builders.work.two_nodes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        self.address, self.other = self._line().split()

    def kill_other(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("kill\n")
        self.process.stdin.flush()
        assert self._line() == "killed"

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, "the cluster ended"
        return line


@pytest.fixture(scope="module")
def cluster(tests_are_found: None) -> Iterator[TwoNodes]:
    made = TwoNodes()
    yield made
    made.process.communicate()
    assert made.process.returncode == 0


class Started:
    """A job in a process of its own, and what it says on stderr as it goes on."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process, self.lines = process, []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line.rstrip())

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that comes of the job, which is to go on until then."""
        wait_until(lambda: condition() or self.process.poll() is not None)
        assert condition(), self.said

    def ended(self) -> int:
        status = self.process.wait(120)
        self.reader.join()
        return status


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    (tmp_path / "gates").mkdir()
    return tmp_path / "gates"


@pytest.fixture
def start(start_job: Callable, tests_are_found: None, gates: Path) -> Callable[..., Started]:
    def begin(what: str, out: str | Path, address: str) -> Started:
        return Started(start_job("tests.builders.work.clustered", what, str(out), str(gates), address))

    return begin


def open_gate(gates: Path, *arch_ids: int) -> None:
    for arch_id in arch_ids:
        (gates / f"open-{arch_id}").touch()


def is_running(number: str) -> bool:
    """Whether a process is there and is no mere zombie."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@needs_ray
def test_sigterm_ends_the_workers_and_leaves_the_cluster(cluster, start, gates, tmp_path):
    open_gate(gates, FINE)
    job = start("plain", tmp_path / "out", cluster.address)
    job.wait_until(lambda: begun(gates, LAST))
    _, worker, raylet = begun(gates, LAST)[0]
    job.process.send_signal(signal.SIGTERM)
    assert job.ended() == 143, job.said
    assert "interrupted; run the same command again" in job.said and "Traceback" not in job.said
    wait_until(lambda: not is_running(worker))
    assert is_running(raylet)
    assert [path.name for path in (tmp_path / "out").glob("**/*.*")] == [f"{FINE:06d}-0.json"]


@needs_ray
@pytest.mark.long
def test_a_lost_node_loses_no_row(cluster, start, gates, rows_in, tmp_path):
    """A node is killed while it computes: the rows are as without that."""
    out, first = tmp_path / "out", SCORED[0]
    open_gate(gates, first)
    job = start("scores", out, cluster.address)
    in_hand = {}

    def is_in_hand() -> bool:
        for arch_id in SCORED[1:]:
            for node, number, _ in begun(gates, arch_id):
                in_hand[node] = arch_id, number
        return len(in_hand) == 2

    job.wait_until(is_in_hand)
    lost, worker = in_hand[cluster.other]
    cluster.kill_other()
    with suppress(ProcessLookupError):  # it ends some time after its node
        os.kill(int(worker), signal.SIGKILL)
    open_gate(gates, *SCORED)
    assert job.ended() == 0, job.said
    assert " seed 0 is computed again" in job.said and " was lost; " in job.said
    assert [len(begun(gates, arch_id)) for arch_id in SCORED] == [1 + (one == lost) for one in SCORED]
    assert begun(gates, lost)[-1][0] != cluster.other

    plain = replace(scores_job(gates), start=score_shard.start)
    undisturbed = run_job(plain, str(tmp_path / "undisturbed"), engine_here, "parquet")
    assert [path.name for path in out.iterdir()] == [undisturbed]
    assert rows_in(out / undisturbed) == rows_in(tmp_path / "undisturbed" / undisturbed)
    assert [row["arch_id"] for row in rows_in(out / undisturbed)] == list(SCORED)


@needs_ray
def test_units_that_fail_are_tried_again_and_the_others_go_on(cluster, start, gates, rows_in, tmp_path):
    """On parts of what the cluster takes for a card, with a URL that all nodes reach.

    The slow unit is computed twice, with other values.
    """
    out = tmp_path / "out"
    job = start("faults", f"shared://{out}", cluster.address)
    job.wait_until(lambda: len(begun(gates, LONG)) == 2)
    slow = out / "faulty-0000-of-0001" / f"{LONG:06d}-0.json"
    job.wait_until(slow.exists)
    open_gate(gates, LONG)
    job.wait_until(lambda: "computed twice" in job.said)
    open_gate(gates, LAST)
    assert job.ended() == 2, job.said

    assert f"arch{TWICE} seed 0, try 1 of 3: RuntimeError: no luck with arch{TWICE} (node " in job.said
    assert f"arch{DEADLY} seed 0, try 1 of 3: The actor is dead because its worker process" in job.said
    assert f"arch{LONG} seed 0 was computed twice, with another train_loss; the row that was" in job.said
    assert "in faulty" in job.said and 'raise RuntimeError(f"no luck' in job.said
    counted = "1 unit of faulty-0000-of-0001 failed 3 times"
    said = f"error: {counted}, first arch{ALWAYS} seed 0: RuntimeError: no luck with arch{ALWAYS} (node "
    assert said in job.said and job.said.endswith("what is finished is kept")
    losses = {}
    for path in slow.parent.glob("*.json"):
        (row,) = rows_in(path, whole=True)
        losses[row["arch_id"]] = row["train_loss"]
        assert row["device"] == "cuda:0"
    # On a busy machine what is not slow may be taken for it too.
    assert losses.keys() == {FINE, TWICE, DEADLY, LONG, LAST} and losses[LONG] == 1
    assert losses[TWICE] >= 2 and losses[DEADLY] >= 1 and len(begun(gates, ALWAYS)) >= 3
    assert [path.name for path in out.iterdir()] == [slow.parent.name]


@pytest.mark.long
@needs_ray
def test_ctrl_c_ends_the_cluster_that_the_job_started(start, gates, tmp_path):
    open_gate(gates, FINE)
    job = start("plain", tmp_path / "out", "local")
    job.wait_until(lambda: begun(gates, LAST))
    _, worker, raylet = begun(gates, LAST)[0]
    os.killpg(job.process.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
    assert job.ended() == 130, job.said
    assert "interrupted; run the same command again" in job.said and "Traceback" not in job.said
    wait_until(lambda: not is_running(worker) and not is_running(raylet))
    assert [path.name for path in (tmp_path / "out").glob("**/*.*")] == [f"{FINE:06d}-0.json"]
