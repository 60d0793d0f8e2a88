"""An account is gone; from Git and a backup everything comes back in another region, and predicts the same."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest

from analysis.features.stored import stored_groups
from localmaker.daemon import running_endpoint
from localmaker.services.iam.recording import read_actions
from pipeline.aws.clients import Aws
from pipeline.recovery.permissions import backup_policy
from pipeline.results.features import read_features
from pipeline.settings.environment import load_settings
from tests.end_to_end.conftest import ROOT, Deployed, environment_of
from tests.git_server import git, git_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

KEY = "raw/scoring/next.csv"
ROWS = ("2018-06-01", "2019-12-31")
#: Nothing is connected here; tests/pipeline/recovery/test_notebook.py does that.
UNUSED = {"sagemaker:DescribeNotebookInstance", "sagemaker:ListNotebookInstances"}
SAME = ("date", "prediction", "lower_95", "upper_95")


@dataclass(frozen=True)
class Lost:
    """What was there, and its backup."""

    backup: Path
    to_score: bytes
    predicted: list[list[str]]
    package: dict[str, Any]
    features: pd.DataFrame
    as_of: datetime
    records: list[dict[str, str]]


def predicted(environment: Deployed) -> list[list[str]]:
    """Return the columns of the newest prediction of the file to score that have to be the same."""
    (content,) = (body for key, body in environment.predictions().items() if "/next-" in key)
    return [[row[name] for name in SAME] for row in csv.DictReader(io.StringIO(content.decode()))]


def known(environment: Deployed, as_of: datetime) -> pd.DataFrame:
    """Return what the offline store knew at a moment, in one order of rows and columns."""
    found = read_features(environment.aws, as_of=as_of)
    identifier = stored_groups(environment.settings.declared).inputs.identifier
    return found.sort_values(identifier).reset_index(drop=True)[sorted(found.columns)]


def keys_of_a_backup(environment: Deployed) -> dict[str, str]:
    """Return credentials that can do what the generated policy allows, and nothing else."""
    iam, sts = environment.endpoint.client("iam"), environment.endpoint.client("sts")
    account = environment.settings.account_id
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName="backups", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    policy = json.dumps(backup_policy(environment.settings))
    iam.put_role_policy(RoleName="backups", PolicyName="generated", PolicyDocument=policy)
    found = sts.assume_role(RoleArn=arn, RoleSessionName="backups")["Credentials"]
    names = {"ACCESS_KEY_ID": "AccessKeyId", "SECRET_ACCESS_KEY": "SecretAccessKey", "SESSION_TOKEN": "SessionToken"}
    return {f"AWS_{name}": found[value] for name, value in names.items()}


@pytest.fixture(scope="module")
def lost(deployed_state, day_csv, tmp_path_factory) -> Iterator[Lost]:
    folder, record = tmp_path_factory.mktemp("elsewhere") / "backup", tmp_path_factory.mktemp("record") / "actions"
    lines = day_csv.splitlines(keepends=True)
    # The outcomes of the last days arrive later, with the file to score.
    to_score = b"".join([lines[0], *lines[-30:]])
    with (
        running_endpoint(deployed_state("bike_sharing"), enforce_iam=True, record_actions=record) as endpoint,
        mock.patch.dict(os.environ, {**endpoint.environment(), "BIKESHARE_DATASET": "bike_sharing"}),
    ):
        settings = load_settings("local")
        there = Deployed(endpoint, settings, Aws(settings))
        assert there.run("raw/training/day.csv", b"".join(lines[:-30])).status == "Succeeded"
        there.command("model", "approve", "1", "--reason", "Agreed on Tuesday")
        there.history(len(lines) - 31)
        as_of = datetime.now(UTC)
        assert there.run(KEY, to_score, "scoring").status == "Succeeded"
        there.history(len(lines) - 1)
        done = there.command("backup", "--to", str(folder), "--features", variables=keys_of_a_backup(there))
        assert "versions 1, in use 1" in done.stdout
        (package,) = there.model_packages()
        found = Lost(
            folder, to_score, predicted(there), package, known(there, as_of), as_of, [there.stored(row) for row in ROWS]
        )
    # What the policy allows is what the backup uses.
    with record.open() as actions:
        used = {call.action for principal, call, _ in read_actions(actions) if ":role/backups" in principal}
    allowed = {action for statement in backup_policy(settings)["Statement"] for action in statement["Action"]}
    assert used - {"sts:GetCallerIdentity"} == allowed - UNUSED
    return found


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Iterator[str]:
    """URL of a Git server that has the project as it is here, tagged v1."""
    with git_server(tmp_path_factory.mktemp("served")) as server:
        url, work = server.create("bikeshare"), server.folder / "work"
        listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
        for name in (name for name in listed if (ROOT / name).is_file() and not (ROOT / name).is_symlink()):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, work / name)
        git(work, "init", "--quiet", "--initial-branch=main")
        git(work, "add", "--all", "--force")
        git(work, "commit", "--quiet", "--message", "The project")
        git(work, "tag", "v1")
        git(work, "push", "--quiet", str(server.folder / "bikeshare.git"), "main", "v1")
        yield url


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Iterator[Deployed]:
    """An account that has nothing, in another region."""
    with (
        mock.patch.dict(os.environ, {"BIKESHARE_REGION": "eu-west-1"}),
        environment_of(tmp_path_factory.mktemp("state"), "bike_sharing") as environment,
    ):
        yield environment


def restoration(repository: str, backup: Path, folder: Path, *options: str) -> list[str]:
    named = ["--from", repository, "--env", "local", "--ref", "v1", "--artifacts", str(backup), "--into", str(folder)]
    return ["restore", *named, "--yes", *options]


def kill_at(environment: Deployed, words: list[str], line: str, times: int) -> None:
    """Run a command, and kill it and its children once it has printed something so many times."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *words],
        env={**os.environ, **environment.endpoint.environment()},
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    seen: list[str] = []
    with process.stderr as stderr:
        for printed in stderr:
            seen.append(printed)
            if sum(line in one for one in seen) == times:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "".join(seen)


