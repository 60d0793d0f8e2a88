"""IAM's evaluation as the IAM user guide describes it: matching, conditions, denials, boundaries."""

from __future__ import annotations

import pytest

from localmaker.services.iam.conditions import UnknownOperatorError, holds
from localmaker.services.iam.evaluation import (
    Call,
    Decision,
    MalformedPolicyError,
    Policy,
    Position,
    allows_principal,
    evaluate,
)


def policy(*statements, source="policy"):
    return Policy.parse(source, {"Version": "2012-10-17", "Statement": list(statements)})


def allow(**more):
    return {"Effect": "Allow", "Action": "*", "Resource": "*", **more}


def decide(statement, action="s3:GetObject", resource="arn:aws:s3:::raw/day.csv", **context):
    values = {key.replace("__", ":").lower(): (value,) for key, value in context.items()}
    return evaluate(Call(action, resource, values), [policy(statement)]).decision


@pytest.mark.parametrize(
    ("pattern", "action", "fits"),
    [
        ("s3:GetObject", "s3:GetObject", True),
        ("S3:getobject", "s3:GetObject", True),
        ("s3:Get*", "s3:GetObject", True),
        ("s3:*Object", "s3:GetObject", True),
        ("s3:GetObjec?", "s3:GetObject", True),
        ("*", "s3:GetObject", True),
        ("s3:Get", "s3:GetObject", False),
        ("s3.GetObject", "s3:GetObject", False),
        (["sqs:*", "s3:Get*"], "s3:GetObject", True),
    ],
)
def test_actions_match_with_wildcards_and_without_case(pattern, action, fits):
    assert (decide(allow(Action=pattern), action) is Decision.ALLOWED) is fits


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("arn:aws:s3:::raw/*", True),
        ("arn:aws:s3:::raw/day.csv", True),
        ("arn:aws:s3:::raw/DAY.csv", False),
        ("arn:aws:s3:::raw", False),
        ("arn:aws:s3:::raw/day?csv", True),
        ("arn:aws:s3:::r*/*.csv", True),
        ("arn:aws:s3:::raw/day.cs", False),
        ("arn:aws:s3:::${aws:username}/*", False),
    ],
)
def test_resources_match_with_wildcards_and_with_case(pattern, fits):
    assert (decide(allow(Resource=pattern)) is Decision.ALLOWED) is fits


def test_a_variable_is_the_value_of_the_request():
    statement = allow(Resource="arn:aws:s3:::${aws:username}/*")
    assert decide(statement, aws__username="raw") is Decision.ALLOWED
    assert decide(statement, aws__username="r*") is Decision.IMPLICIT_DENY


def test_a_variable_has_a_default_and_an_escaped_star_is_a_star():
    assert decide(allow(Resource="arn:aws:s3:::${aws:username, 'raw'}/*")) is Decision.ALLOWED
    assert decide(allow(Resource="arn:aws:s3:::raw/${*}")) is Decision.IMPLICIT_DENY
    assert decide(allow(Resource="arn:aws:s3:::raw/${*}"), resource="arn:aws:s3:::raw/*") is Decision.ALLOWED


