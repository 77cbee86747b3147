"""NATS-Bench's methods: every number of made official files, tables without times, and our own spaces."""

import random
from collections import deque

import numpy as np
import pytest

from builders.work.commit import commit_release
from nbzero import Arch, Bench
from nbzero.adapters.nats import NATSBench, create
from nbzero.adapters.nats_results import NoSeconds, Results
from nbzero.errors import (
    NotAMemberError,
    NothingFoundError,
    ReleaseError,
    UnknownNameError,
    UsageError,
)
from nbzero.release.sampled import sampled_archs, sampled_scores
from tests.adapters.conftest import EPOCHS, SEEDS
from tests.importers.made import some

TOPOLOGY = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"
# The sets of NATS-Bench's data sets whose accuracies are imported.
SETS = {
    "cifar10-valid": {"valid": "x-valid"},
    "cifar10": {"test": "ori-test"},
    "cifar100": {"valid": "x-valid", "test": "x-test"},
    "ImageNet16-120": {"valid": "x-valid", "test": "x-test"},
}


@pytest.fixture
def api(archive):
    return NATSBench(archive, "nb201")


@pytest.fixture
def bare(tables):
    return NATSBench(tables, "nb201")


@pytest.fixture
def ours(bench):
    return NATSBench(bench, "r1-mini")


def made_runs(held, index, hp, dataset):
    """What the official file has of an arch: seed -> its run."""
    runs = held[index][hp]["all_results"]
    return {seed: run for (name, seed), run in runs.items() if name == dataset}


# Numbers


@pytest.mark.parametrize("hp", ["12", "200"])
@pytest.mark.parametrize("dataset", SETS)
def test_every_accuracy_is_that_of_the_official_file(api, held, dataset, hp):
    last = EPOCHS[hp] - 1
    for index in range(4):
        runs = made_runs(held, index, hp, dataset)
        mean = api.get_more_info(index, dataset, hp=hp, is_random=False)
        for name, split in SETS[dataset].items():
            values = [run["eval_acc1es"][f"{split}@{last}"] for run in runs.values()]
            assert mean[f"{name}-accuracy"] == pytest.approx(np.mean(values), abs=1e-5)
            for seed, run in runs.items():
                given = SEEDS[hp].index(seed) if hp == "12" else seed  # theirs, or ours
                info = api.get_more_info(index, dataset, hp=hp, is_random=given)
                value = run["eval_acc1es"][f"{split}@{last}"]
                assert info[f"{name}-accuracy"] == pytest.approx(value, abs=1e-5)
                assert info[f"{name}-loss"] is None
        has_training = mean["train-loss"] is not None and mean["train-all-time"] is not None
        assert has_training == (dataset != "cifar10")  # whose test accuracies are of another training
        absent = {"valid", "test"} - SETS[dataset].keys()
        assert not [key for key in mean for name in absent if key.startswith(name)]


def test_random_draws_one_of_the_seeds(api, held):
    drawn = {api.get_more_info(0, "cifar100", hp=200)["valid-accuracy"] for _ in range(60)}
    runs = made_runs(held, 0, "200", "cifar100").values()
    values = [run["eval_acc1es"]["x-valid@4"] for run in runs]
    assert sorted(drawn) == pytest.approx(sorted(values), abs=1e-5)
    again = []
    for _ in range(2):
        random.seed(3)
        draws = [(api.random(), api.get_more_info(0, "cifar100", hp=200)["comment"]) for _ in range(20)]
        again.append(draws)
    assert again[0] == again[1] and 0 <= min(again[0])[0] <= max(again[0])[0] < len(api)


