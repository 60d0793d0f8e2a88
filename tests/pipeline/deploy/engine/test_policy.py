"""The difference of two policies, and of everything else that a plan shows, as people read it."""

from __future__ import annotations

import pytest

from pipeline.deploy.engine.policy import allow, document, policy_changes
from pipeline.deploy.engine.rendering import field_lines
from pipeline.deploy.engine.resource import Difference

BUCKET = "arn:aws:s3:::a-bucket-with-a-name-that-is-long-enough-to-fill-a-line-of-the-terminal/*"
BEFORE = document(
    [
        allow("s3:GetObject PutObject", [BUCKET, "arn:aws:s3:::other/*"]),
        allow("kms:Decrypt", ["arn:aws:kms:r:1:key/k"], Condition={"Bool": {"aws:SecureTransport": "true"}}),
    ]
)


def test_the_same_is_no_difference_however_it_is_written():
    *_, key = BEFORE["Statement"]
    after = document(
        [
            key,
            {"Sid": "One", "Effect": "Allow", "Action": "s3:PutObject", "Resource": [BUCKET, "arn:aws:s3:::other/*"]},
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::other/*"},
            {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": BUCKET},
        ]
    )
    assert policy_changes(BEFORE, after) == ["the same grants, written differently"]


def test_one_action_more_is_one_line_and_is_not_cut():
    after = document([allow("s3:DeleteObject GetObject PutObject", [BUCKET]), *BEFORE["Statement"]])
    assert policy_changes(BEFORE, after) == [f"+ Allow s3:DeleteObject on {BUCKET}"]
    shown = field_lines(Difference("policy", BEFORE, after))
    assert shown == ["policy:", f"  + Allow s3:DeleteObject on {BUCKET}"]


def test_another_condition_is_another_grant():
    read, key = BEFORE["Statement"]
    after = document([read, {name: value for name, value in key.items() if name != "Condition"}])
    assert policy_changes(BEFORE, after) == [
        '- Allow kms:Decrypt on arn:aws:kms:r:1:key/k if {"Bool": {"aws:SecureTransport": "true"}}',
        "+ Allow kms:Decrypt on arn:aws:kms:r:1:key/k",
    ]


def test_what_goes_together_is_shown_together():
    added = allow("ec2:DescribeVpcs DescribeSubnets", ["arn:aws:ec2:r:1:vpc/a", "arn:aws:ec2:r:1:vpc/b"])
    assert policy_changes(None, document([added])) == [
        "+ Allow ec2:DescribeSubnets, ec2:DescribeVpcs on arn:aws:ec2:r:1:vpc/a, arn:aws:ec2:r:1:vpc/b"
    ]


def test_trust_names_who_is_trusted():
    trust = document(
        [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    )
    opened = document([{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}])
    assert field_lines(Difference("trust", opened, trust)) == [
        "trust:",
        "  - Allow sts:AssumeRole by *",
        '  + Allow sts:AssumeRole by {"Service": "sagemaker.amazonaws.com"}',
    ]


def test_exclusions_are_shown_as_they_are_written():
    after = document([{"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}])
    assert policy_changes(document([]), after) == ['+ Deny {"NotAction": "s3:*"} on *']


def test_everybody_and_everything_but_something_is_named_beside_an_action():
    statement = {
        "Effect": "Deny",
        "NotPrincipal": {"AWS": "arn:aws:iam::1:root"},
        "Action": ["s3:PutObject", "s3:GetObject"],
        "NotResource": "arn:aws:s3:::b/*",
    }
    (line,) = policy_changes([statement], [])
    assert line.startswith('- Deny s3:GetObject, s3:PutObject by {"NotPrincipal": {"AWS": "arn:aws:iam::1:root"}} on')
    assert line.endswith(' on {"NotResource": "arn:aws:s3:::b/*"}')


@pytest.mark.parametrize(
    ("field", "current", "desired", "lines"),
    [
        (
            "targets",
            [{"Id": "pipeline", "Arn": "a" * 200, "RetryPolicy": {"MaximumRetryAttempts": 0}}],
            [{"Id": "pipeline", "Arn": "a" * 200, "RetryPolicy": {"MaximumRetryAttempts": 185}}],
            ["targets.pipeline.RetryPolicy.MaximumRetryAttempts: 0 → 185"],
        ),
        (
            "pattern",
            {"source": ["aws.s3"], "detail": {"bucket": {"name": ["one"]}}},
            {"source": ["aws.s3"], "detail": {"bucket": {"name": ["two"]}}},
            ['pattern.detail.bucket.name: ["one"] → ["two"]'],
        ),
        ("tags", {"by": "hand"}, {"project": "p"}, ['tags.project: (nothing) → "p"', 'tags.by: "hand" → (nothing)']),
        (
            "definition",
            {"Steps": [{"Name": "A"}, {"Name": "B"}]},
            {"Steps": [{"Name": "B"}, {"Name": "A"}]},
            ["definition:", "  the same, in another order"],
        ),
        (
            "targets",
            [{"Id": "a", "Arn": "x"}, {"Id": "b", "Arn": "y"}],
            [{"Id": "b", "Arn": "y"}, {"Id": "a", "Arn": "x"}],
            ["targets: the same, in another order"],
        ),
        ("state", "DISABLED", "ENABLED", ['state: "DISABLED" → "ENABLED"']),
        ("policy", "no policy", "neither", ['policy: "no policy" → "neither"']),
    ],
)
def test_everything_else_is_shown_by_what_differs_in_it(field, current, desired, lines):
    assert field_lines(Difference(field, current, desired)) == lines
