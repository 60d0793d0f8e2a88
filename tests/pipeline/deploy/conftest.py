"""Resources are tried against the running local endpoint, over HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from pipeline.aws import Aws
from pipeline.local.daemon import running_endpoint
from pipeline.settings import load_settings


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Clients of an endpoint that the tests here share; each test takes names of its own."""
    with (
        running_endpoint(tmp_path_factory.mktemp("state")) as endpoint,
        mock.patch.dict(os.environ, endpoint.environment()),
    ):
        yield Aws(load_settings("local"))
