"""Benchmarks: `make bench` runs all, `python -m tests.bench.query` one.

They print what they measure. Nothing here is a test.
"""
