"""Judging proxies: functions of a `Pool`, the measured archs of one space, data set and recipe.

from nbzero import Bench, judge

pool = Bench().pool("r1-mini", "cifar10")
judge.mbr(pool, "zen")
"""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.judge.bias import bias as bias
    from nbzero.judge.board import Board as Board, leaderboard as leaderboard
    from nbzero.judge.budgets import Budgets as Budgets, Chain as Chain, chains_of as chains_of
    from nbzero.judge.correlations import (
        correlations as correlations,
        with_tau_intervals as with_tau_intervals,
    )
    from nbzero.judge.evaluate import Report as Report, evaluate as evaluate
    from nbzero.judge.factors import factors as factors
    from nbzero.judge.hybrid_search import HybridSearch as HybridSearch, best_hybrids as best_hybrids
    from nbzero.judge.hybrids import HYBRIDS as HYBRIDS, Hybrid as Hybrid, hybrid as hybrid
    from nbzero.judge.picks import (
        Lead as Lead,
        constrained as constrained,
        mbr as mbr,
        mbr_lead as mbr_lead,
        mbr_table as mbr_table,
    )
    from nbzero.judge.pool import (
        Pool as Pool,
        Sample as Sample,
        Selection as Selection,
        Which as Which,
        as_sample as as_sample,
    )
    from nbzero.judge.rows import CEILING as CEILING, ORACLE as ORACLE, RANDOM as RANDOM
    from nbzero.judge.scores import aligned as aligned
    from nbzero.judge.submission import Submission as Submission, check_submission as check_submission
    from nbzero.judge.transfer import Transfer as Transfer, transfer as transfer
    from nbzero.judge.votes import (
        copeland as copeland,
        log_rank_sum as log_rank_sum,
        majority as majority,
        mean_minmax as mean_minmax,
        mean_zscore as mean_zscore,
        running_best as running_best,
        swap_regularised as swap_regularised,
        vote_positions as vote_positions,
    )

__all__ = face(
    __name__,
    bias=("bias",),
    board=("Board", "leaderboard"),
    budgets=("Budgets", "Chain", "chains_of"),
    correlations=("correlations", "with_tau_intervals"),
    evaluate=("Report", "evaluate"),
    factors=("factors",),
    hybrid_search=("HybridSearch", "best_hybrids"),
    hybrids=("HYBRIDS", "Hybrid", "hybrid"),
    picks=("Lead", "constrained", "mbr", "mbr_lead", "mbr_table"),
    pool=("Pool", "Sample", "Selection", "Which", "as_sample"),
    rows=("CEILING", "ORACLE", "RANDOM"),
    scores=("aligned",),
    submission=("Submission", "check_submission"),
    transfer=("Transfer", "transfer"),
    votes=(
        "copeland",
        "log_rank_sum",
        "majority",
        "mean_minmax",
        "mean_zscore",
        "running_best",
        "swap_regularised",
        "vote_positions",
    ),
)
