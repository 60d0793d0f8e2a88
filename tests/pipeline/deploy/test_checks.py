"""Deploy runs the offline checks first, and changes nothing where they find a problem."""

from __future__ import annotations

import pytest
from rich.console import Console

from pipeline.aws.clients import Aws
from pipeline.definition.bundle import build_bundle
from pipeline.deploy import checks, compiled
from pipeline.deploy.engine.resource import Action
from pipeline.deploy.operations import deploy_environment, plan_environment
from pipeline.errors import DefinitionError
from pipeline.settings.contract import FLOWS
from pipeline.settings.environment import load_settings


def test_a_definition_with_a_problem_is_not_deployed(aws, monkeypatch, tmp_path):
    settings = load_settings("local").model_copy(update={"project": "checked"})
    clients = Aws(settings)
    bundle = build_bundle()
    good = compiled.compiled_definitions(settings, bundle, FLOWS)
    # A cache of its own holds what a change to the sources might have made.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for flow, definition in good.items():
        path = compiled.cache_folder() / compiled.input_digest(settings, bundle, flow)
        compiled._write(path, definition.replace("1.9-0-cpu-py3", "latest"))
    with pytest.raises(DefinitionError, match=r"step Train, .*TrainingImage: .*\[images-pinned\]") as refused:
        deploy_environment(settings, clients, Console(quiet=True))
    assert "bikeshare validate --env local" in str(refused.value)
    actions = {change.resource.name: change.action for change in plan_environment(settings, clients).changes}
    assert actions[settings.training_pipeline_name] is Action.CREATE
    assert actions[settings.raw_bucket] is Action.CREATE


def test_a_script_with_a_problem_is_not_deployed(monkeypatch):
    sources = {**checks.script_sources(), "publish.py": "scaler.fit(rows)\n"}
    monkeypatch.setattr(checks, "script_sources", lambda: sources)
    with pytest.raises(DefinitionError, match=r"steps/publish\.py:1: .*\[fit-in-training-only\]"):
        checks.refuse_wrong_definitions(load_settings("local"), build_bundle())
