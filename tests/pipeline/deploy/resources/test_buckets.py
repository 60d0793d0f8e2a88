"""Every bucket that deployment makes is closed, encrypted and reached by TLS only; raw files are versioned."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pipeline.aws.clients import Aws
from pipeline.definition.bundle import Bundle
from pipeline.deploy.engine.planner import apply_plan, destroy, make_plan
from pipeline.deploy.engine.resource import Removal
from pipeline.deploy.resources.buckets import Bucket
from pipeline.deploy.resources.lifecycle import expiry, unfinished_uploads
from pipeline.deploy.stack import resources_to_remove
from pipeline.settings.environment import Settings, load_settings
from pipeline.settings.sections import ObjectLock, Retention

BUNDLE = Bundle("ab" * 32, b"archive", b"launcher", b"functions")


def test_buckets_are_closed(aws: Aws, environment: Settings) -> None:
    buckets = [thing for thing in resources_to_remove(environment, BUNDLE) if isinstance(thing, Bucket)]
    assert buckets
    for bucket in buckets:
        apply_plan(make_plan([bucket], aws), aws)
        blocked = aws.s3.get_public_access_block(Bucket=bucket.name)["PublicAccessBlockConfiguration"]
        assert set(blocked.values()) == {True}
        rules = aws.s3.get_bucket_encryption(Bucket=bucket.name)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms")
        (statement,) = json.loads(aws.s3.get_bucket_policy(Bucket=bucket.name)["Policy"])["Statement"]
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    raw = next(bucket for bucket in buckets if bucket.name == environment.raw_bucket)
    assert aws.s3.get_bucket_versioning(Bucket=raw.name)["Status"] == "Enabled"


RULES = (expiry("ours-runs", "runs/", 60), unfinished_uploads("ours-uploads"))


def rules_of(aws, name):
    return aws.s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]


def test_intermediate_files_expire_and_what_models_refer_to_stays():
    settings = load_settings("dev")
    buckets = {thing.name: thing for thing in resources_to_remove(settings, BUNDLE) if isinstance(thing, Bucket)}
    expiring = {
        (name, rule["Filter"]["Prefix"]): rule["Expiration"]["Days"]
        for name, bucket in buckets.items()
        for rule in bucket.rules
        if "Expiration" in rule
    }
    assert expiring == {(settings.artifacts_bucket, "inputs/"): 60, (settings.artifacts_bucket, "runs/"): 60}
    for bucket in buckets.values():
        assert [rule for rule in bucket.rules if "AbortIncompleteMultipartUpload" in rule]


def test_lifecycle_rules_are_put_and_found_again(aws: Aws) -> None:
    bucket = Bucket("lifecycle-own", "us-east-1", None, events=False, rules=RULES)
    apply_plan(make_plan([bucket], aws), aws)
    assert make_plan([bucket], aws).is_empty
    longer = dataclasses.replace(bucket, rules=(expiry("ours-runs", "runs/", 90), RULES[1]))
    (change,) = make_plan([longer], aws).changes
    assert [item.field for item in change.differences] == ["lifecycle"]
    apply_plan(make_plan([longer], aws), aws)
    assert make_plan([longer], aws).is_empty
    destroy([bucket], aws, keep_data=False)


@pytest.mark.parametrize("others", [[], [expiry("theirs", "tmp/", 3)]])
def test_in_a_bucket_of_others_their_rules_stay_and_ours_go_at_the_end(aws: Aws, others) -> None:
    name = f"lifecycle-theirs-{len(others)}"
    aws.s3.create_bucket(Bucket=name)
    if others:
        aws.s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": others})
    bucket = Bucket(name, "us-east-1", None, events=False, existing=True, rules=RULES)
    apply_plan(make_plan([bucket], aws), aws)
    assert make_plan([bucket], aws).is_empty
    assert {rule["ID"] for rule in rules_of(aws, name)} == {rule["ID"] for rule in [*RULES, *others]}
    destroy([bucket], aws, keep_data=True)
    assert bucket._rules(aws) == [dict(rule) for rule in others]


def locked_bucket(name, **more):
    return Bucket(name, "us-east-1", None, events=True, lock=("GOVERNANCE", 30), **more)


@pytest.mark.parametrize("keep_data", [True, False])
def test_what_object_lock_holds_stays_and_is_said(aws: Aws, keep_data) -> None:
    bucket = locked_bucket(f"locked-{str(keep_data).lower()}")
    apply_plan(make_plan([bucket], aws), aws)
    assert make_plan([bucket], aws).is_empty
    aws.s3.put_object(Bucket=bucket.name, Key="raw/day.csv", Body=b"x")
    aws.s3.delete_object(Bucket=bucket.name, Key="raw/day.csv")
    outcomes = []
    destroy([bucket], aws, keep_data=keep_data, progress=lambda _, removal: outcomes.append(removal))
    assert outcomes == [Removal.HOLDS_DATA if keep_data else Removal.LOCKED]
    left = aws.s3.list_object_versions(Bucket=bucket.name)
    assert [version["Key"] for version in left["Versions"]] == ["raw/day.csv"]
    assert ("DeleteMarkers" in left) is keep_data


def test_an_empty_bucket_with_a_lock_is_removed(aws: Aws) -> None:
    bucket = locked_bucket("locked-empty")
    apply_plan(make_plan([bucket], aws), aws)
    destroy([bucket], aws, keep_data=False)
    assert bucket.current(aws) is None


@pytest.mark.parametrize("existing", [True, False])
def test_a_lock_can_be_switched_on_later_and_changed(aws: Aws, existing) -> None:
    name = f"locked-later-{str(existing).lower()}"
    before = Bucket(name, "us-east-1", None, events=True)
    apply_plan(make_plan([before], aws), aws)
    aws.s3.put_object(Bucket=name, Key="raw/day.csv", Body=b"x")
    bucket = locked_bucket(name, existing=existing)
    for wanted in (bucket, dataclasses.replace(bucket, lock=("COMPLIANCE", 7))):
        (change,) = make_plan([wanted], aws).changes
        assert [item.field for item in change.differences] == ["object lock"]
        apply_plan(make_plan([wanted], aws), aws)
        assert make_plan([wanted], aws).is_empty
    # Without the setting, what is locked stays so, and is no drift.
    assert make_plan([dataclasses.replace(before, existing=existing)], aws).is_empty


def test_only_the_raw_bucket_is_locked():
    lock = ObjectLock(mode="COMPLIANCE", days=365)
    settings = load_settings("dev").model_copy(update={"retention": Retention(raw_lock=lock)})
    buckets = [thing for thing in resources_to_remove(settings, BUNDLE) if isinstance(thing, Bucket)]
    assert {bucket.name: bucket.lock for bucket in buckets if bucket.lock} == {settings.raw_bucket: ("COMPLIANCE", 365)}
