"""Benchmarks: `make bench` runs all of them, `python -m tests.bench.query` one. They print what they measure; nothing here is a test."""
