"""Every role has what its work uses and nothing else: the work is done where policies hold, and recorded.

Production's settings, as they have everything: a key, a network, encrypted traffic.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError

from analysis.card.following import card_name
from localmaker.daemon import running_endpoint
from localmaker.services.iam.evaluation import Call, Policy, Statement, evaluate
from localmaker.services.iam.recording import read_actions
from pipeline.aws.clients import Aws
from pipeline.definition.bundle import build_bundle
from pipeline.demo.sample import write_sample
from pipeline.deploy.compiled import compiled_definitions
from pipeline.deploy.permissions.functions import interfaces
from pipeline.deploy.permissions.operators import boundary_policy, deployer_policy, github_trust_policy, operator_policy
from pipeline.deploy.permissions.stack_arns import StackArns
from pipeline.deploy.stack import resources
from pipeline.executions.control import start
from pipeline.executions.uploads import object_parameters
from pipeline.executions.view import read_plan, view
from pipeline.settings.contract import FLOWS, Flow, Function
from pipeline.settings.environment import load_settings
from tests.end_to_end.conftest import Deployed
from tests.pipeline.deploy.by_hand import BY_HAND

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ENVIRONMENT = "prod"
VARIABLES = {
    "BIKESHARE_ACCOUNT_ID": "123456789012",
    "BIKESHARE_ALARMS__EMAILS": '["on-call@example.com"]',
    # Two times of it come, when the clock is moved there.
    "BIKESHARE_SCHEDULE__EXPRESSION": "cron(0 3 1 * ? 2099)",
    "BIKESHARE_QUALITY__COVERAGE_ALARM": "0.85",
}
REPOSITORY = "example/bikeshare"
FOLLOW = "follow-model"
PLAN, DEPLOY, DESTROY, OPERATE = "ci-plan", "ci-deploy", "ci-destroy", "people"
#: One step of each kind of job, to stop an execution at.
ATTEMPTS = 5
STOPPED_AT = ("Preprocess", "Train", "Transform")
#: Allowed and not used in this run: action → why it has to be there nevertheless.
UNUSED = {
    "sagemaker:PutRecord": "BatchWriteRecord takes it as well (the SDK's ingest_dataframe says so)",
}


#: What the Feature Store does as the execution role to keep the offline store, and here the endpoint by itself.
BY_THE_FEATURE_STORE = {"glue:GetTable", "glue:UpdateTable", "s3:GetBucketAcl", "s3:PutObjectAcl"}
#: Role → what a service does as it, and here the endpoint by itself; SQS encrypts a letter as its sender.
#: Lambda puts a function into its subnets, logs as it, and tells as it of calls that failed; here the endpoint does.
BY_LAMBDA = {action for one in interfaces("*") for action in one["Action"]} | {
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sns:Publish",
}
BY_SERVICES = {
    "execution": BY_THE_FEATURE_STORE,
    "scheduler": {"kms:Decrypt", "kms:GenerateDataKey"},
    FOLLOW: BY_LAMBDA,
}


#: The same of resources.
UNUSED_RESOURCES = {
    "feature-store/*": "the Feature Store writes there as the execution role",
    "sagemaker_featurestore": "the Feature Store makes the database as whoever creates a group",
    "/sagemaker_featurestore/bikeshare?prod?*": "and the tables in it",
    "definitions/*": "a definition goes to S3 where it is larger than a request may be",
    "wheels/*": "the image has every library of the steps; a team's may need one that it lacks",
}


#: The same of one action on one resource.
UNUSED_GRANTS = {
    "s3:PutObject on arn:aws:s3:::bikeshare-prod-artifacts-123456789012/cards/*": "AWS exports a card with the "
    "rights of whoever asks, the endpoint by itself",
    "s3:ListBucket on arn:aws:s3:::bikeshare-prod-raw-123456789012": "by it ingestion learns that an upload is gone",
    **{
        f"events:DisableRule on arn:aws:events:eu-west-1:123456789012:rule/bikeshare-prod-{name}": "PutRule disables "
        "them all the same, and a statement for the other rules alone has no room in the policy"
        for name in ("failed", "sweep", "follow-model")
    },
}


@dataclass(frozen=True)
class Grant:
    """One action of one statement on one of its resources."""

    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


class Work:
    """One environment on an endpoint that enforces and records, worked with by all who have a role there."""

    def __init__(self, deployed: Deployed) -> None:
        self.deployed = deployed
        self.settings = deployed.settings
        self.aws = deployed.aws
        self.definitions = compiled_definitions(self.settings, build_bundle(), FLOWS)
        boundary = json.dumps(boundary_policy(self.settings))
        deployed.endpoint.client("iam").create_policy(
            PolicyName=str(self.settings.permissions_boundary), PolicyDocument=boundary
        )
        self.keys = {role: self._role(role, policy) for role, policy in self.policies_of_people().items()}

    def policies_of_people(self) -> dict[str, dict[str, Any]]:
        """Role → what is generated for whoever works with the environment."""
        settings = self.settings
        return {
            PLAN: deployer_policy(settings, "plan"),
            DEPLOY: deployer_policy(settings, "deploy"),
            DESTROY: deployer_policy(settings, "destroy"),
            OPERATE: operator_policy(settings),
        }

    def _role(self, name: str, policy: dict[str, Any]) -> dict[str, str]:
        """Create a role with a generated policy, and return credentials of it."""
        iam, sts = self.deployed.endpoint.client("iam"), self.deployed.endpoint.client("sts")
        trust = github_trust_policy(self.settings, REPOSITORY, "plan")
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="generated", PolicyDocument=json.dumps(policy))
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="ci")
        names = {
            "ACCESS_KEY_ID": "AccessKeyId",
            "SECRET_ACCESS_KEY": "SecretAccessKey",
            "SESSION_TOKEN": "SessionToken",
        }
        return {f"AWS_{key}": keys["Credentials"][value] for key, value in names.items()}

    def under(self, role: str, *arguments: str, code: int = 0) -> None:
        """Run a command under a role of CI and check its exit code."""
        done = self.tried(role, *arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"

    def tried(self, role: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command under a role of CI, whatever comes of it."""
        variables = {**VARIABLES, **self.keys[role]}
        return self.deployed.command(*arguments, "--env", ENVIRONMENT, check=False, variables=variables)

    def stop_and_retry(self, key: str) -> None:
        """Stop an execution, retry it and stop it again; anew where one has ended before it could be stopped."""
        for _ in range(ATTEMPTS):
            self.under(OPERATE, "start", key)
            if self.tried(OPERATE, "stop").returncode:
                continue
            self.under(OPERATE, "watch", code=6)
            self.under(OPERATE, "retry")
            if not self.tried(OPERATE, "stop").returncode:
                self.under(OPERATE, "watch", code=6)
                return
        pytest.fail(f"no execution for {key} could be stopped twice in {ATTEMPTS} attempts")

    def succeed(self, flow: Flow, key: str, body: bytes) -> None:
        """Upload, and wait for the execution that this starts; then for the one of a second delivery of the event."""
        version = self.deployed.put(key, body)
        first = self.deployed.finished(self.deployed.started(key, version, flow))
        assert first.status == "Succeeded", first.explanation
        self.deployed.send_event(key, version)
        again = self.deployed.finished(self.deployed.started(key, version, flow, known=[first.arn]))
        assert again.status == "Succeeded", again.explanation

    def operate(self, report: Path, body: bytes) -> None:
        """Do what people do who work with a deployment."""
        worked = {}
        for flow, key in (("training", "raw/training/again.csv"), ("scoring", "raw/scoring/next-month.csv")):
            self.under(OPERATE, "watch", key)
            version = self.aws.s3.head_object(Bucket=self.settings.raw_bucket, Key=key)["VersionId"]
            worked[flow] = self.deployed.started(key, version, flow).rpartition("/")[2]
        self.under(OPERATE, "report", worked["training"], "--output", str(report))
        for execution in worked.values():
            self.under(OPERATE, "logs", execution)
        for words in ("runs", "predictions", "predictions score", "model list", "model card 1"):
            self.under(OPERATE, *words.split())
        self.under(OPERATE, "model", "compare", "1", "2")
        self.export_card(1, report.with_name("card.pdf"))
        self.under(OPERATE, "model", "reject", "2", "--reason", "tried")
        self.card_follows(2, "Archived")
        # By another client.
        arn = next(one["ModelPackageArn"] for one in self.deployed.model_packages() if one["ModelPackageVersion"] == 2)
        self.aws.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
        self.card_follows(2, "Approved")
        self.aws.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
        self.card_follows(2, "Archived")
        self.under(OPERATE, "model", "delete", "2")
        self.under(OPERATE, "start", "raw/nothing.csv", code=6)
        self.upload_under(OPERATE, "raw/by-hand.csv", body)
        for key in ("raw/by-hand.csv", "raw/scoring/next-month.csv"):
            self.stop_and_retry(key)

    def export_card(self, version: int, file: Path) -> None:
        """Export a card that people have to make first."""
        name = card_name(self.settings.model_package_group_name, version)
        self.card_follows(version, "Approved")
        self.aws.sagemaker.delete_model_card(ModelCardName=name)
        self.under(OPERATE, "model", "card", str(version), "--pdf", str(file))

    def card_follows(self, version: int, status: str) -> None:
        """Wait until the card of a version has a status."""
        name = card_name(self.settings.model_package_group_name, version)
        deadline = time.monotonic() + 120
        cards: dict[str, str] = {}
        while cards.get(name) != status:
            assert time.monotonic() < deadline, cards
            found = self.aws.sagemaker.list_model_cards(NameContains=self.settings.model_package_group_name)
            cards = {str(one["ModelCardName"]): one["ModelCardStatus"] for one in found["ModelCardSummaries"]}
            time.sleep(0.1)

    def upload_under(self, role: str, key: str, body: bytes) -> None:
        """Put an object with a role's credentials."""
        with mock.patch.dict(os.environ, self.keys[role]):
            Aws(self.settings).s3.put_object(Bucket=self.settings.raw_bucket, Key=key, Body=body)

    def stop_at(self, step: str, key: str) -> None:
        """Start an execution by hand and stop it while one of its steps has a job."""
        name = self.settings.training_pipeline_name
        arn = start(self.aws, name, object_parameters(self.aws, self.settings.raw_bucket, key))
        self._wait_for_job(step, arn)
        self.aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=str(uuid.uuid4()))
        assert self.deployed.finished(arn).status == "Stopped"

    def train_on_history(self, key: str) -> None:
        """Train on a file and all that the offline store knows, which a function reads with Athena."""
        parameters = {**object_parameters(self.aws, self.settings.raw_bucket, key), "TrainOn": "history"}
        arn = start(self.aws, self.settings.training_pipeline_name, parameters)
        done = self.deployed.finished(arn)
        assert done.status == "Succeeded", done.explanation

    def train_by_schedule(self, now: str) -> None:
        """Let the schedule become due, and wait for what it starts."""
        known = self.deployed.executions()
        self.deployed.endpoint.move_clock(now)
        deadline = time.monotonic() + 120
        while not (started := [arn for arn in self.deployed.executions() if arn not in known]):
            assert time.monotonic() < deadline, "the schedule started nothing"
            time.sleep(0.05)
        done = self.deployed.finished(started[0])
        assert done.status == "Succeeded", done.explanation

    def fail_by_schedule(self, now: str) -> None:
        """Let the schedule become due while there is nothing that it could start: people find its call in the queue."""
        with mock.patch.dict(os.environ, self.keys[OPERATE]):
            sqs = Aws(self.settings).sqs
        url = sqs.get_queue_url(QueueName=self.settings.dead_letter_queue_name)["QueueUrl"]
        self.deployed.endpoint.move_clock(now)
        deadline = time.monotonic() + 120
        found: dict[str, Any] = {}
        letter = ""
        while found.get("SCHEDULED_TIME", {}).get("StringValue") != now:  # there may be other letters
            assert time.monotonic() < deadline, found
            answer = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=5)
            for message in answer.get("Messages", []):
                found, letter = message.get("MessageAttributes", {}), message["ReceiptHandle"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=letter)

    def leave_running(self, flow: Flow, key: str, body: bytes) -> None:
        """Upload, and wait until there is a job."""
        arn = self.deployed.started(key, self.deployed.put(key, body), flow)
        self._wait_for_job("Preprocess", arn)

    def _wait_for_job(self, step: str, arn: str) -> None:
        """Wait until a step of an execution has a job that runs."""
        plan, deadline = read_plan(self.aws, arn), time.monotonic() + 120
        while not any(
            one.name == step and one.status == "Executing" and one.job_name for one in view(self.aws, arn, plan).steps
        ):
            assert time.monotonic() < deadline, view(self.aws, arn, plan)
            time.sleep(0.05)

    def change_everything_by_hand(self) -> None:
        """Do to every resource what the drift tests do to one; a role's trust only an administrator puts back."""
        things = resources(self.settings, build_bundle(), self.definitions)
        for kind, field, change in BY_HAND.values():
            for thing in things:
                if thing.kind == kind and field != "trust" and thing.current(self.aws) is not None:
                    change(self.aws, thing)
        for role in StackArns(self.settings).roles:
            self.aws.iam.delete_role_permissions_boundary(RoleName=role.rpartition("/")[2])