def test_every_epoch_of_the_curve(api, held):
    for hp, num_epochs in EPOCHS.items():
        run = made_runs(held, 2, hp, "cifar10-valid")[SEEDS[hp][0]]
        for iepoch in range(num_epochs):
            info = api.get_more_info(2, "cifar10-valid", iepoch=iepoch, hp=hp, is_random=0)
            value = run["eval_acc1es"][f"x-valid@{iepoch}"]
            assert info["valid-accuracy"] == pytest.approx(value, abs=1e-5)
            assert info["train-all-time"] == pytest.approx(7.25 * (iepoch + 1))
            assert info["train-per-time"] == pytest.approx(7.25)
            is_last = iepoch == num_epochs - 1
            assert info["train-loss"] == (run["train_losses"][iepoch] if is_last else None)
        last = api.get_more_info(2, "cifar10-valid", hp=hp, is_random=0)
        assert last["valid-accuracy"] == info["valid-accuracy"]


def test_a_simulated_training_is_charged_its_time(api):
    for iepoch, epochs in ((None, 5), (1, 2)):
        api.reset_time()
        used = 0.0
        for _ in range(3):
            accuracy, latency, seconds, total = api.simulate_train_eval(3, "cifar10", iepoch, hp="200")
            used += 7.25 * epochs
            assert (latency, seconds) == (None, pytest.approx(7.25 * epochs))
            assert total == api.used_time == pytest.approx(used)
        seeds = [api.get_more_info(3, "cifar10-valid", iepoch, "200", seed) for seed in (777, 888, 999)]
        assert accuracy in [info["valid-accuracy"] for info in seeds]
    *_, total = api.simulate_train_eval(3, "cifar100", hp="12", account_time=False)
    assert total == api.used_time == pytest.approx(used)
    api.reset_time()
    assert api.used_time == 0


def test_costs_are_the_published_ones(tables, api, held):
    """Of arch 0 as D-X-Y/NATS-Bench#24 quotes them, and of arch 9930 as a log of the API says."""
    quoted = {
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|": {
            "cifar10-valid": (15.64737, None),
            "cifar100": (15.65322, None),
            "ImageNet16-120": (3.91948, None),
        },
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|": {
            "cifar10": (184.73, 1.289),
            "cifar100": (184.74, 1.294),
            "ImageNet16-120": (46.19, 1.296),
        },
    }
    for arch, by_dataset in quoted.items():
        for dataset, (flops, params) in by_dataset.items():
            costs = OneArch(tables, arch).costs(arch, dataset)
            assert costs[0] == pytest.approx(flops, abs=0.005 if params else 1e-9)
            assert params is None or costs[1] == pytest.approx(params, abs=5e-4)
    for index in range(4):
        for dataset in SETS:
            run = next(iter(made_runs(held, index, "12", dataset).values()))
            info = api.get_cost_info(index, dataset, hp="12")
            if dataset != "ImageNet16-120":  # the made files do not count its classes
                assert info["params"] == pytest.approx(run["params"], abs=1e-9)
            assert info["latency"] is None
        assert api.get_cost_info(index, "cifar100", hp="12")["T-train@total"] == 7.25 * 3
        assert api.get_cost_info(index, "cifar100", hp="200")["T-train@epoch"] == 7.25


class OneArch(Results):
    """Results of a bench that is asked for the costs of an arch that it does not have."""

    def __init__(self, bench, arch):
        super().__init__(bench, "nb201", {})
        self._costs = self.opened.space.definition.costs(self.opened.space.definition.parse(arch))
        self.bench = self

    def query(self, arch):
        return type("Costs", (), self._costs)


def test_find_best_is_the_best_within_the_limits(api, archive):
    for dataset, metric, split in (("cifar10", "valid", "val"), ("cifar100", "x-test", "test")):
        for hp, recipe in (("12", "nb201-12"), ("200", "nb201-200")):
            values = [archive.query(arch).accuracy(dataset, recipe, split, "mean") for arch in api.meta_archs]
            best, percent = api.find_best(dataset, metric, hp=hp)
            assert (best, percent) == (np.argmax(values), pytest.approx(100 * max(values), abs=1e-5))
    middle = sorted(api.get_cost_info(i, "cifar10", "12")["params"] for i in range(len(api)))[10]
    best, _ = api.find_best("cifar10", "test", param_max=middle, hp="12")
    assert api.get_cost_info(best, "cifar10", "12")["params"] <= middle
    assert api.find_best("cifar10", "test", flop_max=1e-3, hp="12") == (-1, None)


