"""For every test."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

# Every endpoint of the suite checks its own answers against botocore's service models.
os.environ["BIKESHARE_CHECK_RESPONSES"] = "1"


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Call a function until its result is true, and give that."""

    def call(function: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (result := function()):
            assert time.monotonic() < deadline, f"nothing happened for {seconds} s; last result: {result!r}"
            time.sleep(0.02)
        return result

    return call
