"""The alarm topic: who wants to hear of failed executions subscribes to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.resource import Difference, Removal, State
from pipeline.deploy.engine.tags import surplus, tag_list, tag_map


@dataclass(frozen=True)
class Topic:
    """One SNS topic that EventBridge may publish to.

    Attributes:
        name: of the topic.
        arn: of the topic.
        emails: addresses that are subscribed; each has to confirm the mail that SNS sends it. Other subscriptions are
            people's own and stay.
        kms_key: key for its messages; None is no server-side encryption beyond SNS's own. The key's policy has to let
            ``events.amazonaws.com`` use it.
        tags: name → value.
    """

    name: str
    arn: str
    emails: tuple[str, ...]
    kms_key: str | None
    tags: Mapping[str, str]
    kind: str = "topic"

    def desired(self) -> State:
        """Policy, encryption, subscriptions, tags."""
        return {
            "policy": self.policy(),
            "encryption": self.kms_key or "",
            "missing subscriptions": [],
            "tags": dict(self.tags),
        }

    def policy(self) -> dict[str, Any]:
        """Who may publish: EventBridge.

        For which rules can't be said: it publishes with no context, so that a condition is never true, and the alarm
        never told ("You can't use Condition blocks in Amazon SNS topic policies for EventBridge", user guide).
        """
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "OnlyEventBridge",
                    "Effect": "Allow",
                    "Principal": {"Service": "events.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": self.arn,
                }
            ],
        }

    def current(self, aws: Aws) -> State | None:
        """The topic as it is; None where it does not exist."""
        answer = unless_missing(lambda: aws.sns.get_topic_attributes(TopicArn=self.arn))
        if answer is None:
            return None
        found = answer["Attributes"]
        return {
            "policy": json.loads(found["Policy"]) if found.get("Policy") else None,
            "encryption": found.get("KmsMasterKeyId", ""),
            "missing subscriptions": self._missing_subscriptions(aws),
            "tags": tag_map(aws.sns.list_tags_for_resource(ResourceArn=self.arn)["Tags"]),
        }

    def _missing_subscriptions(self, aws: Aws) -> list[str]:
        if not self.emails:
            return []
        pages = aws.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=self.arn)
        present = {item["Endpoint"] for page in pages for item in page["Subscriptions"] if item["Protocol"] == "email"}
        return sorted(set(self.emails) - present)

    def create(self, aws: Aws) -> None:
        """Make the topic and subscribe to it."""
        attributes = {"Policy": json.dumps(self.policy())}
        if self.kms_key is not None:
            attributes["KmsMasterKeyId"] = self.kms_key
        aws.sns.create_topic(Name=self.name, Attributes=attributes, Tags=tag_list(self.tags))
        self._subscribe(aws, self.emails)

    def _subscribe(self, aws: Aws, emails: tuple[str, ...]) -> None:
        for address in emails:
            aws.sns.subscribe(TopicArn=self.arn, Protocol="email", Endpoint=address)

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Set the fields named."""
        if "policy" in differences:
            aws.sns.set_topic_attributes(
                TopicArn=self.arn, AttributeName="Policy", AttributeValue=json.dumps(self.policy())
            )
        if "encryption" in differences:
            aws.sns.set_topic_attributes(
                TopicArn=self.arn, AttributeName="KmsMasterKeyId", AttributeValue=self.kms_key or ""
            )
        if "missing subscriptions" in differences:
            self._subscribe(aws, tuple(differences["missing subscriptions"].current))
        if "tags" in differences:
            unwanted = surplus(self.tags, differences["tags"])
            if unwanted:
                aws.sns.untag_resource(ResourceArn=self.arn, TagKeys=unwanted)
            aws.sns.tag_resource(ResourceArn=self.arn, Tags=tag_list(self.tags))

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:  # noqa: ARG002
        """Remove the topic; every subscription to it goes with it."""
        if unless_missing(lambda: aws.sns.get_topic_attributes(TopicArn=self.arn)) is None:
            return Removal.ABSENT
        aws.sns.delete_topic(TopicArn=self.arn)
        return Removal.REMOVED
