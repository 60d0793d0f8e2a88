"""For every test."""

from __future__ import annotations

import pytest
from definition_builder import Build

pytest_plugins = ["budgets"]


@pytest.fixture
def build():
    return Build
