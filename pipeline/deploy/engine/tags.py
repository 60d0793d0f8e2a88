"""Tags, however a service spells them: how each one lists, adds and removes those of a resource."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws


def tag_list(tags: Mapping[str, str]) -> Any:
    """Return tags in the request form of most services."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_map(tags: Iterable[Any]) -> dict[str, str]:
    """Return tags as a mapping, from the response form of most services."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def without_reserved(tags: Mapping[str, str]) -> dict[str, str]:
    """Leave out the tags that begin with ``aws:``, which only AWS sets and removes."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


@dataclass(frozen=True)
class TagApi:
    """The tagging calls of one service; it knows a resource by its ARN, name or URL."""

    listed: Callable[[Aws, str], Mapping[str, str]]  #: Return every tag of a resource.
    add: Callable[[Aws, str, Mapping[str, str]], object]  #: Set tags, and leave others as they are.
    remove: Callable[[Aws, str, list[str]], object]  #: Remove tags by key.

    def read(self, aws: Aws, resource: str) -> dict[str, str]:
        """Return the tags that an account can change."""
        return without_reserved(self.listed(aws, resource))

    def replace(self, aws: Aws, resource: str, current: Mapping[str, str], desired: Mapping[str, str]) -> None:
        """Remove the keys that are not wanted, and set the others."""
        if unwanted := sorted(current.keys() - desired.keys()):
            self.remove(aws, resource, unwanted)
        self.add(aws, resource, desired)


def _sagemaker_tags(aws: Aws, arn: str) -> dict[str, str]:
    pages = aws.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    return tag_map(tag for page in pages for tag in page["Tags"])


CLOUDWATCH = TagApi(
    lambda aws, arn: tag_map(aws.cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]),
    lambda aws, arn, tags: aws.cloudwatch.tag_resource(ResourceARN=arn, Tags=tag_list(tags)),
    lambda aws, arn, keys: aws.cloudwatch.untag_resource(ResourceARN=arn, TagKeys=keys),
)
EVENTS = TagApi(
    lambda aws, arn: tag_map(aws.events.list_tags_for_resource(ResourceARN=arn)["Tags"]),
    lambda aws, arn, tags: aws.events.tag_resource(ResourceARN=arn, Tags=tag_list(tags)),
    lambda aws, arn, keys: aws.events.untag_resource(ResourceARN=arn, TagKeys=keys),
)
GLUE = TagApi(
    lambda aws, arn: aws.glue.get_tags(ResourceArn=arn).get("Tags", {}),
    lambda aws, arn, tags: aws.glue.tag_resource(ResourceArn=arn, TagsToAdd=dict(tags)),
    lambda aws, arn, keys: aws.glue.untag_resource(ResourceArn=arn, TagsToRemove=keys),
)
LAMBDA = TagApi(
    lambda aws, arn: aws.functions.list_tags(Resource=arn).get("Tags", {}),
    lambda aws, arn, tags: aws.functions.tag_resource(Resource=arn, Tags=dict(tags)),
    lambda aws, arn, keys: aws.functions.untag_resource(Resource=arn, TagKeys=keys),
)
LOGS = TagApi(
    lambda aws, arn: aws.logs.list_tags_for_resource(resourceArn=arn).get("tags", {}),
    lambda aws, arn, tags: aws.logs.tag_resource(resourceArn=arn, tags=dict(tags)),
    lambda aws, arn, keys: aws.logs.untag_resource(resourceArn=arn, tagKeys=keys),
)
ROLES = TagApi(
    lambda aws, name: tag_map(aws.iam.list_role_tags(RoleName=name)["Tags"]),
    lambda aws, name, tags: aws.iam.tag_role(RoleName=name, Tags=tag_list(tags)),
    lambda aws, name, keys: aws.iam.untag_role(RoleName=name, TagKeys=keys),
)
SAGEMAKER = TagApi(
    _sagemaker_tags,
    lambda aws, arn, tags: aws.sagemaker.add_tags(ResourceArn=arn, Tags=tag_list(tags)),
    lambda aws, arn, keys: aws.sagemaker.delete_tags(ResourceArn=arn, TagKeys=keys),
)
SCHEDULER = TagApi(
    lambda aws, arn: tag_map(aws.scheduler.list_tags_for_resource(ResourceArn=arn)["Tags"]),
    lambda aws, arn, tags: aws.scheduler.tag_resource(ResourceArn=arn, Tags=tag_list(tags)),
    lambda aws, arn, keys: aws.scheduler.untag_resource(ResourceArn=arn, TagKeys=keys),
)
SECRETS = TagApi(
    lambda aws, name: tag_map(aws.secrets.describe_secret(SecretId=name).get("Tags", [])),
    lambda aws, name, tags: aws.secrets.tag_resource(SecretId=name, Tags=tag_list(tags)),
    lambda aws, name, keys: aws.secrets.untag_resource(SecretId=name, TagKeys=keys),
)
SNS = TagApi(
    lambda aws, arn: tag_map(aws.sns.list_tags_for_resource(ResourceArn=arn)["Tags"]),
    lambda aws, arn, tags: aws.sns.tag_resource(ResourceArn=arn, Tags=tag_list(tags)),
    lambda aws, arn, keys: aws.sns.untag_resource(ResourceArn=arn, TagKeys=keys),
)
SQS = TagApi(
    lambda aws, url: aws.sqs.list_queue_tags(QueueUrl=url).get("Tags", {}),
    lambda aws, url, tags: aws.sqs.tag_queue(QueueUrl=url, Tags=dict(tags)),
    lambda aws, url, keys: aws.sqs.untag_queue(QueueUrl=url, TagKeys=keys),
)
