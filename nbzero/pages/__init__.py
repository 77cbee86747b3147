"""Pages: HTML files that need nothing but a browser. Their data, charts and code are in them."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.pages.explorer import write_explorer as write_explorer
    from nbzero.pages.leaderboard import write_leaderboard as write_leaderboard
    from nbzero.pages.report import write_report as write_report

__all__ = face(
    __name__,
    explorer=("write_explorer",),
    leaderboard=("write_leaderboard",),
    report=("write_report",),
)
