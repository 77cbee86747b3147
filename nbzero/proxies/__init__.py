"""The proxies: what is known of each, and the scores of a network.

What is known needs neither torch nor numpy. `score`, `Scores`, `Protocol`, `PROTOCOLS`, `protocol_batch` and
`protocol_net` need torch: pip install '.[torch]'. So does `score_archs`, unless the function to score
reads the arch alone.
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
    from nbzero.proxies.own import score_archs as score_archs
    from nbzero.proxies.protocol import (
        PROTOCOLS as PROTOCOLS,
        Protocol as Protocol,
        protocol_batch as protocol_batch,
        protocol_net as protocol_net,
    )
    from nbzero.proxies.score import Scores as Scores, score as score
    from nbzero.proxies.scored import OwnScores as OwnScores

__all__ = face(
    __name__,
    facts=("DOUBTS", "PROXIES", "Proxy", "proxy"),
    own=("score_archs",),
    protocol=("PROTOCOLS", "Protocol", "protocol_batch", "protocol_net"),
    score=("Scores", "score"),
    scored=("OwnScores",),
)
