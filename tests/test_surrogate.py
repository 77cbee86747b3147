"""The surrogate predicts what scikit-learn predicts, its draws are of that, and it is calibrated."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from nbzero import Arch, Bench, NothingFoundError, UnknownNameError, UsageError, space
from nbzero.metrics import kendall_tau
from nbzero.release.derived import MIN_ARCHS
from nbzero.spaces.macro import as_arch
from nbzero.spaces.points import points_of
from nbzero.surrogate import FEATURES, Kernel, Process, features, standardisation
from tests.bench.agreement import with_unseen
from tests.places import ROOT

SPACES = ("r1-mini", "r2-mini", "mb-mini")
MINI = space("r1-mini")
KERNEL = Kernel(centre=0.5, sd_smooth=0.1, length_scale=6.0, sd_arch=0.004, sd_noise=0.009)


@pytest.fixture(scope="module")
def shipped() -> Bench:
    return Bench()


@pytest.fixture(scope="module")
def fitted() -> tuple[Process, np.ndarray]:
    """A process of 30 networks, every third with two runs, and the runs (2, 30)."""
    runs = 0.5 + 0.05 * np.random.default_rng(0).normal(size=(2, 30))
    runs[1, np.arange(30) % 3 > 0] = np.nan
    return Process(
        "r1-mini", KERNEL, MINI[:30], np.nanmean(runs, axis=0), (~np.isnan(runs)).sum(axis=0)
    ), runs


def scikit(runs: np.ndarray) -> tuple[GaussianProcessRegressor, object]:
    """scikit-learn's process of the same numbers on every run, and what scales features for it."""
    raw = features(points_of("r1-mini", MINI[:30]))
    mean, sd = standardisation(raw)
    smooth = ConstantKernel(KERNEL.sd_smooth**2) * RBF(KERNEL.length_scale)
    own = ConstantKernel(KERNEL.sd_arch**2) * RBF(1e-3)
    kernel = smooth + own + WhiteKernel(KERNEL.sd_noise**2)
    seeds, places = np.nonzero(~np.isnan(runs))
    process = GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-14)
    process.fit(((raw - mean) / sd)[places], runs[seeds, places] - KERNEL.centre)
    return process, lambda archs: (features(points_of("r1-mini", archs)) - mean) / sd


def test_it_predicts_what_scikit_learn_predicts_from_every_run(fitted):
    """Networks with and without runs, and a grid point that is no member."""
    process, runs = fitted
    archs = [*MINI[:60], *map(str, Arch.parse(MINI[0]).edits()[:5])]
    theirs, scaled = scikit(runs)
    mean, sd_run = theirs.predict(scaled(archs), return_std=True)
    ours = process.predict(archs)
    assert len(ours) == 65
    np.testing.assert_allclose(ours.mean, mean + KERNEL.centre, atol=1e-9)
    np.testing.assert_allclose(ours.sd_run, sd_run, atol=1e-9)
    np.testing.assert_allclose(ours.sd_mean**2 + KERNEL.sd_noise**2, sd_run**2, atol=1e-12)
    # Two runs say more of a network than one, and any more than none.
    known = ours.sd_mean[:30]
    assert known.max() < KERNEL.sd_noise < ours.sd_mean[30:60].min() * 2
    assert known[::3].mean() < known[1::3].mean()


def test_draws_have_the_posterior_s_mean_and_covariance(fitted):
    process, runs = fitted
    archs = [MINI[0], MINI[1], MINI[40], MINI[41], MINI[40]]
    theirs, scaled = scikit(runs)
    mean, covariance = theirs.predict(scaled(archs), return_cov=True)
    noise = KERNEL.sd_noise**2
    drawn = process.draws(archs, 20_000, seed=0)
    assert drawn.shape == (20_000, 5)
    assert (drawn[:, 2] == drawn[:, 4]).all()  # one network, one draw
    wanted = covariance[:4, :4] - noise * np.eye(4)
    scale = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    np.testing.assert_allclose(np.cov(drawn[:, :4].T) / scale, wanted / scale, atol=0.04)
    errors = (drawn[:, :4].mean(axis=0) - mean[:4] - KERNEL.centre) / np.sqrt(np.diag(wanted))
    assert np.abs(errors).max() < 0.04


