"""The dead-letter queue: events that EventBridge could not deliver, kept for people to look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.resource import Difference, Removal, State
from pipeline.deploy.engine.tags import own_tags, surplus

# SQS's maximum: what failed on a Friday is still there after a holiday.
_RETENTION_SECONDS = 14 * 24 * 3600
_MANAGED = "SQS-managed key"


@dataclass(frozen=True)
class Queue:
    """One queue that only named EventBridge rules may fill.

    Attributes:
        name: of the queue.
        arn: of the queue.
        senders: ARNs of the rules.
        kms_key: key for its messages; None is SQS's own. The key's policy has to let ``events.amazonaws.com`` use it.
        tags: name → value.
    """

    name: str
    arn: str
    senders: tuple[str, ...]
    kms_key: str | None
    tags: Mapping[str, str]
    kind: str = "queue"

    def desired(self) -> State:
        """Policy, retention, encryption, tags."""
        return {
            "policy": self.policy(),
            "retention in seconds": _RETENTION_SECONDS,
            "encryption": self.kms_key or _MANAGED,
            "tags": dict(self.tags),
        }

    def policy(self) -> dict[str, Any]:
        """Who may send: EventBridge, and for these rules only."""
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "OnlyTheRules",
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": self.arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": list(self.senders)}},
                }
            ],
        }

    def _url(self, aws: Aws) -> str | None:
        answer = unless_missing(lambda: aws.sqs.get_queue_url(QueueName=self.name))
        return answer["QueueUrl"] if answer else None

    def current(self, aws: Aws) -> State | None:
        """The queue as it is; None where it does not exist."""
        url = self._url(aws)
        if url is None:
            return None
        found: Mapping[Any, str] = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        managed = _MANAGED if found.get("SqsManagedSseEnabled") == "true" else "none"
        return {
            "policy": json.loads(found["Policy"]) if found.get("Policy") else None,
            "retention in seconds": int(found["MessageRetentionPeriod"]),
            "encryption": found.get("KmsMasterKeyId") or managed,
            "tags": own_tags(aws.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})),
        }

    def _attributes(self, fields: Mapping[str, Any]) -> Any:
        attributes = {"Policy": json.dumps(self.policy())} if "policy" in fields else {}
        if "retention in seconds" in fields:
            attributes["MessageRetentionPeriod"] = str(_RETENTION_SECONDS)
        if "encryption" in fields:
            if self.kms_key is None:
                # An empty key switches SSE-KMS off; both can't be set at once.
                attributes["KmsMasterKeyId"] = ""
                attributes["SqsManagedSseEnabled"] = "true"
            else:
                attributes["KmsMasterKeyId"] = self.kms_key
        return attributes

    def create(self, aws: Aws) -> None:
        """Make the queue with every field at once."""
        attributes = self._attributes(self.desired())
        if self.kms_key is None:
            del attributes["KmsMasterKeyId"]
        aws.sqs.create_queue(QueueName=self.name, Attributes=attributes, tags=dict(self.tags))

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Set the fields named."""
        url = aws.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
        if set(differences) - {"tags"}:
            aws.sqs.set_queue_attributes(QueueUrl=url, Attributes=self._attributes(differences))
        if "tags" in differences:
            unwanted = surplus(self.tags, differences["tags"])
            if unwanted:
                aws.sqs.untag_queue(QueueUrl=url, TagKeys=unwanted)
            aws.sqs.tag_queue(QueueUrl=url, Tags=dict(self.tags))

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:
        """Remove the queue; with ``keep_data`` only when no undelivered event is in it."""
        url = self._url(aws)
        if url is None:
            return Removal.ABSENT
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        if keep_data and any(int(count) for count in counts.values()):
            return Removal.HOLDS_DATA
        aws.sqs.delete_queue(QueueUrl=url)
        return Removal.REMOVED