def test_not_action_and_not_resource_are_all_the_others():
    assert decide({"Effect": "Allow", "NotAction": "sqs:*", "Resource": "*"}) is Decision.ALLOWED
    assert decide({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}) is Decision.IMPLICIT_DENY
    assert decide({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::raw/*"}) is Decision.IMPLICIT_DENY
    assert decide({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::x/*"}) is Decision.ALLOWED


def test_a_denial_beats_every_permission_in_whatever_order():
    deny = {"Effect": "Deny", "Action": "s3:Get*", "Resource": "*"}
    for statements in ([allow(), deny], [deny, allow()]):
        found = evaluate(Call("s3:GetObject", "arn:aws:s3:::x/y"), [policy(*statements)])
        assert found.decision is Decision.EXPLICIT_DENY
        assert [dict(one.body) for one in found.statements] == [deny]


def test_a_denial_whose_condition_does_not_hold_denies_nothing():
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    call = Call("s3:GetObject", "*", {"aws:securetransport": ("true",)})
    assert evaluate(call, [policy(allow(), deny)]).allowed


def test_every_boundary_has_to_allow_it_too():
    call = Call("s3:GetObject", "arn:aws:s3:::raw/a")
    narrow = policy(allow(Action="sqs:*"))
    assert evaluate(call, [policy(allow())], {"session policy": [policy(allow())]}).allowed
    refused = evaluate(call, [policy(allow())], {"session policy": [narrow]})
    assert (refused.decision, refused.refused_by) == (Decision.IMPLICIT_DENY, "session policy")
    assert evaluate(call, [narrow], {"session policy": [policy(allow())]}).refused_by == "identity"


KEY = "s3:prefix"


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEqualsIgnoreCase", "a", "A", False),
        ("StringLike", "raw/*", "raw/x/y", True),
        ("StringNotLike", "raw/*", "raw/x", False),
        ("NumericLessThan", "10", "9", True),
        ("NumericLessThanEquals", 10, "10", True),
        ("NumericGreaterThan", "10", "9", False),
        ("NumericEquals", "1", "1.0", True),
        ("NumericNotEquals", "1", "2", True),
        ("NumericEquals", "1", "one", False),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2026-01-01", "2025-12-31T23:59:59Z", False),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", "true", "false", False),
        ("BinaryEquals", "QUJD", "QUJD", True),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", "10.0.0.0/8", "11.1.2.3", False),
        ("NotIpAddress", "10.0.0.0/8", "11.1.2.3", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("ArnLike", "arn:aws:sns:*:*:topic-*", "arn:aws:sns:eu-west-1:1:topic-x", True),
        ("ArnLike", "arn:aws:*", "arn:aws:sns:eu-west-1:1:topic", False),
        ("ArnEquals", "arn:aws:sns:*:1:t", "arn:aws:sns:eu-west-1:1:t", True),
        ("ArnNotLike", "arn:aws:sns:*:1:t", "arn:aws:sns:eu-west-1:2:t", True),
        ("Null", "false", "x", True),
        ("Null", "true", "x", False),
    ],
)
def test_operators_compare_as_in_aws(operator, wanted, value, expected):
    assert holds({operator: {KEY: wanted}}, {KEY: (value,)}) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringEqualsIfExists", True),
        ("StringNotEquals", True),
        ("StringLike", False),
        ("Bool", False),
        ("BoolIfExists", True),
        ("IpAddress", False),
        ("NotIpAddress", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAllValues:StringEquals", True),
        ("Null", False),
    ],
)
def test_a_key_that_the_request_lacks(operator, expected):
    assert holds({operator: {KEY: "false"}}, {}) is expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("ForAnyValue:StringEquals", ("a", "z"), True),
        ("ForAnyValue:StringEquals", ("y", "z"), False),
        ("ForAllValues:StringEquals", ("a", "b"), True),
        ("ForAllValues:StringEquals", ("a", "z"), False),
        ("ForAnyValue:StringNotEquals", ("a", "z"), True),
        ("ForAllValues:StringNotEquals", ("a", "z"), False),
        ("StringNotEquals", ("a", "z"), False),
    ],
)
def test_keys_with_several_values(operator, values, expected):
    assert holds({operator: {KEY: ["a", "b"]}}, {KEY: values}) is expected


def test_all_operators_and_all_keys_of_a_block_have_to_hold():
    context = {"a:one": ("1",), "a:two": ("2",)}
    assert holds({"StringEquals": {"a:One": "1", "a:Two": "2"}}, context)
    assert not holds({"StringEquals": {"a:One": "1", "a:Two": "1"}}, context)
    assert not holds({"StringEquals": {"a:One": "1"}, "Null": {"a:Two": "true"}}, context)


@pytest.mark.parametrize("operator", ["StringEqual", "ForSomeValues:StringEquals", "Matches"])
def test_an_operator_that_iam_does_not_know_is_an_error(operator):
    with pytest.raises(UnknownOperatorError, match="not a condition operator"):
        holds({operator: {KEY: "x"}}, {KEY: ("x",)})


def test_condition_keys_that_are_missing_are_named():
    found = evaluate(Call("s3:ListBucket"), [policy(allow(Condition={"StringLike": {"s3:prefix": "raw/*"}}))])
    assert found.missing == ("s3:prefix",)


TRUST = policy(
    {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "1"}},
    }
)


@pytest.mark.parametrize(
    ("service", "account", "expected"),
    [
        ("sagemaker.amazonaws.com", "1", True),
        ("sagemaker.amazonaws.com", "2", False),
        ("events.amazonaws.com", "1", False),
    ],
)
def test_a_trust_policy_names_who_and_under_which_condition(service, account, expected):
    call = Call("sts:AssumeRole", "arn:aws:iam::1:role/x", {"aws:sourceaccount": (account,)})
    assert allows_principal(TRUST, call, {"Service": service}) is expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": "arn:aws:iam::1:root"}, True),
        ({"AWS": ["2", "1"]}, True),
        ({"AWS": "arn:aws:iam::1:role/x"}, True),
        ({"AWS": "arn:aws:iam::1:role/y"}, False),
        ({"Service": "arn:aws:iam::1:role/x"}, False),
    ],
)
def test_principals_are_named_by_arn_account_or_star(named, expected):
    resource_policy = policy({"Effect": "Allow", "Principal": named, "Action": "*", "Resource": "*"})
    assert allows_principal(resource_policy, Call("sqs:SendMessage"), {"AWS": "arn:aws:iam::1:role/x"}) is expected


def test_not_principal_is_everybody_else():
    resource_policy = policy({"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "*", "Resource": "*"})
    assert not allows_principal(resource_policy, Call("sqs:SendMessage"), {"AWS": "arn:aws:iam::1:role/x"})
    assert allows_principal(resource_policy, Call("sqs:SendMessage"), {"AWS": "arn:aws:iam::2:role/x"})


def test_statements_know_their_place_in_the_text():
    text = '{\n  "Statement": [\n    {"Effect": "Allow"},\n    {"Effect": "Deny"}\n  ],\n  "Version": "2012-10-17"\n}'
    first, second = Policy.parse("x", text).statements
    assert (first.start, first.end) == (Position(3, 5), Position(3, 24))
    assert second.start == Position(4, 5)
    (alone,) = Policy.parse("x", '{"Id": "Statement", "Statement": {"Effect": "Allow"}}').statements
    assert alone.start == Position(1, 34)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"Statement": [1]}'])
def test_what_is_no_policy_is_an_error(text):
    with pytest.raises(MalformedPolicyError, match="not a policy document"):
        Policy.parse("x", text)
