"""The alarm topic: those who want to hear of failed executions subscribe to it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.policy import CLOUDWATCH, EVENTBRIDGE, allow_principal, document
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State


@dataclass(frozen=True)
class Topic(Resource):
    """One SNS topic that EventBridge may publish to, and alarms of CloudWatch where there are any."""

    kind = "topic"
    tag_api = tags.SNS
    tag_member = "TopicArn"
    arn: str
    #: Addresses to subscribe; each has to confirm the mail that SNS sends it. Other subscriptions are people's own and
    #: stay.
    emails: tuple[str, ...]
    #: Key for its messages; None leaves them to SNS's own encryption. The key's policy has to let
    #: ``events.amazonaws.com`` use it, and ``cloudwatch.amazonaws.com`` where there are alarms.
    kms_key: str | None
    #: ARNs of CloudWatch alarms that may publish.
    alarms: tuple[str, ...] = ()

    def _desired(self) -> State:
        return {"policy": self.policy(), "encryption": self.kms_key or "", "missing subscriptions": []}

    def policy(self) -> dict[str, Any]:
        """Return who may publish: EventBridge, and our alarms.

        EventBridge can't be limited to our rules: it publishes without a context, so no condition would ever hold and
        no alarm arrive ("You can't use Condition blocks in Amazon SNS topic policies for EventBridge", user guide).
        """
        statements = [allow_principal(EVENTBRIDGE, "sns:Publish", Sid="OnlyEventBridge", Resource=self.arn)]
        if self.alarms:
            ours = {"ArnEquals": {"aws:SourceArn": sorted(self.alarms)}}
            statements += [
                allow_principal(CLOUDWATCH, "sns:Publish", Sid="OnlyOurAlarms", Resource=self.arn, Condition=ours)
            ]
        return document(statements)

    def _describe(self, aws: Aws) -> Any:
        return aws.sns.get_topic_attributes(TopicArn=self.arn)["Attributes"]

    def _state(self, aws: Aws, found: Any) -> State:
        return {
            "policy": json.loads(found["Policy"]) if found.get("Policy") else None,
            "encryption": found.get("KmsMasterKeyId", ""),
            "missing subscriptions": self._missing_subscriptions(aws),
        }

    def _missing_subscriptions(self, aws: Aws) -> list[str]:
        if not self.emails:
            return []
        pages = aws.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=self.arn)
        present = {item["Endpoint"] for page in pages for item in page["Subscriptions"] if item["Protocol"] == "email"}
        return sorted(set(self.emails) - present)

    def create(self, aws: Aws) -> None:
        """Create the topic and subscribe to it."""
        attributes = {"Policy": json.dumps(self.policy())}
        if self.kms_key is not None:
            attributes["KmsMasterKeyId"] = self.kms_key
        aws.sns.create_topic(Name=self.name, Attributes=attributes, Tags=tags.tag_list(self.tags))
        self._subscribe(aws, self.emails)

    def _subscribe(self, aws: Aws, emails: Iterable[str]) -> None:
        for address in emails:
            aws.sns.subscribe(TopicArn=self.arn, Protocol="email", Endpoint=address)

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        attributes = {"policy": ("Policy", json.dumps(self.policy())), "encryption": ("KmsMasterKeyId", self.kms_key)}
        for field, (attribute, value) in attributes.items():
            if field in differences:
                aws.sns.set_topic_attributes(TopicArn=self.arn, AttributeName=attribute, AttributeValue=value or "")
        if "missing subscriptions" in differences:
            self._subscribe(aws, differences["missing subscriptions"].current)

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        aws.sns.delete_topic(TopicArn=self.arn)  # Every subscription goes with it.
        return Removal.REMOVED