def test_draws_of_many_networks_have_the_sd_of_predictions(shipped):
    """More networks than are drawn jointly without remainder."""
    surrogate = shipped.surrogate("r1-mini", "cifar10")
    archs = list(dict.fromkeys(str(arch) for one in MINI[:60] for arch in Arch.parse(one).edits()))
    assert len(archs) > 1200
    drawn, said = surrogate.draws(archs, 2000, seed=3), surrogate.predict(archs)
    assert np.abs((drawn.mean(axis=0) - said.mean) / said.sd_mean).max() < 0.12
    assert np.abs(drawn.std(axis=0) / said.sd_mean - 1).max() < 0.1


def test_the_first_draws_of_more_are_the_draws_of_fewer(fitted):
    process, _ = fitted
    more = process.draws(MINI[:40], 130, seed=1)
    assert (process.draws(MINI[:40], 70, seed=1) == more[:70]).all()
    assert not np.allclose(process.draws(MINI[:40], 70, seed=2), more[:70])
    with pytest.raises(UsageError, match="num -1; it is a whole number"):
        process.draws(MINI[:40], -1, seed=1)


@pytest.mark.parametrize("name", SPACES)
def test_the_shipped_ones_are_as_good_as_a_second_training_and_calibrated(shipped, name):
    surrogate = shipped.surrogate(name, "cifar10")
    first, second = (
        shipped.table(name, ["val_acc"], dataset="cifar10", seed=seed)["val_acc"] for seed in (0, 1)
    )
    both = ~np.isnan(first) & ~np.isnan(second)
    quality = surrogate.quality
    assert quality.num_archs == surrogate.num_archs == both.sum() >= MIN_ARCHS
    assert quality.tau > kendall_tau(first[both], second[both]) > 0.7
    assert quality.rmse < np.sqrt(np.mean((first[both] - second[both]) ** 2)) * 1.05
    assert 0.92 <= quality.coverage <= 0.97
    rows = shipped.arrow("surrogates", name, "cifar10").to_pandas()
    rows = rows[rows.recipe == surrogate.recipe]
    for rival in ("xgboost", "forest"):
        worse = kendall_tau(rows[f"unseen_{rival}"], first[rows.arch_id])
        assert worse < kendall_tau(rows.unseen_mean, first[rows.arch_id])


@pytest.mark.parametrize("name", SPACES)
def test_the_readmes_agreement_is_of_one_recipe(shipped, name):
    pool = shipped.pool(name, "cifar10")
    unseen = with_unseen(shipped, pool)
    assert unseen.archs == pool.archs and unseen.accuracies is None
    assert kendall_tau(unseen.accuracy, pool.accuracy) == pytest.approx(
        shipped.surrogate(name, "cifar10").quality.tau
    )


@pytest.mark.parametrize("name", SPACES)
def test_the_shipped_predictions_are_what_the_arrays_give(shipped, name):
    surrogate = shipped.surrogate(name, "cifar10")
    said = surrogate.predict(shipped.space(name).members)
    table = shipped.arrow("predictions", name, "cifar10").to_pandas()
    table = table[table.recipe == surrogate.recipe]
    assert table.arch.tolist() == list(shipped.space(name).members)
    for column in ("mean", "sd_mean", "sd_run"):
        np.testing.assert_allclose(getattr(said, column), table[column], atol=1e-8)
    assert set(table.version) == {surrogate.version} and set(table.num_runs) == {surrogate.num_runs}
    assert set(surrogate.archs) < set(table.arch) and len(surrogate.val_acc) == surrogate.num_archs


@pytest.mark.parametrize("name", SPACES)
def test_one_network_is_predicted_as_among_many(shipped, name):
    surrogate = shipped.surrogate(name, "cifar10")
    rng = np.random.default_rng(0)
    points = [
        str(arch) for member in rng.choice(shipped.space(name).members, 4) for arch in as_arch(member).edits()
    ]
    archs = [*surrogate.archs[:20], *points]
    found = np.array([surrogate.predict_one(arch) for arch in archs])
    said = surrogate.predict(archs)
    np.testing.assert_allclose(found, np.column_stack([said.mean, said.sd_mean, said.sd_run]), rtol=1e-7)


def test_a_surrogate_is_made_once_and_pickles(shipped):
    surrogate = shipped.surrogate("r2-mini", "cifar10")
    assert shipped.surrogate("r2-mini", "cifar10", "cpu-16px-4") is surrogate
    again = pickle.loads(pickle.dumps(surrogate))
    arch = shipped.space("r2-mini")[500]
    assert again.predict([arch]).mean == surrogate.predict([arch]).mean
    assert repr(again) == repr(surrogate) and "num_archs=100, num_runs=200" in repr(surrogate)


