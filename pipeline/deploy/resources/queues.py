"""The dead-letter queue: events that EventBridge could not deliver, kept for people to look at."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.policy import EVENTBRIDGE, allow_principal, document
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State

# SQS's maximum: what failed on a Friday is still there after a holiday.
_RETENTION_SECONDS = 14 * 24 * 3600
_MANAGED = "SQS-managed key"


@dataclass(frozen=True)
class Queue(Resource):
    """One queue that only the named EventBridge rules may fill."""

    kind = "queue"
    tag_api = tags.SQS
    arn: str
    senders: tuple[str, ...]  #: ARNs of the rules
    #: Key for its messages; None is SQS's own. The key's policy has to let ``events.amazonaws.com`` use it.
    kms_key: str | None

    def _desired(self) -> State:
        return {
            "policy": self.policy(),
            "retention in seconds": _RETENTION_SECONDS,
            "encryption": self.kms_key or _MANAGED,
        }

    def policy(self) -> dict[str, Any]:
        """Return who may send: EventBridge, and for these rules only."""
        only_rules = {"Condition": {"ArnEquals": {"aws:SourceArn": list(self.senders)}}}
        statement = allow_principal(EVENTBRIDGE, "sqs:SendMessage", Sid="OnlyTheRules", Resource=self.arn, **only_rules)
        return document([statement])

    def _describe(self, aws: Aws) -> str:
        return aws.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]

    def _state(self, aws: Aws, found: Any) -> State:
        answer: Mapping[Any, str] = aws.sqs.get_queue_attributes(QueueUrl=found, AttributeNames=["All"])["Attributes"]
        managed = _MANAGED if answer.get("SqsManagedSseEnabled") == "true" else "none"
        return {
            "policy": json.loads(answer["Policy"]) if answer.get("Policy") else None,
            "retention in seconds": int(answer["MessageRetentionPeriod"]),
            "encryption": answer.get("KmsMasterKeyId") or managed,
        }

    def _tagged_as(self, found: Any) -> str:
        return str(found)

    def _attributes(self, fields: Mapping[str, Any]) -> Any:
        attributes = {"Policy": json.dumps(self.policy())} if "policy" in fields else {}
        if "retention in seconds" in fields:
            attributes["MessageRetentionPeriod"] = str(_RETENTION_SECONDS)
        if "encryption" in fields:
            # An empty key switches SSE-KMS off; both can't be set at once.
            attributes["KmsMasterKeyId"] = self.kms_key or ""
            if self.kms_key is None:
                attributes["SqsManagedSseEnabled"] = "true"
        return attributes

    def create(self, aws: Aws) -> None:
        """Create the queue with every field at once."""
        attributes = self._attributes(self.desired())
        if self.kms_key is None:
            del attributes["KmsMasterKeyId"]
        aws.sqs.create_queue(QueueName=self.name, Attributes=attributes, tags=dict(self.tags))

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        aws.sqs.set_queue_attributes(QueueUrl=self._describe(aws), Attributes=self._attributes(differences))

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = aws.sqs.get_queue_attributes(QueueUrl=found, AttributeNames=names)["Attributes"]
        if keep_data and any(int(count) for count in counts.values()):
            return Removal.HOLDS_DATA
        aws.sqs.delete_queue(QueueUrl=found)
        return Removal.REMOVED
