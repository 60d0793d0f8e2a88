"""What GitHub workflows run is run: a pull request shows its plan, main applies just that plan, then there is none.

That they are workflows at all, and safe ones, is checked by `make check` (GitHub's schema, and zizmor's audits).
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from localmaker.daemon import running_endpoint

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
SHIM = """#!/bin/sh
exec "{python}" -m pipeline "$@"
"""


@dataclass(frozen=True)
class Runner:
    """Runs scripts of workflows in a folder that looks like a checkout with its environment."""

    folder: Path
    variables: dict[str, str]

    @property
    def summary(self) -> str:
        """What the scripts have written to the page of their run."""
        return (self.folder / "summary.md").read_text()

    def run(self, script: str, environment: str) -> str:
        """One script as GitHub runs it; its output."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.variables, "ENVIRONMENT": environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")
    program = folder / ".venv" / "bin" / "bikeshare"
    program.parent.mkdir(parents=True)
    program.write_text(SHIM.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with running_endpoint(tmp_path_factory.mktemp("state")) as endpoint:
        variables = {
            **os.environ,
            **endpoint.environment(),
            "PYTHONPATH": str(ROOT),
            "BIKESHARE_ACCOUNT_ID": "123456789012",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        }
        yield Runner(folder, variables)


def scripts(name: str, job: str) -> list[str]:
    """Return what a job of a workflow runs once the environment exists."""
    steps = yaml.safe_load((WORKFLOWS / name).read_text())["jobs"][job]["steps"]
    return [step["run"] for step in steps if "run" in step and step["run"] != "make environment"]


def environments(name: str, job: str) -> list[str]:
    """Return the environments that a job is for."""
    matrix = yaml.safe_load((WORKFLOWS / name).read_text())["jobs"][job]["strategy"]["matrix"]
    return matrix.get("environment") or [entry["environment"] for entry in matrix["include"]]


def test_both_workflows_are_for_the_same_environments():
    assert environments("plan.yml", "plan") == environments("deploy.yml", "deploy") == ["dev", "prod"]


def test_a_pull_request_shows_what_main_then_applies(runner):
    (validate,) = scripts("plan.yml", "validate")
    assert "No problem found" in runner.run(validate, "dev")
    (plan,) = scripts("plan.yml", "plan")
    for environment in environments("deploy.yml", "deploy"):
        planned = runner.run(plan, environment)
        assert f"+ bucket               bikeshare-{environment}-raw-123456789012" in planned
        assert f"### Plan for {environment}\n```\n" in runner.summary
        identity = next(line.split()[1] for line in planned.splitlines() if line.startswith("Plan "))
        assert identity in runner.summary
        *checks, deploy = scripts("deploy.yml", "deploy")
        for check in checks:
            runner.run(check, environment)
        deployed = runner.run(deploy, environment)
        assert f"Plan {identity}" in deployed
        assert "+ rule" in deployed
        again = runner.run(deploy, environment)
        assert "+ rule" not in again
        assert "~" not in again
        assert "+ " not in runner.run(plan, environment)


def test_no_workflow_holds_a_key():
    for path in WORKFLOWS.glob("*.yml"):
        text = path.read_text()
        assert "secrets." not in text, path.name
        assert "aws-access-key-id" not in text, path.name
