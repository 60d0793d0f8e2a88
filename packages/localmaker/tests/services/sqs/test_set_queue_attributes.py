"""The policy of a queue when other attributes are set."""

from __future__ import annotations

import json

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "*",
        }
    ],
}


def test_a_policy_stays_until_it_is_replaced_or_emptied(endpoint, unique):
    sqs = endpoint.client("sqs")
    queue = {"QueueUrl": sqs.create_queue(QueueName=unique, Attributes={"Policy": json.dumps(POLICY)})["QueueUrl"]}

    def attributes():
        return sqs.get_queue_attributes(**queue, AttributeNames=["All"])["Attributes"]

    sqs.set_queue_attributes(**queue, Attributes={"MessageRetentionPeriod": "120"})
    assert json.loads(attributes()["Policy"]) == POLICY
    assert attributes()["MessageRetentionPeriod"] == "120"
    other = {**POLICY, "Id": "other"}
    sqs.set_queue_attributes(**queue, Attributes={"Policy": json.dumps(other)})
    assert json.loads(attributes()["Policy"]) == other
    sqs.set_queue_attributes(**queue, Attributes={"Policy": ""})
    assert "Policy" not in attributes()
