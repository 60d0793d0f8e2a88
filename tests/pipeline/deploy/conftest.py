"""Resources are tried against the running local endpoint, over HTTP."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.definition.bundle import Bundle, pack_functions
from pipeline.deploy.engine.resource import Resource
from pipeline.deploy.resources.log_groups import LogGroup
from pipeline.deploy.stack import resources
from pipeline.settings.contract import FLOWS
from pipeline.settings.environment import Settings, environment_names, load_settings
from pipeline.settings.sections import Quality, Schedule
from pipeline.step_code import Lock

DEFINITION = json.dumps(
    {"Version": "2020-12-01", "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]}
)


class KilledError(BaseException):
    """Stands for the end of the process: nothing catches it."""


class BreakableAws(Aws):
    """Clients that die before a call, once told how many calls are left."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.calls_left: int | None = None

    def _new_client(self, service: str) -> Any:
        client = super()._new_client(service)
        client.meta.events.register("before-call", self._count)
        return client

    def _count(self, **_: Any) -> None:
        if self.calls_left is None:
            return
        if self.calls_left == 0:
            self.calls_left = None
            raise KilledError
        self.calls_left -= 1


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Compiled definitions and wheels are kept for these tests, and not in anybody's home."""
    folder = tmp_path_factory.mktemp("cache")
    with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(folder)}):
        yield folder


@pytest.fixture(scope="session")
def small_lock(cache: Path) -> Lock:
    """Return a lock of two wheels, which are in the cache; pip can get them from nowhere."""
    folder, text = cache / "bikeshare" / "wheels", "# a lock\n"
    folder.mkdir(parents=True, exist_ok=True)  # where an earlier test has compiled a definition
    for name in ("small", "tiny"):
        (folder / f"{name}-1.0-py3-none-any.whl").write_text(name)
        text += f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(name.encode()).hexdigest()}\n"
    return Lock.of(text)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BreakableAws]:
    """Clients of an endpoint that the tests here share; each test takes names of its own."""
    with (
        running_endpoint(tmp_path_factory.mktemp("state")) as endpoint,
        mock.patch.dict(os.environ, endpoint.environment()),
    ):
        yield BreakableAws(load_settings("local"))


@pytest.fixture
def habitual(seed: int, tmp_path: Path) -> Iterator[BreakableAws]:
    """Clients of an endpoint of the test's own, with the habits of a seed; not in us-east-1, which is lenient."""
    with (
        mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-1"}),
        running_endpoint(tmp_path, habits=seed) as endpoint,
        mock.patch.dict(os.environ, endpoint.environment()),
    ):
        yield BreakableAws(load_settings("local").model_copy(update={"region": endpoint.region}))


@pytest.fixture(scope="session", params=environment_names())
def environment(request: pytest.FixtureRequest) -> Settings:
    """Return the settings of each shipped environment, but in the local endpoint's account."""
    with mock.patch.dict(os.environ, {"BIKESHARE_ACCOUNT_ID": "123456789012"}):
        return load_settings(request.param)


@pytest.fixture
def killed() -> type[BaseException]:
    """Return the error that a :class:`BreakableAws` dies of."""
    return KilledError


@pytest.fixture(scope="session")
def stack_factory(small_lock: Lock) -> Callable[..., list[Resource]]:
    """Return a factory of the real list of resources, with definitions of one step, under a given project name."""

    def _stack(project: str, **changes: Any) -> list[Resource]:
        scheduled = {"schedule": Schedule(expression="cron(0 3 1 * ? *)", timezone="Europe/Zurich")}
        alarmed = {"quality": Quality(coverage_alarm=0.85)}
        settings = load_settings("local").model_copy(update={"project": project, **scheduled, **alarmed, **changes})
        bundle = Bundle("ab" * 32, b"archive", b"launcher", pack_functions(), small_lock)
        found = resources(settings, bundle, dict.fromkeys(FLOWS, DEFINITION))
        # The jobs' log groups are one for the whole account; here each test has its own.
        return [
            dataclasses.replace(thing, name=f"/{project}{thing.name}") if isinstance(thing, LogGroup) else thing
            for thing in found
        ]

    return _stack


@pytest.fixture
def stack(stack_factory: Callable[..., list[Resource]]) -> Callable[..., list[Resource]]:
    """Return the same, by the name that most tests use."""
    return stack_factory