def lines_of(folder: Path, **options: Any) -> list[bytes]:
    """Return the lines of a generated sample."""
    return write_sample(folder, **options).read_bytes().splitlines(keepends=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Iterator[tuple[Work, list[tuple[str, Call]]]]:
    """Everything that is ever done, once; with what each role used for it."""
    first, second, third = (
        b"".join(lines_of(tmp_path_factory.mktemp("sample"), seed=seed)[:-30]) for seed in (1, 2, 3)
    )
    # Of days that no training file has, so that their outcomes arrive after the predictions.
    to_score, outcomes = (
        b"".join([lines[0], *lines[-30:]])
        for lines in (lines_of(tmp_path_factory.mktemp("scoring"), target=target) for target in (False, True))
    )
    record = tmp_path_factory.mktemp("record") / "actions.jsonl"
    with (
        running_endpoint(tmp_path_factory.mktemp("state"), record_actions=record, enforce_iam=True) as endpoint,
        mock.patch.dict(os.environ, {**endpoint.environment(), **VARIABLES}),
    ):
        settings = load_settings(ENVIRONMENT)
        work = Work(Deployed(endpoint, settings, Aws(settings)))
        work.under(PLAN, "plan", code=2)
        work.under(DEPLOY, "deploy")
        # Somebody thinks better of it while there are no logs yet.
        work.under(DESTROY, "destroy", "--yes")
        work.under(DEPLOY, "deploy")
        work.under(PLAN, "plan")
        work.succeed("training", "raw/training/sample.csv", first)
        # The version that it registers is compared with the first one.
        work.under(OPERATE, "model", "approve", "1")
        work.succeed("training", "raw/training/again.csv", second)
        work.succeed("scoring", "raw/scoring/next-month.csv", to_score)
        work.succeed("scoring", "raw/scoring/outcomes.csv", outcomes)
        assert work.deployed.keys(settings.predictions_bucket, "realised/")
        work.operate(tmp_path_factory.mktemp("report") / "report.html", third)
        work.deployed.send_event("raw/training/gone.csv", "0" * 32)
        gone = work.deployed.finished(work.deployed.started("raw/training/gone.csv", "0" * 32))
        assert gone.status == "Succeeded", gone.explanation
        # Under another name than a trigger's: what nothing has run on yet is in no step's cache.
        work.deployed.put("raw/by-hand.csv", third)
        for step in STOPPED_AT:
            work.stop_at(step, "raw/by-hand.csv")
        work.train_on_history("raw/by-hand.csv")
        work.train_by_schedule("2099-01-01T03:00:00Z")
        work.change_everything_by_hand()
        work.under(PLAN, "drift", code=2)
        work.under(DEPLOY, "deploy")
        for name in settings.pipeline_names:
            work.aws.sagemaker.delete_pipeline(PipelineName=name, ClientRequestToken=str(uuid.uuid4()))
        work.fail_by_schedule("2099-02-01T03:00:00Z")
        work.under(DEPLOY, "deploy")
        work.under(PLAN, "drift")
        work.under(DESTROY, "destroy", "--yes")
        work.under(DEPLOY, "deploy")
        work.succeed("training", "raw/training/last.csv", third)
        for flow, key in (("training", "raw/training/more.csv"), ("scoring", "raw/scoring/more.csv")):
            work.leave_running(flow, key, third)
        # What somebody gives a role goes with it.
        for role in StackArns(settings).roles:
            name = role.rpartition("/")[2]
            work.aws.iam.attach_role_policy(RoleName=name, PolicyArn=str(settings.boundary_arn))
        work.under(DESTROY, "destroy", "--yes", "--delete-data")
        with record.open() as lines:
            yield work, [(principal, call) for principal, call, _ in read_actions(lines)]


def policies(work: Work) -> dict[str, Policy]:
    """ARN of each role → its generated policy."""
    settings = work.settings
    made = {
        thing.name: thing.policy
        for thing in resources(settings, build_bundle(), work.definitions)
        if thing.kind == "role"
    }
    made |= work.policies_of_people()
    return {settings.role_arn(name): Policy.parse(name, policy) for name, policy in made.items()}


def allowing(policy: Policy) -> list[Statement]:
    """Return the statements that allow something."""
    return [statement for statement in policy.statements if not statement.denies]


def unused_grants(policy: Policy, calls: list[Call]) -> list[Grant]:
    """Return what a policy allows and nobody did.

    A log group is one resource, in whichever of its two spellings an action takes it.
    """
    used: dict[Grant, bool] = {}
    for statement in allowing(policy):
        for action, resource in itertools.product(statement.body["Action"], statement.body["Resource"]):
            just = replace(statement, body={**statement.body, "Action": action, "Resource": resource})
            grant = Grant(action, resource.removesuffix(":*") if action.startswith("logs:") else resource)
            used[grant] = used.get(grant, False) or any(just.applies(call) for call in calls)
    unused = [grant for grant, is_used in used.items() if not is_used and str(grant) not in UNUSED_GRANTS]
    return [grant for grant in unused if not grant.resource.endswith(tuple(UNUSED_RESOURCES))]


@pytest.mark.parametrize("role", ["execution", "events", "scheduler", FOLLOW, PLAN, DEPLOY, DESTROY, OPERATE])
def test_a_role_may_do_what_its_work_uses_and_nothing_else(recorded, role):
    work, everything = recorded
    names = {
        "execution": work.settings.execution_role_name,
        "events": work.settings.events_role_name,
        "scheduler": work.settings.scheduler_role_name,
        FOLLOW: work.settings.function_name(Function.FOLLOW_MODEL),
    }
    arn = work.settings.role_arn(names.get(role, role))
    calls = [call for principal, call in everything if principal == arn]
    assert calls
    policy = policies(work)[arn]
    assert [call for call in calls if not evaluate(call, [policy]).allowed] == []
    by_services = BY_SERVICES.get(role, set())
    used = {call.action for call in calls} | by_services
    allowed = {action for statement in allowing(policy) for action in statement.body["Action"]}
    assert allowed - used <= set(UNUSED)
    unused = [str(grant) for grant in unused_grants(policy, calls) if grant.action not in UNUSED]
    unused = [grant for grant in unused if grant.partition(" ")[0] not in by_services]
    assert not unused, "\n".join(unused)


def test_ci_can_not_make_itself_an_administrator(recorded):
    work, _ = recorded
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    administrator = {
        "PolicyName": "all",
        "PolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": everything}),
    }
    trust = json.dumps(github_trust_policy(work.settings, REPOSITORY, "deploy"))
    with mock.patch.dict(os.environ, work.keys[DEPLOY]):
        iam = Aws(work.settings).iam
    for call, arguments in (
        (iam.create_role, {"RoleName": work.settings.execution_role_name, "AssumeRolePolicyDocument": trust}),
        (iam.put_role_policy, {"RoleName": DEPLOY, **administrator}),
        (iam.delete_role_permissions_boundary, {"RoleName": work.settings.execution_role_name}),
        (iam.attach_role_policy, {"RoleName": DEPLOY, "PolicyArn": work.settings.boundary_arn}),
        (iam.update_assume_role_policy, {"RoleName": work.settings.execution_role_name, "PolicyDocument": trust}),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call(**arguments)


def test_no_other_role_did_anything(recorded):
    work, everything = recorded
    services = {principal for principal, _ in everything if not principal.startswith("arn:")}
    assert {principal for principal, _ in everything} - services == set(policies(work))