def test_all_results_of_an_arch(api, held):
    about = api.query_meta_info_by_index(1, "200")
    assert about.get_dataset_names() == list(SETS) and about.get_total_epoch() == 5
    assert about.get_dataset_seeds("cifar100") == [0, 1]  # arch 1 lacks the last
    assert api.query_meta_info_by_index(2, "200").get_dataset_seeds("cifar100") == [0, 1, 2]
    metrics = about.get_metrics("cifar100", "x-valid", iepoch=2, is_random=888)
    run = made_runs(held, 1, "200", "cifar100")[888]
    assert metrics["accuracy"] == pytest.approx(run["eval_acc1es"]["x-valid@2"], abs=1e-5)
    assert metrics["iepoch"] == 2 and metrics["loss"] is None
    train = about.get_metrics("cifar100", "train", is_random=888)
    assert (train["iepoch"], train["loss"]) == (4, run["train_losses"][4])
    assert (train["cur_time"], train["all_time"]) == (7.25, 7.25 * 5)
    assert about.get_compute_costs("cifar100") == api.get_cost_info(1, "cifar100", "200")
    with pytest.raises(UsageError, match="set 'x-valid' of cifar10; it is one of train, test, x-test"):
        about.get_metrics("cifar10", "x-valid")


# Archs


def test_archs_by_index_and_back(api):
    assert len(api) == 20 and api.meta_archs == some("nb201")
    for index, arch in enumerate(api.meta_archs):
        assert api[index] == api.arch(index) == arch
        assert api.query_index_by_arch(arch) == api.query_index_by_arch(index) == index
        assert api.query_index_by_arch(np.int64(index)) == index
        structure = type("CellStructure", (), {"tostr": lambda self, arch=arch: arch})()
        assert api.query_index_by_arch(structure) == index
        infos = [api.get_more_info(one, "cifar100", hp="12") for one in (index, arch, structure)]
        assert infos[0] == infos[1] == infos[2]
    for unknown in ("|none~0|", "x", 3.5, None):
        assert api.query_index_by_arch(unknown) == -1


def test_what_an_arch_is(api):
    arch = "|nor_conv_1x1~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"
    assert api.str2lists(arch) == [
        (("nor_conv_1x1", 0),),
        (("none", 0), ("none", 1)),
        (("none", 0), ("none", 1), ("skip_connect", 2)),
    ]
    assert isinstance(api.get_unique_str(3), str)
    config = api.get_net_config(3, "ImageNet16-120")
    assert config == {"name": "infer.tiny", "C": 16, "N": 5, "arch_str": api[3], "num_classes": 120}
    assert api.avaliable_hps == ["12", "200"]
    assert api.full_train_epochs == api.full_epochs_in_paper == 200


def test_in_words(api, capsys):
    text = api.query_info_str_by_arch(3, "200")
    assert text.splitlines()[0] == api[3] and text == api.query_by_arch(api[3], "200")
    assert "ImageNet16-120 valid : [top1 = " in text and "test : [top1 = " in text
    api.show(3)
    assert capsys.readouterr().out.count(api[3]) == 2
    api.show()
    assert capsys.readouterr().out.count("datasets : ") == 2 * len(api)


# Where a release has less


