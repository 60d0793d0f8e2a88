"""Keys and their policies, as KMS answers them."""

from __future__ import annotations

import json

import pytest

from pipeline.preflight.answers import Verdict
from pipeline.preflight.keys import key_answers, usable
from pipeline.settings.contract import Function
from pipeline.settings.sections import Quality

ROOT = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}
EVENTBRIDGE = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
    "Resource": "*",
}
IN_ACCOUNT = {"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}


@pytest.fixture
def key(client):
    def make(*statements, **more):
        policy = {"Version": "2012-10-17", "Statement": list(statements) or [ROOT, EVENTBRIDGE]}
        return client("kms").create_key(Policy=json.dumps(policy), **more)["KeyMetadata"]["KeyId"]

    return make


@pytest.fixture
def look(aws):
    def ask(key, *, for_events=True):
        return [answer.verdict for answer in key_answers(aws, key, for_events=for_events)]

    return ask


def test_a_key_as_it_is_meant_to_be(key, look, client):
    made = key()
    assert look(made) == [Verdict.OK] * 3
    assert look(made, for_events=False) == [Verdict.OK] * 2
    client("kms").create_alias(AliasName=f"alias/{made}", TargetKeyId=made)
    assert look(f"alias/{made}") == [Verdict.OK] * 3


def test_a_key_that_is_disabled_comes_with_the_command_that_enables_it(key, aws, client):
    made = key()
    client("kms").disable_key(KeyId=made)
    answer = next(iter(key_answers(aws, made, for_events=True)))
    assert (answer.verdict, answer.fix) == (Verdict.PROBLEM, f"aws kms enable-key --key-id {made}")


def test_a_key_that_will_be_deleted_can_be_kept(key, aws, client):
    made = key()
    client("kms").schedule_key_deletion(KeyId=made)
    answer = next(iter(key_answers(aws, made, for_events=True)))
    assert answer.fix == f"aws kms cancel-key-deletion --key-id {made}"


def test_a_key_that_does_not_exist_is_a_problem(look):
    assert look("0123abcd-0123-0123-0123-0123456789ab") == [Verdict.PROBLEM]


def test_a_key_for_signatures_encrypts_nothing(key, look):
    made = key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    assert look(made)[0] is Verdict.PROBLEM


def test_a_key_of_awss_own_is_refused():
    found = {"KeyManager": "AWS", "KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT", "KeyId": "k"}
    assert usable("k", found).verdict is Verdict.PROBLEM


@pytest.mark.parametrize(
    ("statements", "role", "events"),
    [
        ([ROOT], Verdict.OK, Verdict.PROBLEM),
        ([ROOT, {**EVENTBRIDGE, **IN_ACCOUNT}], Verdict.OK, Verdict.PROBLEM),
        ([ROOT, {**EVENTBRIDGE, "Action": "kms:Decrypt"}], Verdict.OK, Verdict.PROBLEM),
        ([ROOT, {**EVENTBRIDGE, "Action": "kms:*"}], Verdict.OK, Verdict.OK),
        ([ROOT, EVENTBRIDGE, {**EVENTBRIDGE, "Effect": "Deny"}], Verdict.OK, Verdict.PROBLEM),
        (
            [EVENTBRIDGE, {**ROOT, "Principal": {"AWS": "arn:aws:iam::123456789012:user/u"}}],
            Verdict.PROBLEM,
            Verdict.OK,
        ),
        ([EVENTBRIDGE, {**ROOT, **IN_ACCOUNT}], Verdict.UNKNOWN, Verdict.OK),
    ],
)
def test_what_a_policy_says(key, look, statements, role, events):
    assert look(key(*statements)) == [Verdict.OK, role, events]


@pytest.mark.parametrize(
    "denial",
    [
        {"Action": "kms:Decrypt"},
        {"Action": "kms:GenerateDataKey*", "Principal": "*", **IN_ACCOUNT},
        {"NotAction": "kms:Describe*", "Principal": {"AWS": "*"}},
        {"Action": "kms:CreateGrant", "Principal": {"AWS": "arn:aws:iam::123456789012:role/{role}"}},
    ],
)
def test_a_deny_leaves_it_open_whether_roles_may_use_the_key(settings, key, look, denial):
    filled = json.loads(json.dumps(denial).replace("{role}", settings.execution_role_name))
    statement = {"Effect": "Deny", "Principal": ROOT["Principal"], "Resource": "*", **filled}
    assert look(key(ROOT, EVENTBRIDGE, statement), for_events=False) == [Verdict.OK, Verdict.UNKNOWN]


def test_a_deny_of_something_else_is_none(key, look):
    statement = {**ROOT, "Effect": "Deny", "Principal": "*", "Action": "kms:ScheduleKeyDeletion"}
    assert look(key(ROOT, EVENTBRIDGE, statement)) == [Verdict.OK] * 3


def test_jobs_need_grants(settings, key, look):
    roles = [settings.role_arn(settings.execution_role_name), *map(settings.role_arn, functions(settings))]
    actions = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    named = {**ROOT, "Principal": {"AWS": roles}, "Action": actions}
    assert look(key(EVENTBRIDGE, named))[1] is Verdict.PROBLEM
    grants = {**named, "Principal": {"AWS": roles[0]}, "Action": "kms:CreateGrant"}
    assert look(key(EVENTBRIDGE, named, grants))[1] is Verdict.OK


def test_each_role_may_be_named_instead_of_the_account(settings, key, look):
    roles = [settings.role_arn(settings.execution_role_name), *map(settings.role_arn, functions(settings))]
    assert look(key(EVENTBRIDGE, {**ROOT, "Principal": {"AWS": roles}})) == [Verdict.OK] * 3
    assert look(key(EVENTBRIDGE, {**ROOT, "Principal": {"AWS": roles[:-1]}}))[1] is Verdict.PROBLEM


def test_a_key_for_alarms_on_coverage_is_one_that_cloudwatch_may_use(key, aws):
    aws.settings = aws.settings.model_copy(update={"quality": Quality(coverage_alarm=0.9)})
    missing, there = key(ROOT, EVENTBRIDGE), {**EVENTBRIDGE, "Principal": {"Service": "cloudwatch.amazonaws.com"}}
    *_, answer = key_answers(aws, missing, for_events=True)
    assert (answer.verdict, json.loads(answer.fix[answer.fix.index("{") :])) == (Verdict.PROBLEM, there)
    assert [one.verdict for one in key_answers(aws, key(ROOT, EVENTBRIDGE, there), for_events=True)] == [Verdict.OK] * 4


def functions(settings):
    return [settings.function_name(function) for function in Function]


def test_the_fix_is_the_statement_to_add(key, aws):
    made = key(ROOT)
    *_, answer = key_answers(aws, made, for_events=True)
    assert json.loads(answer.fix[answer.fix.index("{") :]) == EVENTBRIDGE
