"""The proxies: what is known of each, torch-free."""

from typing import TYPE_CHECKING

from nbzero.face import face

if TYPE_CHECKING:
    from nbzero.proxies.facts import (
        DOUBTS as DOUBTS,
        PROXIES as PROXIES,
        Proxy as Proxy,
        proxy as proxy,
    )

__all__ = face(__name__, facts=("DOUBTS", "PROXIES", "Proxy", "proxy"))