def test_tables_without_curves_and_times(bare, tables):
    info = bare.get_more_info(5, "cifar10-valid", hp="200")
    assert info["valid-accuracy"] == pytest.approx(
        100 * tables.query(("nb201", 5)).accuracy("cifar10", "nb201-200-mean")
    )
    assert info["comment"].startswith("nb201-200-mean, ") and info["train-all-time"] is None
    seeds = {bare.get_more_info(5, "cifar10", hp="200")["test-accuracy"] for _ in range(40)}
    assert len(seeds) == 3
    with pytest.raises(NothingFoundError, match=r"has no curve of .*; iepoch=None is the last epoch"):
        bare.get_more_info(5, "cifar10-valid", iepoch=3, hp="12")
    assert bare.get_more_info(5, "cifar10-valid", iepoch=11, hp="12") == bare.get_more_info(
        5, "cifar10-valid", hp="12"
    )


def test_time_that_is_not_known_can_be_kept_and_not_computed_with(bare):
    accuracy, _, seconds, used = bare.simulate_train_eval(5, "cifar10", hp="12")
    assert accuracy > 0 and isinstance(seconds, NoSeconds) and used is bare.used_time
    assert f"{seconds:.1f} {seconds} {seconds!r}" == "unknown unknown unknown"
    computed = (
        lambda: used < 20_000,
        lambda: used >= 20_000,
        lambda: used + 1,
        lambda: 1 + used,
        lambda: float(used),
        lambda: sum([used]),
        lambda: max([1.0, used]),
    )
    for compute in computed:
        with pytest.raises(NothingFoundError, match=r"no training times of nb201 .*NBZERO_NATS_SECONDS=600"):
            compute()
    bare.reset_time()
    assert bare.used_time == 0


def test_seconds_may_be_given(tables, monkeypatch):
    api = create(tables, "tss", verbose=False, seconds=600)
    assert api.simulate_train_eval(5, "cifar10", hp="12")[2:] == (600, 600)
    assert api.simulate_train_eval(5, "cifar10", iepoch=11, hp="12")[2:] == (600, 1200)
    monkeypatch.setenv("NBZERO_NATS_SECONDS", "60")
    assert create(tables, "tss", verbose=False).simulate_train_eval(5, "cifar10", hp="12")[2] == 60
    assert (
        create(tables, "tss", verbose=False, seconds=600).simulate_train_eval(5, "cifar10", hp="12")[2] == 600
    )
    monkeypatch.setenv("NBZERO_NATS_SECONDS", "a minute")
    with pytest.raises(UsageError, match="NBZERO_NATS_SECONDS is 'a minute'; it is the seconds"):
        create(tables, "tss", verbose=False)


# Our spaces


def test_our_members_are_answered_by_their_runs(ours, bench):
    arch = ours[0]
    runs = [bench.query(arch).run("cifar10", "cpu-16px-4", seed) for seed in (0, 1)]
    for seed, run in enumerate(runs):
        info = ours.get_more_info(0, "cifar10", is_random=seed)
        assert info["valid-accuracy"] == pytest.approx(100 * run.val_acc)
        assert info["test-accuracy"] == pytest.approx(100 * run.test_acc)
        assert info["train-loss"] == run.train_loss
        assert info["train-all-time"] == pytest.approx(run.train_time_s)
        second = ours.get_more_info(arch, "cifar10-valid", iepoch=1, hp=4, is_random=seed)
        assert second["valid-accuracy"] == pytest.approx(100 * run.curve[1])
        assert second["train-all-time"] == pytest.approx(run.train_time_s / 2)
        assert not [key for key in second if key.startswith("test")]
    mean = ours.get_more_info(0, "cifar10", hp="cpu-16px-4", is_random=False)
    assert mean["valid-accuracy"] == pytest.approx(50 * sum(run.val_acc for run in runs))
    assert mean["comment"] == "cpu-16px-4, mean of the seeds 0, 1"
    _, _, seconds, used = ours.simulate_train_eval(0, "cifar10")
    assert seconds == used and seconds in [pytest.approx(run.train_time_s) for run in runs]
    costs = ours.get_cost_info(0, "cifar10")
    assert (
        costs["flops"] == bench.query(arch).macs / 1e6 and costs["params"] == bench.query(arch).params / 1e6
    )
    epochs = {recipe.rsplit("-", 1)[1] for recipe in bench.recipes("r1-mini", "cifar10")}
    assert set(ours.avaliable_hps) == epochs and ours.full_train_epochs == max(map(int, epochs))
    assert ours.get_more_info(0, "cifar10", is_random=0) == ours.get_more_info(0, "cifar10", None, "4", 0)


