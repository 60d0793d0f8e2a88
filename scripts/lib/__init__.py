"""Helpers that the programs share."""
