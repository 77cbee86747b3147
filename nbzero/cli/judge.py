"""Commands that judge proxies: mbr, corr, constrained, hybrid, factors, evaluate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nbzero import text
from nbzero.bench import Bench
from nbzero.cli.frame import Answer, Call, Listing, Source, left_out_note, noted, only
from nbzero.cli.options import (
    command,
    dataset_of,
    in_list,
    intervals_of,
    judging,
    names_of,
    of_release,
    words,
)
from nbzero.cli.scores import read_scores
from nbzero.errors import UsageError, count_of
from nbzero.proxies.facts import PROXIES
from nbzero.release.opened import COSTS, Accuracy, Seed, Split

if TYPE_CHECKING:
    from nbzero.judge.correlations import Undefined
    from nbzero.judge.hybrids import Rule
    from nbzero.judge.pool import Pool


@judging("cost", "joint", "spacing")
def mbr(
    call: Call, pool: "Pool", intervals: dict[str, Any], cost: list[str] | None, joint: Any, spacing: str
) -> Answer:
    """Mean best ranking (mBR) of every proxy.

    Under limits of each cost, and over the union of them: 0 is the oracle; the smallest first.
    """
    from nbzero.judge.picks import PAPER, mbr_table

    found = mbr_table(pool, cost, joint, spacing, **intervals).sorted("mbr_union")
    whole = _noted(call, pool, found)
    apart = ("_pool", "_low", "_high", "_union")
    per_cost = [name for name in whole.columns if name.startswith("mbr_") and not name.endswith(apart)]
    of_union = ("mbr_union", "mbr_union_low", "mbr_union_high", "mbr_union_pool")
    return Answer(whole, [only(whole, "proxy", *per_cost, *of_union, f"{PAPER}mbr_union", "missing")])


@judging("k", "fraction", "undefined")
def corr(
    call: Call,
    pool: "Pool",
    intervals: dict[str, Any],
    k: int | None,
    fraction: float,
    undefined: "Undefined",
) -> Answer:
    """How well every proxy orders the measured archs.

    Kendall, Spearman, Pearson, BR@K and P@topK; the highest Kendall first.
    """
    from nbzero.judge.correlations import correlations

    found = correlations(pool, k=k, fraction=fraction, **intervals, undefined=undefined)
    return Answer(_noted(call, pool, found.sorted("kendall", descending=True)))


@judging("cost", "joint", "spacing")
def constrained(
    call: Call, pool: "Pool", intervals: dict[str, Any], cost: list[str] | None, joint: Any, spacing: str
) -> Answer:
    """What every proxy picks within each limit.

    With the accuracy and the true rank of the pick; 0 is best.
    """
    from nbzero.judge.picks import constrained as picks_of

    whole = _noted(call, pool, picks_of(pool, cost, joint, spacing, **intervals))
    return Answer(whole, _pick_parts(whole))


def _noted(call: Call, pool: "Pool", source: Source) -> Listing:
    return noted(call.bench, source, pool.protocol)


def _pick_parts(source: Listing) -> list[Listing]:
    """Picks as one table for each limit, the last with the notes."""
    heads = [name for name in ("spacing", "constraint") if name in source.columns]
    limits: dict[tuple[str, ...], list[text.Row]] = {}
    for row in source:
        limits.setdefault(tuple(row[name] for name in heads), []).append(row)
    accuracy = ("accuracy", "accuracy_low", "accuracy_high")
    rank = ("true_rank", "true_rank_low", "true_rank_high")
    wanted = ("proxy", *accuracy, *rank, "num_tied", "arch")
    shown = [name for name in wanted if name in source.columns]
    parts = []
    for key, rows in limits.items():
        title = f"{': '.join(key)}: {count_of(rows[0]['pool_size'], 'arch')}"
        parts.append(Listing(shown, rows, title, doubtful=source.doubtful))
    parts[0].title = f"{source.title}\n\n{parts[0].title}"
    left = [name for name in source.columns if name not in (*shown, *heads, "pool_size")]
    parts[-1].notes = [*source.notes, *left_out_note(left)]
    return parts


def _published_hybrids(incomplete: str) -> list[str]:
    from nbzero.judge.hybrids import HYBRIDS

    return words(*HYBRIDS)(incomplete)


@command(
    *("space", "dataset", "recipe", "budgets", "spacing", "protocol", "seed", "split", "where"),
    *("score_seed", "accuracy"),
)
def hybrid(
    call: Call,
    space: str,
    dataset: str | None,
    recipe: str | None,
    budgets: Any,
    spacing: str,
    protocol: str | None,
    seed: Seed,
    split: Split,
    where: str | None,
    score_seed: Seed,
    accuracy: Accuracy,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="A published hybrid (sjw, az_nas, zen_macs, ..), instead of a search.",
            autocompletion=_published_hybrids,
        ),
    ] = None,
    proxies: Annotated[
        list[str] | None,
        typer.Option(
            "--proxies",
            "-p",
            metavar="A,B",
            help="Proxies and costs to combine, at most 24. Default: all stored, macs and params; where "
            "those are more, the paper's nine with them.",
            autocompletion=in_list([*PROXIES, *COSTS]),
        ),
    ] = None,
    rule: Annotated[
        Literal["rank_sum", "log_rank", "majority"] | None,
        typer.Option("--rule", help="How ranks are combined. Default: rank_sum."),
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(
            "--judge",
            metavar="POOL",
            help="Judge what was chosen on another pool: test, or SPACE[:DATASET[:SPLIT[:RECIPE]]]; may be "
            "repeated.",
            autocompletion=of_release(lambda bench, _: ["test", *bench.spaces]),
        ),
    ] = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            "--cost", "-c", metavar="A,B", help="Costs of mBR. Default: macs.", autocompletion=in_list(COSTS)
        ),
    ] = None,
    normalise: Annotated[
        Literal["total", "pool"],
        typer.Option("--normalise", help="Divide ranks by all N, or by the archs within the limit."),
    ] = "total",
    best: Annotated[
        int | None,
        typer.Option(
            "--top", min=1, metavar="N", help="How many of each size to list, without --judge. Default: 3."
        ),
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            "--draws",
            min=0,
            metavar="N",
            help="Of accuracies dealt out at random, for the column chance. Default: 20.",
        ),
    ] = None,
    draw_seed: Annotated[
        int | None, typer.Option("--draw-seed", min=0, metavar="N", help="Of --draws. Default: 0.")
    ] = None,
    engine: Annotated[
        Literal["auto", "numpy", "numba"] | None,
        typer.Option("--engine", help="Same results. Default: auto."),
    ] = None,
) -> Answer:
    """The best combinations of proxies of every size.

    Chosen by mBR on --split; --judge says what they are worth elsewhere.
    """
    from nbzero.judge.hybrid_search import best_hybrids
    from nbzero.judge.hybrids import hybrid as published

    of_search: dict[str, Any] = {"--proxies": proxies, "--rule": rule, "--top": best, "--draws": draws}
    of_search |= {"--draw-seed": draw_seed, "--engine": engine}
    for option, value in of_search.items():
        if name is not None and value not in (None, []):
            raise UsageError(f"{option} goes with a search, --name reports a published hybrid; leave one out")
    if draws == 0 and draw_seed is not None:
        raise UsageError("--draw-seed is of --draws, of which there are none; leave one out")
    if best is not None and judge:
        raise UsageError("--top lists combinations, --judge judges the best of each size; leave one out")
    given = published(name) if name is not None else None
    costs = names_of(cost) or ["macs"]
    which: Any = {"protocol": protocol, "seed": seed, "where": where, "score_seed": score_seed}
    on = dataset_of(call.bench, space, dataset)
    own = call.bench.pool(space, on, recipe, split=split, accuracy=accuracy, **which)
    others = [_pool_named(call.bench, named, own, which) for named in judge or ()]
    if given is not None:
        found = given.report([own, *others], costs, budgets, spacing, normalise=normalise)
        return Answer(_noted(call, own, found))
    chosen: Rule = rule or "rank_sum"
    search = best_hybrids(
        own,
        names_of(proxies),
        chosen,
        costs,
        budgets,
        spacing,
        normalise=normalise,
        draws=20 if draws is None else draws,
        draw_seed=draw_seed or 0,
        engine=engine or "auto",
    )
    table = search.judge(others) if others else search.table(best or 3)
    more = {"searched": search.members, "not_searched": search.not_searched}
    return Answer(_noted(call, own, table), keys=2, more=more)


def _pool_named(bench: Bench, named: str, own: "Pool", which: dict[str, Any]) -> "Pool":
    """The pool that is named like test (of the same runs as `own`), or SPACE[:DATASET[:SPLIT[:RECIPE]]]."""
    if named == "test":
        same = which | {"protocol": own.protocol or None, "split": "test"}
        return bench.pool(own.space, own.dataset, own.recipe, **same)
    parts = named.split(":")
    if len(parts) > 4 or not all(parts):
        raise UsageError(f"pool {named!r}; it is test, or SPACE[:DATASET[:SPLIT[:RECIPE]]]")
    space, dataset, split, recipe = (parts + [""] * 3)[:4]
    if split not in ("", "val", "test"):
        raise UsageError(f"pool {named!r} has split {split!r}; it is val or test")
    on = dataset_of(bench, space, dataset or None, by=f"{space}:DATASET")
    there = bench.recipes(space, on)
    if not recipe and there and bench.release.space(space).standard_recipe(on) is None:
        listed = " or ".join(f"{space}:{on}:{split or 'val'}:{one}" for one in there)
        several = f"{space} has runs of several recipes on {on}, which are never mixed"
        raise UsageError(f"pool {named!r}: {several}; name one: {listed}")
    return bench.pool(space, on, recipe or None, **which | {"split": split or "val"})


@command("space", "dataset", "recipe", "protocol", "seed", "split", "where", "score_seed", "accuracy")
def factors(
    call: Call,
    space: str,
    dataset: str | None,
    recipe: str | None,
    protocol: str | None,
    seed: Seed,
    split: Split,
    where: str | None,
    score_seed: Seed,
    accuracy: Accuracy,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--targets",
            "-t",
            metavar="A,B",
            help="Proxies, accuracy, costs; may be repeated. Default: all there are.",
            autocompletion=in_list(["accuracy", *COSTS, *PROXIES]),
        ),
    ] = None,
    transform: Annotated[
        Literal["rank", "raw"] | None,
        typer.Option("--transform", help="What the models predict. Default: rank."),
    ] = None,
    bias: Annotated[
        bool,
        typer.Option(
            "--bias", help="Instead: widths, depths and costs of the archs that each target likes best."
        ),
    ] = False,
    share: Annotated[
        float | None,
        typer.Option("--top", metavar="SHARE", help="Of the archs, with --bias. Default: 0.05."),
    ] = None,
) -> Answer:
    """Which stage features drive each proxy and accuracy.

    Importances of XGBoost models, beside how well they fit; or, with --bias, what the archs look like that
    each target likes best.
    """
    if share is not None and not bias:
        raise UsageError("--top goes with --bias; give both, or neither")
    if transform is not None and bias:
        raise UsageError("--transform is of the models, which --bias does not make; leave one out")
    bench, names = call.bench, names_of(targets)
    on = dataset_of(bench, space, dataset)
    which: Any = {
        "protocol": protocol,
        "seed": seed,
        "split": split,
        "where": where,
        "score_seed": score_seed,
        "accuracy": accuracy,
    }
    if bias:
        found = bench.bias(space, on, recipe, targets=names, top=0.05 if share is None else share, **which)
        shown: tuple[str, ...] = (
            "property",
            "mean",
            "pool_mean",
            "difference",
            "difference_se",
            "best_mean",
            "best_difference",
            "reason",
        )
    else:
        found = bench.factors(space, on, recipe, targets=names, transform=transform or "rank", **which)
        importances = ("gain", "permutation", "permutation_se")
        shown = ("factor", "same_as", *importances, "r2", "fits", "num_archs", "reason")
    named = bench.release.named("scores", bench.release.space(space), on, protocol)
    whole = noted(bench, found, named)
    return Answer(whole, [only(whole, "target", *shown)], keys=2)


@command(
    *("space", "dataset", "recipe", "cost", "k", "fraction", "protocol", "seed", "split", "where"),
    *("score_seed", "accuracy", "bootstrap_seed", "level", "undefined"),
)
def evaluate(
    call: Call,
    file: Annotated[
        str, typer.Argument(help="Scores by arch: CSV, JSON or Parquet; - reads CSV or JSON from stdin.")
    ],
    space: str,
    dataset: str | None,
    recipe: str | None,
    cost: list[str] | None,
    k: int | None,
    fraction: float,
    protocol: str | None,
    seed: Seed,
    split: Split,
    where: str | None,
    score_seed: Seed,
    accuracy: Accuracy,
    bootstrap_seed: int | None,
    level: float | None,
    undefined: "Undefined",
    column: Annotated[
        str | None,
        typer.Option(
            "--column",
            metavar="NAME",
            help="Of the scores. Default: score, else the only column beside arch.",
        ),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What to call the proxy.")] = "yours",
    better: Annotated[
        Literal["higher", "lower"], typer.Option("--direction", help="Which scores are better.")
    ] = "higher",
    part: Annotated[
        Literal["metrics", "picks", "intervals"], typer.Option("--part", help="Which table of the report.")
    ] = "metrics",
    budgets: Annotated[int, typer.Option("--budgets", "-b", min=1, help="How many limits a cost has.")] = 5,
    resamples: Annotated[
        int | None,
        typer.Option(
            "--resamples",
            min=1,
            metavar="N",
            help="Bootstrap resamples, with --part intervals. Default: 1000.",
        ),
    ] = None,
) -> Answer:
    """Your own proxy beside all stored ones, the verdict first.

    From a file with a score for each arch, such as nbzero score writes. Archs that it does not name narrow
    the pool; an arch that the space does not have is an error.
    """
    if part != "intervals" and not (resamples is bootstrap_seed is level is None):
        raise UsageError("--resamples, --bootstrap-seed and --level go with --part intervals")
    bench = call.bench
    scores = read_scores(file, column)
    asked = (resamples or 1000) if part == "intervals" else 0
    which: Any = {
        "protocol": protocol,
        "seed": seed,
        "split": split,
        "where": where,
        "score_seed": score_seed,
        "accuracy": accuracy,
    }
    report = bench.evaluate(
        scores,
        space,
        dataset_of(bench, space, dataset, preferred=getattr(scores, "dataset", "")),
        recipe,
        name=name,
        direction=1 if better == "higher" else -1,
        k=k,
        fraction=fraction,
        costs=cost,
        budgets=budgets,
        **intervals_of(asked, bootstrap_seed, level),
        undefined=undefined,
        **which,
    )
    scored_by = report.pool.protocol
    if part == "picks":
        whole = noted(bench, report.picks, scored_by)
        return Answer(whole, _pick_parts(whole))
    if report.intervals is not None:
        return Answer(noted(bench, report.intervals, scored_by), keys=2)
    given = sum(value is not None and value == value for value in scores.values())
    here = "stdin" if file == "-" else file
    notes = [f"With a score: {given} of {count_of(len(scores), 'arch')} in {here}, {better} ones are better."]
    whole = noted(bench, report.sorted, scored_by, *report.sentences, *notes)
    shown = only(noted(bench, report.sorted, scored_by, *notes), *_judged(whole.columns))
    shown.title = f"{report.verdict}\n\n{whole.title}"
    return Answer(whole, [shown])


def _judged(columns: Sequence[str]) -> list[str]:
    """What a reader sees of a report."""
    wanted = ("proxy", "kendall", "spearman", "pearson", "best_rank_at_k", "precision_at_top_k")
    return [name for name in (*wanted, "mbr_union", "mbr_union_pool", "even_mbr_union") if name in columns]
