"""Buckets, policies of buckets, queues and topics, and subscriptions.

moto ignores most properties of the first, and all of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localmaker.services.cloudformation.bucket_settings import SETTINGS
from localmaker.services.cloudformation.fitting import UnfitError, document, fitted
from localmaker.services.cloudformation.kinds import Kind, Made, Properties

_NAME = "BucketName"
# Regions whose website endpoints have a dash before the region ("Amazon S3 endpoints and quotas"); others have a dot.
_DASHED = (
    *("us-east-1", "us-west-1", "us-west-2", "eu-west-1", "sa-east-1", "us-gov-west-1"),
    *("ap-northeast-1", "ap-southeast-1", "ap-southeast-2"),
)


@dataclass(frozen=True)
class _Bucket(Kind):
    """A bucket; each of its properties is set by an operation of its own."""

    def made(self, client: Any, name: str, properties: Properties) -> Made:
        name = str(properties.get(_NAME, name))
        _require_known(properties)
        region: str = client.meta.region_name
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        client.create_bucket(Bucket=name, **place)
        host = f"{name}.s3"
        attributes = {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{host}.amazonaws.com",
            "RegionalDomainName": f"{host}.{region}.amazonaws.com",
            "DualStackDomainName": f"{host}.dualstack.{region}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website{'-' if region in _DASHED else '.'}{region}.amazonaws.com",
        }
        made = Made(name, attributes)
        try:
            _set(client, name, {}, properties)
        except Exception:
            # A resource that fails leaves nothing behind.
            client.delete_bucket(Bucket=name)
            raise
        return made

    def changed(self, client: Any, before: Made, old: Properties, new: Properties) -> Made | None:
        if old.get(_NAME) != new.get(_NAME):
            return None
        _require_known(new)
        removed = [key for key in old if key not in new]
        if removed:
            raise UnfitError(f"#/{removed[0]}: the local endpoint does not take a property back; set it to a value")
        _set(client, before.physical_id, old, new)
        return before

    def gone(self, client: Any, made: Made, properties: Properties) -> None:  # noqa: ARG002 - there is one name
        client.delete_bucket(Bucket=made.physical_id)


def _require_known(properties: Properties) -> None:
    for key in properties:
        if key not in (_NAME, *SETTINGS):
            raise UnfitError(f"#: extraneous key [{key}] is not permitted, or is not supported here")


def _set(client: Any, name: str, old: Properties, new: Properties) -> None:
    for key, (operation, parameters) in SETTINGS.items():
        if key not in new or old.get(key) == new[key]:
            continue
        try:
            request = {"Bucket": name, **parameters(new[key])}
        except (AttributeError, KeyError, TypeError) as error:
            raise UnfitError(f"#/{key}: {error} is missing, or not supported here") from error
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
        getattr(client, operation)(**fitted(shape, request))


@dataclass(frozen=True)
class _Policy(Kind):
    """A policy of a bucket, or of queues or topics.

    Attributes:
        owners: the property that names them.
    """

    owners: str = ""

    def made(self, client: Any, name: str, properties: Properties) -> Made:
        for owner in self._owners(properties):
            self._put(client, owner, document(properties["PolicyDocument"]))
        return Made(str(properties[self.owners]) if self.service == "s3" else name, {})

    def changed(self, client: Any, before: Made, old: Properties, new: Properties) -> Made | None:
        if old.get(self.owners) != new.get(self.owners):
            return None
        self.made(client, before.physical_id, new)
        return before

    def gone(self, client: Any, made: Made, properties: Properties) -> None:  # noqa: ARG002 - the properties have it
        for owner in self._owners(properties):
            if self.service == "s3":
                client.delete_bucket_policy(Bucket=owner)
            elif self.service == "sqs":
                self._put(client, owner, "")
            # A topic always has a policy.

    def _owners(self, properties: Properties) -> list[str]:
        given = properties.get(self.owners)
        if not given or "PolicyDocument" not in properties:
            raise UnfitError(f"#: required key [{self.owners if not given else 'PolicyDocument'}] not found")
        return [str(one) for one in given] if isinstance(given, list) else [str(given)]

    def _put(self, client: Any, owner: str, policy: str) -> None:
        if self.service == "s3":
            client.put_bucket_policy(Bucket=owner, Policy=policy)
        elif self.service == "sqs":
            client.set_queue_attributes(QueueUrl=owner, Attributes={"Policy": policy})
        else:
            client.set_topic_attributes(TopicArn=owner, AttributeName="Policy", AttributeValue=policy)


@dataclass(frozen=True)
class _Subscription(Kind):
    """A subscription to a topic."""

    def gone(self, client: Any, made: Made, properties: Properties) -> None:  # noqa: ARG002 - the ARN says all
        client.unsubscribe(SubscriptionArn=made.physical_id)


def _policy(kind: str, service: str, operation: str, owners: str) -> Kind:
    return _Policy(type=kind, service=service, create=operation, delete=operation, name="", ref="", owners=owners)


KINDS = (
    _Bucket(
        type="AWS::S3::Bucket",
        service="s3",
        create="CreateBucket",
        delete="DeleteBucket",
        name=_NAME,
        ref="Bucket",
        attributes=dict.fromkeys(
            ("Arn", "DomainName", "RegionalDomainName", "DualStackDomainName", "WebsiteURL"), "Bucket"
        ),
    ),
    _policy("AWS::S3::BucketPolicy", "s3", "PutBucketPolicy", "Bucket"),
    _policy("AWS::SQS::QueuePolicy", "sqs", "SetQueueAttributes", "Queues"),
    _policy("AWS::SNS::TopicPolicy", "sns", "SetTopicAttributes", "Topics"),
    _Subscription(
        type="AWS::SNS::Subscription",
        service="sns",
        create="Subscribe",
        delete="Unsubscribe",
        name="",
        ref="SubscriptionArn",
    ),
)
