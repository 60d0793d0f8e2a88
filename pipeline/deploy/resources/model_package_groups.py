"""The model package group: where registered versions of the model go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.resource import Difference, Removal, State
from pipeline.deploy.engine.tags import surplus, tag_list, tag_map


def tags_of(aws: Aws, arn: str) -> dict[str, str]:
    """Tags of a SageMaker resource."""
    pages = aws.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    return tag_map(tag for page in pages for tag in page["Tags"])


def set_tags(aws: Aws, arn: str, tags: Mapping[str, str], difference: Difference) -> None:
    """Add what is missing or other, remove what is not wanted."""
    unwanted = surplus(tags, difference)
    if unwanted:
        aws.sagemaker.delete_tags(ResourceArn=arn, TagKeys=unwanted)
    aws.sagemaker.add_tags(ResourceArn=arn, Tags=tag_list(tags))


@dataclass(frozen=True)
class ModelPackageGroup:
    """One group; AWS lets only its tags be changed."""

    name: str
    description: str
    tags: Mapping[str, str]
    kind: str = "model package group"

    def desired(self) -> State:
        """Tags."""
        return {"tags": dict(self.tags)}

    def current(self, aws: Aws) -> State | None:
        """The group as it is; None where it does not exist."""
        answer = unless_missing(lambda: aws.sagemaker.describe_model_package_group(ModelPackageGroupName=self.name))
        return {"tags": tags_of(aws, answer["ModelPackageGroupArn"])} if answer else None

    def create(self, aws: Aws) -> None:
        """Make the group."""
        aws.sagemaker.create_model_package_group(
            ModelPackageGroupName=self.name, ModelPackageGroupDescription=self.description, Tags=tag_list(self.tags)
        )

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Set the tags."""
        arn = aws.sagemaker.describe_model_package_group(ModelPackageGroupName=self.name)["ModelPackageGroupArn"]
        set_tags(aws, arn, self.tags, differences["tags"])

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:
        """Remove every version, then the group; with ``keep_data`` only an empty group."""
        if self.current(aws) is None:
            return Removal.ABSENT
        pages = aws.sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=self.name)
        versions = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
        if versions and keep_data:
            return Removal.HOLDS_DATA
        for arn in versions:
            aws.sagemaker.delete_model_package(ModelPackageName=arn)
        aws.sagemaker.delete_model_package_group(ModelPackageGroupName=self.name)
        return Removal.REMOVED
