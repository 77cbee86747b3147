"""Metrics: arrays in, one number out.

They say how well a score orders archs by accuracy, and what it picks under a budget.

Everywhere a higher score is better: the caller applies each proxy's direction. N archs, P proxies, B budgets.

    true rank   of an arch in a pool: how many archs of the pool are strictly more accurate; 0 is best
    NaN         an absent score, which ranks below every number; -inf is a number
    ties        the result is the mean over the ways to break them, so the order of the archs never matters
"""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.metrics.arrays import (
        codes as codes,
        is_rounding as is_rounding,
        ranks as ranks,
        small_codes as small_codes,
        true_ranks as true_ranks,
    )
    from nbzero.metrics.bootstrap import (
        Interval as Interval,
        Resampled as Resampled,
        bootstrap as bootstrap,
        bootstrap_mbr as bootstrap_mbr,
        check_bootstrap as check_bootstrap,
        interval as interval,
        noise_ceiling as noise_ceiling,
        redrawn as redrawn,
        redrawn_picks as redrawn_picks,
        resampled as resampled,
        resampled_mbr as resampled_mbr,
        resampled_picks as resampled_picks,
    )
    from nbzero.metrics.correlations import (
        kendall_tau as kendall_tau,
        pearson as pearson,
        spearman_rho as spearman_rho,
    )
    from nbzero.metrics.nemenyi import (
        Comparison as Comparison,
        critical_difference as critical_difference,
        nemenyi as nemenyi,
    )
    from nbzero.metrics.picks import (
        MAX_LIMITS as MAX_LIMITS,
        NORMALISATIONS as NORMALISATIONS,
        SPACINGS as SPACINGS,
        Picks as Picks,
        budget_limits as budget_limits,
        given_limits as given_limits,
        is_number_of_limits as is_number_of_limits,
        mbr as mbr,
        mean_rank as mean_rank,
        picks as picks,
        within as within,
    )
    from nbzero.metrics.top import (
        best_rank_at_k as best_rank_at_k,
        precision_at_top_k as precision_at_top_k,
    )

__all__ = face(
    __name__,
    arrays=("codes", "is_rounding", "ranks", "small_codes", "true_ranks"),
    bootstrap=(
        "Interval",
        "Resampled",
        "bootstrap",
        "bootstrap_mbr",
        "check_bootstrap",
        "interval",
        "noise_ceiling",
        "redrawn",
        "redrawn_picks",
        "resampled",
        "resampled_mbr",
        "resampled_picks",
    ),
    correlations=("kendall_tau", "pearson", "spearman_rho"),
    nemenyi=("Comparison", "critical_difference", "nemenyi"),
    picks=(
        "MAX_LIMITS",
        "NORMALISATIONS",
        "SPACINGS",
        "Picks",
        "budget_limits",
        "given_limits",
        "is_number_of_limits",
        "mbr",
        "mean_rank",
        "picks",
        "within",
    ),
    top=("best_rank_at_k", "precision_at_top_k"),
)
