"""Which readings show what was before a change."""

from __future__ import annotations

import pytest

from localmaker.habits.lag import OldAnswers, Reading, reading_of
from localmaker.http.protocol import HttpResponse
from localmaker.services.iam.calls import Operation

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"


@pytest.mark.parametrize(
    ("service", "change", "request_", "reading", "parameters"),
    [
        ("s3", "CreateBucket", {"Bucket": "b"}, "HeadBucket", {"Bucket": "b"}),
        ("s3", "PutBucketPolicy", {"Bucket": "b", "Policy": "{}"}, "GetBucketPolicy", {"Bucket": "b"}),
        ("iam", "CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": "{}"}, "GetRole", {"RoleName": "r"}),
        ("logs", "CreateLogGroup", {"logGroupName": "/g"}, "DescribeLogGroups", {"logGroupNamePrefix": "/g"}),
        ("sqs", "CreateQueue", {"QueueName": "q"}, "GetQueueUrl", {"QueueName": "q"}),
        ("sqs", "DeleteQueue", {"QueueUrl": QUEUE}, "GetQueueUrl", {"QueueName": "q"}),
        ("sqs", "SetQueueAttributes", {"QueueUrl": QUEUE}, "GetQueueAttributes", {"QueueUrl": QUEUE}),
    ],
)
def test_a_change_is_read_back_by(service, change, request_, reading, parameters):
    assert reading_of(Operation(service, change, request_)) == Reading(service, reading, parameters)


def test_what_is_always_current_has_no_reading():
    assert reading_of(Operation("sagemaker", "CreatePipeline", {"PipelineName": "p"})) is None


def test_the_oldest_answer_is_shown_as_often_as_it_was_kept_for():
    reading, other = (Reading("s3", "HeadBucket", {"Bucket": name}) for name in ("b", "c"))
    oldest, newer = (HttpResponse(status, {}, b"") for status in (404, 200))
    old = OldAnswers()
    old.keep(reading, oldest, 2)
    old.keep(reading, newer, 5)
    asked = Operation("s3", "HeadBucket", {"Bucket": "b"})
    assert old.take(Operation("s3", "HeadBucket", other.parameters)) is None
    assert [old.take(asked) for _ in range(3)] == [oldest, oldest, None]


def test_what_was_read_of_a_thing_that_is_gone_is_not_shown_of_the_next_one_of_its_name():
    policy, other = (Reading("s3", "GetBucketPolicy", {"Bucket": name}) for name in ("b", "c"))
    answer, old = HttpResponse(200, {}, b""), OldAnswers()
    for one in (policy, other):
        old.keep(one, answer, 2)
    old.forget(Reading("s3", "HeadBucket", {"Bucket": "b"}))
    asked = [old.take(Operation("s3", "GetBucketPolicy", one.parameters)) for one in (policy, other)]
    assert asked == [None, answer]