def test_features_have_a_name_each():
    raw = features(points_of("r1-mini", ["r1-mini-s4-d2w12s1-d1w24s2-d3w32s2-d4w48s2"]))
    named = dict(zip(FEATURES, raw[0].tolist(), strict=True))
    assert named["s1_depth"] == 2 and named["s4_stride"] == 2 and named["depth"] == 10
    assert named["halved_0_depth"] == 2 and named["halved_3_log2_width"] == np.log2(49)
    three = features(points_of("r1-mini", ["r1-mini-s4-d2w12s2-d1w24s2-d2w32s2"]))[0]
    absent = dict(zip(FEATURES, three.tolist(), strict=True))
    assert absent["s4_log2_width"] == absent["s4_depth"] == absent["s4_stride"] == 0
    assert absent["halved_0_depth"] == absent["halved_0_log2_width"] == 0


def test_predicting_needs_numpy_alone():
    code = (
        "import sys, nbzero; s = nbzero.Bench().surrogate('r1-mini', 'cifar10')\n"
        "s.predict(['r1-mini-s4-d2w12s2-d1w24s2-d2w32s2']); s.draws(list(s.archs), 3)\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "numpy" in loaded and not loaded & {"sklearn", "scipy", "pyarrow", "pandas", "torch", "xgboost"}


WRONG = [
    (lambda b: b.surrogate("r1-mini", "digits"), NothingFoundError, "r1-mini on digits with cpu-16px-4 has"),
    (lambda b: b.surrogate("r1-mini", "cifar100"), NothingFoundError, "has 0 runs of 0 networks"),
    (
        lambda b: b.surrogate("mb-mini", "cifar10"),
        NothingFoundError,
        "10 runs of 10 networks.*needs runs of 20",
    ),
    (lambda b: b.surrogate("mb-mini", "cifar10"), NothingFoundError, "builders.train_shard --space mb-mini"),
    (
        lambda b: b.surrogate("mb-mini", "cifar10", "gpu-12"),
        UnknownNameError,
        "no runs.*'gpu-12'; it has cpu",
    ),
    (lambda b: b.surrogate("mb-mini", "cifar10", "none"), UnknownNameError, "no recipe named 'none'"),
    (lambda b: b.surrogate("r1-mini", "cifar10"), NothingFoundError, "with cpu-16px-4 has 78 runs of 60"),
    (lambda b: b.surrogate("r9", "cifar10"), UnknownNameError, "no space named 'r9'"),
    (lambda b: b.surrogate("r1-mini", "mnist"), UnknownNameError, "no dataset named 'mnist'"),
]


@pytest.mark.parametrize("ask, kind, said", WRONG)
def test_where_there_is_none(bench, ask, kind, said):
    with pytest.raises(kind, match=said):
        ask(bench)


def test_enough_runs_without_a_fit_say_how_to_fit(bench):
    with pytest.raises(NothingFoundError, match=r"no surrogate of them: python -m builders\.fit_surrogate"):
        bench.surrogate("r1-mini", "cifar10", "cpu-16px-4")


@pytest.mark.parametrize(
    "archs, said",
    [
        (["r1-mini-s4-d2w12s2-d1w24s2-d2w33s2"], "stage 3 has width 33"),
        (["r1-s16-d2w16s2-d1w32s2-d2w32s2"], "an arch of r1, not of r1-mini"),
        ("r1-mini-s4-d2w12s2-d1w24s2-d2w32s2", "it is a list of archs"),
    ],
)
def test_what_is_no_grid_point_of_the_space(shipped, archs, said):
    surrogate = shipped.surrogate("r1-mini", "cifar10")
    with pytest.raises(UsageError, match=said):
        surrogate.predict(archs)
    with pytest.raises(UsageError, match=said):
        surrogate.draws(archs, 3)
    if len(archs) == 1:
        with pytest.raises(UsageError, match=said):
            surrogate.predict_one(archs[0])


@pytest.mark.parametrize("archs", [None, 3])
def test_what_is_no_list_of_archs_is_refused(archs):
    with pytest.raises(UsageError, match=r"archs is .*; it is a list of archs, or an integer array"):
        Bench().surrogate("r1-mini", "cifar10").predict(archs)
