"""Where things lie: the checkout, and reference data that is no part of it. No test itself."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Reference scores, published tables and images: the folder that NBZERO_REFERENCE names, else shared beside
# the checkout.
REFERENCE = Path(os.environ.get("NBZERO_REFERENCE") or ROOT.parent / "shared")
GOLDEN = REFERENCE / "golden"
DATA = REFERENCE / "data"
