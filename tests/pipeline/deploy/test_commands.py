"""The commands as processes: killed and repeated, and which of them import the SageMaker SDK."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import typer.main

from pipeline.aws.clients import Aws
from pipeline.cli import app
from pipeline.definition.bundle import build_bundle
from pipeline.deploy.stack import resources_to_remove
from pipeline.settings.contract import FLOWS
from pipeline.settings.environment import load_settings

pytestmark = pytest.mark.xdist_group("deploy")

WITHOUT_SDK = [
    ["--help"],
    ["plan"],
    ["plan", "--json"],
    ["drift"],
    ["synth", "scoring"],
    ["deploy"],
    ["runs"],
    ["start", "raw/training/none.csv"],
    ["watch"],
    ["stop"],
    ["retry"],
    ["logs"],
    ["report"],
    ["predictions"],
    ["backup", "--to", "{folder}"],
    ["restore", "--from", "{folder}", "--env", "local", "--yes"],
    ["model", "list"],
    ["model", "approve", "1"],
    ["model", "card", "1"],
    ["dataset", "check", "datasets/red_wine.toml"],
    ["dataset", "draft", "none.csv"],
    ["validate", "--list"],
    ["local", "status"],
    ["trust-policy", "--repository", "a/b"],
    ["destroy", "--yes", "--delete-data"],
    ["destroy", "--yes"],
]
# Runs each command in one process and tells which of them brought the SDK in.
PROBE = """
import json, sys
from pipeline.cli import app
from pipeline.errors import PipelineError
told = []
for arguments in json.loads(sys.argv[1]):
    try:
        app(arguments)
    except SystemExit as end:
        code = end.code
    except PipelineError as error:  # nothing has run yet
        code = error.exit_code
    told.append([arguments[0], code, "sagemaker" in sys.modules])
print("TOLD", json.dumps(told))
"""


@pytest.fixture
def environment_of_ours(aws, monkeypatch):
    """Use a project name of the test's own, for this process and those that it starts."""
    monkeypatch.setenv("BIKESHARE_PROJECT", "commands")
    monkeypatch.setenv("NO_COLOR", "1")
    return load_settings("local")


def bikeshare(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments], capture_output=True, text=True, check=False, env=os.environ
    )


@pytest.mark.slow
def test_killed_for_good_and_repeated(aws, environment_of_ours, tmp_path):
    settings = environment_of_ours
    own = Aws(settings)
    for last in ("role", "queue", "pipeline"):
        with subprocess.Popen(
            [sys.executable, "-m", "pipeline", "deploy"], stdout=subprocess.PIPE, text=True, env=os.environ
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith(f"+ {last}"):
                    process.send_signal(signal.SIGKILL)
                    break
        assert process.returncode in (-signal.SIGKILL, 0)
        states = {
            thing.name: thing.current(own)
            for thing in resources_to_remove(settings, build_bundle())
            if thing.kind in {"rule", "pipeline"}
        }
        if states[settings.training_pipeline_name] is None:
            assert states[settings.rule_name("training")] is None
    deployed = bikeshare("deploy", "--json")
    assert deployed.returncode == 0
    # Destroy also looks for what settings with a schedule, and with an alarm on coverage, would have made.
    alarms = map(settings.coverage_alarm_name, FLOWS)
    never_made = {settings.scheduler_role_name, settings.schedule_name, *alarms}
    to_remove = [thing.name for thing in resources_to_remove(settings, build_bundle()) if thing.name not in never_made]
    assert [change["name"] for change in json.loads(deployed.stdout)["changes"]] == to_remove
    planned = bikeshare("plan", "--json")
    assert planned.returncode == 0, planned.stdout
    assert json.loads(planned.stdout)["empty"]
    own.events.disable_rule(Name=settings.rule_name("training"))
    drifted = bikeshare("drift")
    assert drifted.returncode == 2
    assert 'state: "DISABLED" → "ENABLED"' in drifted.stdout
    # Everything is compiled by now, so none of these needs the SDK.
    asked = [[word.format(folder=tmp_path / "backup") for word in arguments] for arguments in WITHOUT_SDK]
    probe = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(asked)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    told = json.loads(probe.stdout.rsplit("TOLD ", 1)[1])
    assert [command for command, _, imported in told if imported] == []
    codes = {command: code for command, code, _ in told}
    assert {
        code for command, code in codes.items() if command in {"start", "watch", "stop", "retry", "logs", "report"}
    } == {6}
    assert (codes["deploy"], codes["destroy"], codes["backup"]) == (0, 0, 0)
    again = json.loads(bikeshare("destroy", "--yes", "--json").stdout)
    assert {thing["kind"] for thing in again if thing["removed"]} == set()
    assert len(again) == len(resources_to_remove(settings, build_bundle()))


def test_every_command_that_compiles_nothing_is_asked_whether_it_imports_the_sdk():
    compiling = {
        ("validate",),
        ("preflight",),
        ("demo",),
        ("local", "prepare"),
        ("local", "up"),
        ("local", "down"),
    }
    commands = typer.main.get_command(app).commands
    names = {
        words
        for name, one in commands.items()
        for words in ([(name, inner) for inner in one.commands] if hasattr(one, "commands") else [(name,)])
    }
    asked = {tuple(word for word in arguments[:2] if not word.startswith("-")) for arguments in WITHOUT_SDK}
    assert {
        words for words in names - compiling if words not in asked and words[:1] not in {one[:1] for one in asked}
    } == set()


@pytest.mark.slow
@pytest.mark.randomised("kills")
def test_killed_at_a_random_moment_and_repeated(aws, environment_of_ours, seed):
    """Deploy, killed for good some time after some line, leaves nothing that a second deploy does not set right."""
    draw = random.Random(seed)
    settings = environment_of_ours
    changes = len(resources_to_remove(settings, build_bundle()))
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "deploy"], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        for _ in range(draw.randint(1, changes)):
            process.stdout.readline()
        time.sleep(draw.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
    assert process.returncode in (-signal.SIGKILL, 0)
    repeated = bikeshare("deploy")
    assert repeated.returncode == 0, repeated.stdout + repeated.stderr
    planned = bikeshare("plan", "--json")
    assert planned.returncode == 0, planned.stdout
    assert json.loads(planned.stdout)["empty"]
    destroyed = bikeshare("destroy", "--yes", "--delete-data")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