def test_our_other_archs_are_predicted_and_say_so(ours, bench):
    stranger = next(str(arch) for arch in Arch.parse(ours[0]).edits() if str(arch) not in ours.meta_archs)
    surrogate = bench.surrogate("r1-mini", "cifar10")
    last = len(ours) - 1
    for arch in (stranger, Arch.parse(stranger), last):
        info = ours.get_more_info(arch, "cifar10")
        text = ours[last] if arch == last else stranger
        assert info["valid-accuracy"] == pytest.approx(100 * surrogate.predict([text]).mean[0], abs=1e-5)
        assert info["comment"] == "cpu-16px-4, predicted" and "test-accuracy" not in info
        accuracy, _, seconds, _ = ours.simulate_train_eval(arch, "cifar10")
        assert accuracy == info["valid-accuracy"] and seconds > 0
    assert ours.query_index_by_arch(stranger) == -1
    with pytest.raises(NothingFoundError, match="was not trained with cpu-16px-4: no accuracy after epoch 1"):
        ours.get_more_info(stranger, "cifar10", iepoch=1)


def test_what_was_not_trained_is_refused_or_none_as_asked(bench):
    last = len(bench.space("r1-mini")) - 1
    refused = create(bench, "r1-mini", verbose=False, unmeasured="refuse")
    with pytest.raises(NothingFoundError, match="nearest that were measured"):
        refused.get_more_info(last, "cifar10")
    none = create(bench, "r1-mini", verbose=False, unmeasured="none")
    info = none.get_more_info(last, "cifar10")
    assert info["valid-accuracy"] is None and "this arch has no run on cifar10" in info["comment"]
    assert none.simulate_train_eval(last, "cifar10")[0] is None


# A script as they are written for NATS-Bench: only its import differs


def evolution(api, dataset, hp, budget, population=6, sample=3):
    operations = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
    space = [api.arch(index) for index in range(len(api))]
    api.reset_time()
    history, alive, costs = [], deque(), []
    while not costs or costs[-1] < budget:
        if len(alive) < population:
            child = space[api.random()]
        else:
            parent = max(random.sample(list(alive), sample))[1]
            parts = [operation for node in api.str2lists(parent) for operation, _ in node]
            parts[random.randrange(6)] = random.choice(operations)
            child = TOPOLOGY.format(*parts)
            if api.query_index_by_arch(child) == -1:  # the made table has few archs
                child = space[api.random()]
            alive.popleft()
        accuracy, _, _, used = api.simulate_train_eval(child, dataset, hp=hp)
        alive.append((accuracy, child))
        history.append((accuracy, child))
        costs.append(used)
    return max(history)[1], costs


def test_a_script_of_evolution_runs_until_its_budget(api):
    random.seed(0)
    best, costs = evolution(api, "cifar10", "200", budget=1000)
    assert costs == pytest.approx([7.25 * 5 * (i + 1) for i in range(len(costs))])
    assert costs[-2] < 1000 <= costs[-1]
    info = api.get_more_info(api.query_index_by_arch(best), "cifar10", hp="200", is_random=False)
    assert 10 <= info["test-accuracy"] <= 90


def test_a_script_of_evolution_without_times_ends_at_its_first_comparison(bare, tables):
    with pytest.raises(NothingFoundError, match="has no training times"):
        evolution(bare, "cifar10", "12", budget=1000)
    _, costs = evolution(create(tables, "tss", verbose=False, seconds=100), "cifar10", "12", budget=1000)
    assert costs == [100.0 * i for i in range(1, 11)]


