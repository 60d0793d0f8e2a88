"""Executions: start, find, watch, logs, costs."""