def test_everything_comes_back(lost, repository, empty, tmp_path) -> None:
    command, clone = restoration(repository, lost.backup, tmp_path / "clone"), tmp_path / "clone"
    # What is damaged or cut off is refused before anything is made.
    for damage, words in (("objects", "is missing: the backup is not whole"), ("backup.json", "There is no backup in")):
        damaged = tmp_path / f"damaged-{words[-2:]}"
        shutil.copytree(lost.backup, damaged)
        next(
            path for path in damaged.rglob("*") if damage in str(path.relative_to(damaged)) and path.is_file()
        ).unlink()
        refused = empty.command(*restoration(repository, damaged, clone), check=False)
        assert (refused.returncode, words in refused.stderr) == (10, True), refused.stderr
    assert empty.aws.s3.list_buckets()["Buckets"] == []
    assert not clone.exists()

    # Killed while it deploys, killed once it has registered, and repeated.
    kill_at(empty, command, "+ feature group", 3)
    kill_at(empty, command, "registered as version", 1)
    done = empty.command(*command, "--json")
    outcome = json.loads(done.stdout)
    assert (outcome["versions"], outcome["in_use"], outcome["failed"]) == ({"1": 1}, 1, [])
    assert [one["what"] for one in outcome["not_included"]] == ["Uploaded files and predictions"]

    # The same plan: nothing to do; the same version in use.
    plan = empty.command("plan", "--json", check=False)
    assert plan.returncode == 0, plan.stdout
    in_use = json.loads(plan.stdout)["model_in_use"]
    assert (in_use["version"], in_use["reason"]) == (1, "Agreed on Tuesday")
    (package,) = empty.model_packages()
    before, after = (one["CustomerMetadataProperties"] for one in (lost.package, package))
    for name in ("in-use-since", "decided-by", "profile", "data-sha256", "code-sha256", "git-commit"):
        assert after[name] == before[name]
    assert after["restored-from"] == lost.package["ModelPackageArn"]
    cards = [json.loads(one["ModelCard"]["ModelCardContent"]) for one in (lost.package, package)]
    assert cards[0]["evaluation_details"] == cards[1]["evaluation_details"]
    card = empty.aws.sagemaker.describe_model_card(ModelCardName=f"{empty.settings.model_package_group_name}-1")
    assert card["ModelCardStatus"] == "Approved"
    assert "us-east-1" not in json.dumps(package["InferenceSpecification"])

    # The same features, as of before the last upload, and online.
    empty.history(len(lost.features))
    pd.testing.assert_frame_equal(known(empty, lost.as_of), lost.features)
    assert [empty.stored(row) for row in ROWS] == lost.records

    # The same predictions, to the last digit.
    assert empty.run(KEY, lost.to_score, "scoring").status == "Succeeded"
    assert predicted(empty) == lost.predicted

    # Again, and without a backup: nothing is changed, and what is not there is said.
    none = [word for word in command if word not in {"--artifacts", str(lost.backup)}]
    again = empty.command(*none)
    assert "Registered versions: no backup was named with --artifacts" in again.stdout
    assert empty.model_packages() == [package]