# Opening


def test_create_opens_what_it_is_given(tables, bench, monkeypatch, capsys):
    for given in (tables, tables.path):
        api = create(given, "topology", fast_mode=True, verbose=False)
        assert (api.space, len(api)) == ("nb201", 20) and capsys.readouterr().out == ""
    monkeypatch.setenv("NBZERO_NATS", tables.path)
    assert create(None, "tss").meta_archs == api.meta_archs
    assert capsys.readouterr().out == f"opened NATSBench(20 architectures of nb201, '{tables.path}')\n"
    monkeypatch.delenv("NBZERO_NATS")
    assert create(None, "mb-mini", verbose=False).space == "mb-mini"


def test_a_space_of_which_there_are_scores_alone(made, tmp_path):
    rows = [made.score_row(arch_id, "std-32") for arch_id in range(3)]
    tables = {("archs", "nb201", None): sampled_archs("nb201", 3)}
    tables["scores", "nb201", "cifar10"] = sampled_scores("nb201", rows)
    commit_release(tmp_path / "scored", tables, "0.1.0")
    with pytest.raises(UnknownNameError, match=r"it has scores of it and no trainings, .*import_bench nb201"):
        create(tmp_path / "scored", "tss", verbose=False)


def test_what_cannot_be_opened(tables, tmp_path, monkeypatch):
    monkeypatch.delenv("NBZERO_NATS", raising=False)
    with pytest.raises(UnknownNameError, match=r"since NBZERO_NATS names no other, has no space 'nb201'"):
        create(None, "tss", fast_mode=True, verbose=False)
    with pytest.raises(UnknownNameError, match=r"no space 'nats-sss' \(search_space='sss'\), only nb201;"):
        create(tables, "sss")
    with pytest.raises(ReleaseError):
        create(str(tmp_path / "nothing"), "tss")
    with pytest.raises(UsageError, match="give a release's folder, a Bench, or None"):
        create({"meta_archs": []}, "tss")
    for wrong, message in (
        ({"seconds": -1}, "seconds -1; it is a positive number"),
        ({"seconds": 60, "clock": "recorded"}, "seconds 60 and clock 'recorded'; give one of them"),
        ({"split": "valid"}, "split 'valid'; it is 'val', or 'test'"),
    ):
        with pytest.raises(UsageError, match=message):
            create(tables, "tss", verbose=False, **wrong)
    with pytest.raises(TypeError, match="where"):
        create(tables, "tss", verbose=False, where="macs < 1e6")


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (lambda api: api.get_more_info(100_000, "cifar10"), UsageError, "index 100000; nb201 has 0 to 19"),
        (lambda api: api.get_more_info(-1, "cifar10"), UsageError, "and -1 is no arch of it"),
        (lambda api: api.arch(20), UsageError, "index 20; nb201 has 0 to 19"),
        (lambda api: api.query_index_by_arch(20), UsageError, "index 20; nb201 has 0 to 19"),
        (lambda api: api.query_meta_info_by_index(20), UsageError, "index 20; nb201 has 0 to 19"),
        (lambda api: api.get_more_info("|none~0|", "cifar10"), UsageError, "an arch of nb201"),
        (lambda api: api.get_more_info(3.5, "cifar10"), UsageError, "3.5 is no arch of nb201"),
        (
            lambda api: api.get_more_info(TOPOLOGY.format(*["avg_pool_3x3"] * 6), "cifar10"),
            NotAMemberError,
            "this release has .* is none of them",
        ),
        (
            lambda api: api.get_more_info(0, "cifar11"),
            UnknownNameError,
            "no dataset of nb201 named 'cif",
        ),
        (lambda api: api.get_more_info(0, "cifar10", hp="90"), UsageError, "hp '90'; .* one of '12', '200'"),
        (lambda api: api.get_more_info(0, "cifar10", hp="full-v1"), UsageError, "hp 'full-v1'; of nb201"),
        (lambda api: api.query_info_str_by_arch(0, "90"), UsageError, "hp '90'; of nb201"),
        (
            lambda api: api.get_more_info(0, "cifar10-valid", iepoch=3, hp="12"),
            UsageError,
            "iepoch 3; it is a whole number from 0 to 2",
        ),
        (
            lambda api: api.get_more_info(0, "cifar10", iepoch=1, hp="12"),
            NothingFoundError,
            "the release has no curve of",
        ),
        (
            lambda api: api.get_more_info(1, "cifar100", hp="200", is_random=999),
            NothingFoundError,
            "is_random=999: .* was trained with nb201-200 and the seeds 0, 1; True draws one",
        ),
        (
            lambda api: api.find_best("cifar10", "train", hp="12"),
            UsageError,
            "metric_on_set 'train'; it is",
        ),
        (
            lambda api: api.simulate_train_eval(0, "svhn"),
            UnknownNameError,
            "no dataset of nb201 named",
        ),
    ],
)
def test_bad_input(api, asked, error, message):
    with pytest.raises(error, match=message):
        asked(api)
    assert api.used_time == 0


