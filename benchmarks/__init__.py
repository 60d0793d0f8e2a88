"""Benchmarks: run one with ``python -m benchmarks.<name>``; it prints what it measured."""
