"""What GitHub workflows run is run: a plan is shown, just that one applied, then there is no drift until there is one.

That they are workflows at all, and safe ones, is checked by `make check` (GitHub's schema, and zizmor's audits).
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from localmaker.daemon import EndpointHandle, running_endpoint

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
SHIM = """#!/bin/sh
exec "{python}" "$@"
"""


@dataclass(frozen=True)
class Runner:
    """Runs scripts of workflows in a folder that looks like a checkout with its environment."""

    folder: Path
    variables: dict[str, str]
    endpoint: EndpointHandle

    @property
    def summary(self) -> str:
        """What the scripts have written to the page of their run."""
        return (self.folder / "summary.md").read_text()

    def run(self, script: str, environment: str, code: int = 0, **more: str) -> str:
        """One script as GitHub runs it, with more variables, until it ends with a code; its output."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.variables, "ENVIRONMENT": environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")
    program = folder / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(SHIM.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (folder / ".github").mkdir()
    shutil.copy(ROOT / ".github" / "drift.sh", folder / ".github")
    with running_endpoint(tmp_path_factory.mktemp("state")) as endpoint:
        variables = {
            **os.environ,
            **endpoint.environment(),
            "PYTHONPATH": str(ROOT),
            "BIKESHARE_ACCOUNT_ID": "123456789012",
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "DRIFT_WAIT_SECONDS": "0",
        }
        yield Runner(folder, variables, endpoint)


def workflow(name: str) -> dict[str, Any]:
    """Return a workflow's document."""
    return yaml.safe_load((WORKFLOWS / name).read_text())


def scripts(name: str, job: str) -> list[str]:
    """Return what a job of a workflow runs once the environment exists."""
    steps = workflow(name)["jobs"][job]["steps"]
    return [step["run"] for step in steps if "run" in step and step["run"] != "make environment"]


def environments(name: str, job: str) -> list[str]:
    """Return the environments that a job is for."""
    matrix = workflow(name)["jobs"][job]["strategy"]["matrix"]
    return matrix.get("environment") or [entry["environment"] for entry in matrix["include"]]


def test_all_workflows_are_for_the_same_environments():
    # YAML reads the key `on` as a boolean.
    choices = workflow("destroy.yml")[True]["workflow_dispatch"]["inputs"]["environment"]["options"]
    for name, job in (("plan.yml", "plan"), ("deploy.yml", "deploy"), ("drift.yml", "drift")):
        assert environments(name, job) == choices == ["dev", "prod"]


@pytest.mark.parametrize(
    ("name", "group", "role"),
    [
        ("deploy", "matrix.environment", "vars.AWS_DEPLOY_ROLE"),
        ("destroy", "inputs.environment", "vars.AWS_DESTROY_ROLE"),
    ],
)
def test_changing_jobs_wait_for_each_other_and_are_of_main_only(name, group, role):
    """None is cancelled: neither half-way, nor while it waits for another."""
    document = workflow(f"{name}.yml")
    job = document["jobs"][name]
    assert job["concurrency"] == {"group": f"environment-${{{{ {group} }}}}", "queue": "max"}
    assert "concurrency" not in document
    assert job["if"] == "github.ref == 'refs/heads/main'"
    (credentials,) = [step for step in job["steps"] if "configure-aws-credentials" in step.get("uses", "")]
    assert credentials["with"]["role-to-assume"] == f"${{{{ {role} }}}}"


@pytest.mark.parametrize("name", ["plan", "drift"])
def test_reading_jobs_do_not_wait_for_a_deployment_that_waits_for_its_reviewer(name):
    document = workflow(f"{name}.yml")
    job = document["jobs"][name]
    assert "concurrency" not in {*job, *document}
    (credentials,) = [step for step in job["steps"] if "configure-aws-credentials" in step.get("uses", "")]
    assert credentials["with"]["role-to-assume"] == "${{ vars[matrix.role] }}"


def test_reading_jobs_take_the_role_that_reads():
    plan, drift = (workflow(f"{name}.yml")["jobs"][name]["strategy"]["matrix"] for name in ("plan", "drift"))
    assert plan == drift
    assert [entry["role"] for entry in drift["include"]] == ["AWS_PLAN_ROLE_DEV", "AWS_PLAN_ROLE_PROD"]


def test_actions_are_named_by_commit_and_the_same_everywhere():
    used = [
        line.partition("uses:")[2].strip()
        for path in sorted(WORKFLOWS.glob("*.yml"))
        for line in path.read_text().splitlines()
        if "uses:" in line
    ]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one) for one in used), used
    assert len({one.partition("@")[0] for one in used}) == len(set(used)) == 5


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


def test_what_was_changed_by_hand_fails_the_drift_until_it_is_deployed_again(runner):
    (drift,) = scripts("drift.yml", "drift")
    *_, deploy = scripts("deploy.yml", "deploy")
    runner.run(deploy, "dev")
    assert "No drift" in runner.run(drift, "dev")
    runner.endpoint.client("events", "eu-west-1").disable_rule(Name="bikeshare-dev-training-upload")
    seen = runner.run(drift, "dev", code=2)
    assert seen.count("resources differ from settings and sources") == 3
    runner.run(deploy, "dev")
    assert "No drift" in runner.run(drift, "dev")


def test_an_environment_is_removed_only_by_its_name_and_its_data_only_on_request(runner):
    (destroy,) = scripts("destroy.yml", "destroy")
    *_, deploy = scripts("deploy.yml", "deploy")
    runner.run(deploy, "dev")
    bucket = "bikeshare-dev-raw-123456789012"
    s3 = runner.endpoint.client("s3", "eu-west-1")
    s3.put_object(Bucket=bucket, Key="raw/kept.csv", Body=b"x")
    refused = runner.run(destroy, "dev", code=1, CONFIRMATION="prod", DELETE_DATA="true")
    assert "The confirmation is not dev: nothing is removed." in refused
    kept = runner.run(destroy, "dev", CONFIRMATION="dev", DELETE_DATA="false")
    assert "- rule" in kept
    assert s3.head_bucket(Bucket=bucket)
    removed = runner.run(destroy, "dev", CONFIRMATION="dev", DELETE_DATA="true")
    assert f"- bucket               {bucket}" in removed


def test_no_workflow_holds_a_key():
    for path in WORKFLOWS.glob("*.yml"):
        text = path.read_text()
        assert "secrets." not in text, path.name
        assert "aws-access-key-id" not in text, path.name
