"""Outcomes that arrive later, joined with what was predicted before: errors and coverage as they came true."""
