"""Pipelines and their versions."""
