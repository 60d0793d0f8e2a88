"""Names that are free, ours, or taken by somebody else."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.definition.bundle import build_bundle
from pipeline.deploy.stack import NO_STEPS, resources
from pipeline.preflight.answers import Question, Verdict, answered
from pipeline.preflight.names import name_answers
from pipeline.settings.contract import FLOWS
from pipeline.settings.sections import Buckets
from tests.pipeline.preflight.conftest import NOTHING, TRUST, document

BUNDLE = build_bundle()


@pytest.fixture
def look(aws):
    def ask(kind, **changes):
        settings = aws.settings = aws.settings.model_copy(update=changes)
        things = [one for one in resources(settings, BUNDLE, dict.fromkeys(FLOWS, NO_STEPS)) if one.kind == kind]
        (answer,) = answered([Question("name", things[0].name, lambda: name_answers(aws, things[0]))])
        return things[0], answer

    return ask


@pytest.mark.parametrize("kind", ["bucket", "role", "queue", "topic", "model package group", "database", "rule"])
def test_a_name_is_free_then_ours_then_somebody_elses(aws, look, kind):
    thing, free = look(kind)
    assert (free.verdict, free.detail) == (Verdict.OK, "free")
    assert thing.name in free.about
    thing.create(aws)
    assert look(kind)[1].detail == "deployed by this project"
    thing.delete(aws, keep_data=False)
    other = {"project": "other"}
    target = {} if kind != "rule" else {"target": {"Id": "1", "Arn": f"arn:aws:sqs:us-east-1:{'1' * 12}:q"}}
    dataclasses.replace(thing, tags=other, **target).create(aws)
    taken = look(kind)[1]
    assert taken.verdict is Verdict.PROBLEM
    assert "somebody else's" in taken.fix


def test_what_has_no_tags_may_be_anybodys(aws, client, look):
    client("s3").create_bucket(Bucket=aws.settings.artifacts_bucket)
    thing, free = look("code")
    assert free.detail == "free"
    thing.create(aws)
    taken = look("code")[1]
    assert (taken.verdict, taken.detail) == (Verdict.UNKNOWN, "exists; it has no tags that tell whose it is")


def test_somebody_elses_role_without_tags(aws, client, look):
    client("iam").create_role(RoleName=aws.settings.execution_role_name, AssumeRolePolicyDocument=document(TRUST))
    assert look("role")[1].verdict is Verdict.PROBLEM


def test_a_bucket_that_may_not_be_read_is_another_accounts(aws, client, look, sign_in):
    client("s3").create_bucket(Bucket=aws.settings.raw_bucket)
    sign_in(NOTHING)
    answer = look("bucket")[1]
    assert answer.verdict is Verdict.PROBLEM
    assert "belongs to another account" in answer.fix


def test_a_bucket_that_the_settings_name_has_to_exist(aws, client, look):
    name = f"{aws.settings.project}-uploads"
    assert look("bucket", buckets=Buckets(raw=name))[1].verdict is Verdict.PROBLEM
    client("s3").create_bucket(Bucket=name)
    assert look("bucket", buckets=Buckets(raw=name))[1].detail == "exists, as the settings say"
