"""nbzero.proxies.trace: every proxy declares what it reads, and reads nothing else."""

import pytest

from nbzero.proxies.facts import PROXIES
from nbzero.proxies.score import COMPUTE
from nbzero.proxies.trace import OWN_PASS, READS, Trace
from tests.proxies.nets import TinyNet


def test_registry_and_functions_have_the_same_names():
    assert list(COMPUTE) == list(PROXIES)
    assert READS.keys() == COMPUTE.keys() and COMPUTE.keys() >= OWN_PASS
    for name, row in PROXIES.items():
        assert COMPUTE[name].__module__ == f"nbzero.proxies.{row.family}"


def test_a_field_that_was_not_declared_cannot_be_read(batch):
    with pytest.raises(AttributeError):
        _ = Trace(TinyNet(), *batch, seed=0).agree_BB
