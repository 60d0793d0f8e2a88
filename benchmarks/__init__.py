"""Measurements; each module runs by itself with ``python -m benchmarks.<name>`` and prints what it measured."""
