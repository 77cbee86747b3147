"""The command lines of the jobs: bad input says what is allowed, and a job's end is its exit status."""

import pytest

from builders import score_shard, train_shard
from builders.work.command import ENGINES, arguments, job_of, said_where, say_errors
from nbzero.errors import UsageError

GIVEN = {"--space": "r1-mini", "--dataset": "digits", "--archs": "1"}


@pytest.mark.parametrize(
    ("job", "changes", "said"),
    [
        (train_shard, {"--space": "r1-min"}, "no space named 'r1-min'; did you mean 'r1-mini'"),
        (train_shard, {"--dataset": "cifar-10"}, "no dataset named 'cifar-10'; did you mean 'cifar10'"),
        (train_shard, {"--recipe": "gpu12"}, "no recipe named 'gpu12'; did you mean 'gpu-12'"),
        (train_shard, {"--shard": "5/5"}, "shard '5/5'; it is like 3/40"),
        (train_shard, {"--archs": "1001"}, "archs up to 1001; the space has 1000"),
        (train_shard, {"--seeds": "-1"}, "seed -1; it is a whole number from 0 to 2147483647"),
        (
            train_shard,
            {"--seeds": "3000000000"},
            "seed 3000000000; it is a whole number from 0 to 2147",
        ),
        (
            score_shard,
            {"--seeds": "2147483648"},
            "seed 2147483648; it is a whole number from 0 to 2147",
        ),
        (train_shard, {"--archs": "9" * 5000}, "archs '999"),
        (train_shard, {"--shard": "1/" + "9" * 5000}, "shard '1/999"),
        (train_shard, {"--workers": "1000000000"}, "workers is 1000000000; at most 1000"),
        (train_shard, {"--device": "tpu"}, "device 'tpu'; this machine has cpu"),
        (train_shard, {"--device": "cuda"}, "device 'cuda'; this machine has cpu"),
        (score_shard, {"--device": "cuda:3"}, "device 'cuda:3'; this machine has cpu"),
        (train_shard, {"--time-limit": "9 minutes"}, "time limit '9 minutes'; it is like 90s, 9m, 1h30m"),
        (score_shard, {"--time-limit": "-5m"}, "time limit '-5m'; it is like 90s, 9m, 1h30m"),
        (
            train_shard,
            {"--engine": "ray", "--together": "4"},
            "--together 4 is given with --engine ray; it goes with --engine local",
        ),
        (train_shard, {"--address": "auto"}, "--address auto is given with --engine local; it goes with"),
        (
            score_shard,
            {"--gpus-per-worker": "0.5"},
            "--gpus-per-worker 0.5 is given with --engine local; it goes with --engine ray",
        ),
        (train_shard, {"--engine": "ray", "--device": "cuda:1"}, "device 'cuda:1'; with --engine ray it is"),
        (train_shard, {"--workers": "0"}, "workers is 0; at least 1"),
        (train_shard, {"--dataset": "cifar10", "--images": "/nowhere"}, "/nowhere: does not exist"),
        (
            score_shard,
            {"--proxies": "zen_score"},
            "no proxy named 'zen_score'; did you mean 'zen_own' or 'zen_no_shortcut' or 'zen'",
        ),
        (score_shard, {"--protocol": "std16"}, "no protocol named 'std16'; did you mean 'std-16'"),
    ],
)
def test_bad_arguments_say_what_is_allowed(job, changes, said, tmp_path, capsys):
    given = GIVEN | {"--out": str(tmp_path / "out")}
    if job is train_shard:
        given |= {"--recipe": "cpu-16px-4"}
    assert job.main([f"{name}={value}" for name, value in (given | changes).items()]) == 2
    assert f"error: {said}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def parsed(*more: str):
    parser = arguments("a job")
    parser.add_argument("--recipe")
    words = [word for pair in GIVEN.items() for word in pair]
    return parser.parse_args(
        [*words, "--out", "there", "--recipe", "gpu-12", "--seeds", "1", "0", "1", *more]
    )


def test_a_job_has_what_its_arguments_say():
    def start(device, settings):
        raise AssertionError

    job = job_of(parsed("--shard", "1/2", "--workers", "3", "--device", "cpu"), "runs", "recipe", start, x=5)
    assert (job.name, job.shard, job.num_shards) == ("runs-r1-mini-digits-gpu-12", 1, 2)
    assert [unit[::2] for unit in job.units] == [(0, 1)]
    assert (job.device, job.workers, job.start) == ("cpu", 3, start)
    assert (job.address, job.gpus_per_worker) == (None, None)
    assert job.same_key == {"recipe": "gpu-12"}
    commit = job.settings.pop("builder_commit")
    assert len(commit) >= 6
    assert job.settings == {"recipe": "gpu-12", "dataset": "digits", "images": None, "x": 5}


def test_a_job_has_its_cluster_and_images_that_workers_find(tmp_path, monkeypatch):
    def start(device, settings):
        raise AssertionError

    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path)
    given = ["--engine", "ray", "--address", "head:6379", "--gpus-per-worker", "0.25", "--images", "images"]
    job = job_of(parsed(*given), "runs", "recipe", start)
    assert (job.address, job.gpus_per_worker) == ("head:6379", 0.25)
    assert job.settings["images"] == str(tmp_path / "images")


def test_engines_are_those_of_the_table(capsys):
    assert parsed().engine == "local" and set(ENGINES) == {"local", "ray"}
    with pytest.raises(SystemExit):
        parsed("--engine", "cluster")
    assert "invalid choice: 'cluster'" in capsys.readouterr().err


def test_a_job_ends_with_a_status(capsys):
    def job(argv):
        if argv:
            raise argv[0]

    main = say_errors(job)
    assert main([]) == 0
    assert main([UsageError("what to do")]) == 2
    assert capsys.readouterr().err == "error: what to do\n"
    assert main([KeyboardInterrupt()]) == 130
    assert "interrupted; run the same command again" in capsys.readouterr().err
    with pytest.raises(KeyError):  # a bug shows its traceback
        main([KeyError("x")])


def test_a_file_is_named_as_the_user_named_its_folder():
    assert said_where("./there/", "x.parquet") == "./there/x.parquet"
