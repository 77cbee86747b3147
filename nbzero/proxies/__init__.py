"""The proxies: what is known of each, and the scores of a network.

What is known needs neither torch nor numpy. `score`, `Scores`, `Protocol` and `PROTOCOLS` need torch: pip
install 'nbzero[torch]'.
"""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.proxies.facts import (
        DOUBTS as DOUBTS,
        PROXIES as PROXIES,
        Proxy as Proxy,
        proxy as proxy,
    )
    from nbzero.proxies.protocol import PROTOCOLS as PROTOCOLS, Protocol as Protocol
    from nbzero.proxies.score import Scores as Scores, score as score

__all__ = face(
    __name__,
    facts=("DOUBTS", "PROXIES", "Proxy", "proxy"),
    protocol=("PROTOCOLS", "Protocol"),
    score=("Scores", "score"),
)
