"""The model package group: where registered versions of the model go."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from analysis.card.following import card_prefix, version_of
from pipeline.aws.clients import Aws
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Removal, Resource


@dataclass(frozen=True)
class ModelPackageGroup(Resource):
    """One group; AWS lets only its tags be changed."""

    kind = "model package group"
    tag_api = tags.SAGEMAKER
    tag_member = "ModelPackageGroupArn"
    description: str

    def _describe(self, aws: Aws) -> Any:
        return aws.sagemaker.describe_model_package_group(ModelPackageGroupName=self.name)

    def create(self, aws: Aws) -> None:
        """Create the group."""
        aws.sagemaker.create_model_package_group(
            ModelPackageGroupName=self.name,
            ModelPackageGroupDescription=self.description,
            Tags=tags.tag_list(self.tags),
        )

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        pages = aws.sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=self.name)
        versions = [item["ModelPackageArn"] for page in pages for item in page["ModelPackageSummaryList"]]
        cards = list(self._cards(aws))
        if (versions or cards) and keep_data:
            return Removal.HOLDS_DATA
        for arn in versions:
            aws.sagemaker.delete_model_package(ModelPackageName=arn)
        for name in cards:
            aws.sagemaker.delete_model_card(ModelCardName=name)
        aws.sagemaker.delete_model_package_group(ModelPackageGroupName=self.name)
        return Removal.REMOVED

    def _cards(self, aws: Aws) -> Iterator[str]:
        """Yield the names of the versions' model cards, those of deleted versions included."""
        pages = aws.sagemaker.get_paginator("list_model_cards").paginate(
            NameContains=card_prefix(self.name).rstrip("-")
        )
        names = [item["ModelCardName"] for page in pages for item in page["ModelCardSummaries"]]
        yield from (name for name in names if version_of(name, self.name) is not None)