def test_what_is_of_nb201_alone(ours):
    for asked in (ours.get_unique_str, ours.str2lists, lambda arch: ours.get_net_config(arch, "cifar10")):
        with pytest.raises(UsageError, match="is of nb201, and this is r1-mini"):
            asked(ours[0])


def test_a_diverged_run_has_no_accuracy_and_says_so(release):
    api = NATSBench(Bench(release), "r1-mini")
    assert sorted(api.avaliable_hps) == ["12", "4"]
    diverged = api.get_more_info(7, "cifar10", hp="4", is_random=0)
    assert diverged["valid-accuracy"] is None and diverged["comment"] == "cpu-16px-4, seed 0, diverged"
    assert api.get_more_info(7, "cifar10", hp="4", is_random=False)["valid-accuracy"] > 0  # of seed 1


def test_hp_is_a_number_of_epochs_or_a_recipe(bench, monkeypatch):
    api = NATSBench(bench, "r1")
    assert api.get_more_info(0, "cifar10")["comment"].startswith("cpu-16px-4, ")
    assert api.get_more_info(0, "cifar10", hp="12")["comment"].startswith("gpu-12, ")
    assert api.get_more_info(0, "cifar10", hp="04")["comment"].startswith("cpu-16px-4, ")
    assert api.full_train_epochs == 12
    monkeypatch.setattr(Bench, "recipes", lambda *given: ["cpu-16px-12", "gpu-12"])
    with pytest.raises(UsageError, match="of r1 on cifar10 means several; name one: cpu-16px-12, gpu-12"):
        api.get_more_info(0, "cifar10")
    assert api.get_more_info(0, "cifar10", hp="gpu-12")["comment"].startswith("gpu-12, ")


def test_a_benchmark_without_val_accuracies(nbmacro):
    api = create(nbmacro, "nbmacro", verbose=False)
    run = nbmacro.query(api[4]).run("cifar10", "macro-50", 2)
    info = api.get_more_info(4, "cifar10", is_random=2)
    assert info["test-accuracy"] == pytest.approx(100 * run.test_acc) and info["valid-accuracy"] is None
    with pytest.raises(NothingFoundError, match="try split='test'"):
        api.simulate_train_eval(4, "cifar10")
    api = create(nbmacro, "nbmacro", verbose=False, split="test", seconds=60)
    accuracy, _, seconds, _ = api.simulate_train_eval(4, "cifar10")
    accuracies = [nbmacro.query(api[4]).accuracy("cifar10", split="test", seed=seed) for seed in range(3)]
    assert accuracy in [pytest.approx(100 * one) for one in accuracies] and seconds == 60
    with pytest.raises(NothingFoundError, match="has no val accuracy on cifar10 with macro-50"):
        api.get_more_info(4, "cifar10-valid")
