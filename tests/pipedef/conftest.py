"""Compiled definitions to spoil, and a way to run one check alone."""

from __future__ import annotations

import json

import pytest

from pipedef.document.definition import BRANCHES, read_definition
from pipedef.linter.runner import registered
from pipeline.definition.bundle import build_bundle
from pipeline.definition.compiler import compile_scoring, compile_training
from pipeline.deploy.checks import deployment_around, script_sources
from pipeline.settings.environment import load_settings


class Draft:
    """A definition that a test changes before it is checked."""

    def __init__(self, text):
        self.content = json.loads(text)

    def _steps(self, items):
        for item in items:
            yield item
            for branch in BRANCHES:
                yield from self._steps(item["Arguments"].get(branch, []))

    def step(self, name):
        return next(item for item in self._steps(self.content["Steps"]) if item["Name"] == name)

    def arguments(self, name):
        return self.step(name)["Arguments"]

    def parameter(self, name):
        return next(item for item in self.content["Parameters"] if item["Name"] == name)

    def input(self, step, name):
        return next(item for item in self.arguments(step)["ProcessingInputs"] if item["InputName"] == name)["S3Input"]

    def read(self):
        return read_definition(json.dumps(self.content), "draft.json")


@pytest.fixture(scope="session")
def settings():
    return load_settings("prod")


@pytest.fixture(scope="session")
def bundle():
    return build_bundle()


@pytest.fixture(scope="session")
def compiled(settings, bundle):
    return {"training": compile_training(settings, bundle), "scoring": compile_scoring(settings, bundle)}


@pytest.fixture
def training(compiled):
    return Draft(compiled["training"])


@pytest.fixture
def scoring(compiled):
    return Draft(compiled["scoring"])


@pytest.fixture(scope="session")
def deployments(settings, bundle, compiled):
    return {flow: deployment_around(settings, bundle, compiled, flow) for flow in compiled}


@pytest.fixture(scope="session")
def sources():
    return script_sources()


@pytest.fixture(scope="session")
def problems(deployments):
    """problems(check, draft, deployment): what one check finds; sources instead of a draft for checks of scripts."""

    def run(name, subject, deployment=None):
        check = next(check for check in registered() if check.name == name)
        if check.on_sources is not None:
            return list(check.on_sources(subject))
        if check.on_deployment is not None:
            return list(check.on_deployment(subject.read(), deployment or deployments["training"]))
        return list(check.on_definition(subject.read()))

    return run
