"""What the resources of an environment are called: names and ARNs that follow from its settings."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from pipedef.arns import partition_of
from pipeline.settings.constraints import AccountId, Region, ShortName
from pipeline.settings.contract import Flow
from pipeline.settings.sections import Buckets


class ResourceNames(BaseModel):
    """The settings that names and ARNs follow from, and those names and ARNs."""

    environment: ShortName
    account_id: AccountId
    region: Region
    project: ShortName = "bikeshare"
    tags: dict[str, str] = Field(default_factory=dict)
    buckets: Buckets = Field(default_factory=Buckets)

    @property
    def prefix(self) -> str:
        """Beginning of every resource name, such as ``bikeshare-dev``."""
        return f"{self.project}-{self.environment}"

    def _bucket(self, purpose: Literal["raw", "artifacts", "predictions"]) -> str:
        configured: str | None = getattr(self.buckets, purpose)
        return configured or f"{self.prefix}-{purpose}-{self.account_id}"

    @property
    def raw_bucket(self) -> str:
        """Bucket that files are uploaded to."""
        return self._bucket("raw")

    @property
    def artifacts_bucket(self) -> str:
        """Bucket for code bundles, intermediate data of executions, claims."""
        return self._bucket("artifacts")

    @property
    def predictions_bucket(self) -> str:
        """Bucket that analysts read."""
        return self._bucket("predictions")

    def pipeline_name(self, flow: Flow) -> str:
        """Return the name of the pipeline that a file under ``raw/<flow>/`` starts."""
        return f"{self.prefix}-{flow}"

    @property
    def training_pipeline_name(self) -> str:
        """Name of the training pipeline."""
        return self.pipeline_name("training")

    @property
    def scoring_pipeline_name(self) -> str:
        """Name of the scoring pipeline."""
        return self.pipeline_name("scoring")

    @property
    def pipeline_names(self) -> tuple[str, str]:
        """Names of both pipelines."""
        return self.training_pipeline_name, self.scoring_pipeline_name

    def rule_name(self, flow: Flow) -> str:
        """Return the name of the EventBridge rule for ``raw/<flow>/*.csv``."""
        return f"{self.prefix}-{flow}-upload"

    @property
    def alarm_rule_name(self) -> str:
        """EventBridge rule for executions that failed."""
        return f"{self.prefix}-failed"

    @property
    def dead_letter_queue_name(self) -> str:
        """Queue of events that could not be delivered."""
        return f"{self.prefix}-undelivered"

    @property
    def alarm_topic_name(self) -> str:
        """Topic for notifications of failed executions."""
        return f"{self.prefix}-alarms"

    @property
    def feature_group_name(self) -> str:
        """Feature group that holds one record a day."""
        return f"{self.prefix}-daily"

    @property
    def model_package_group_name(self) -> str:
        """Group in the model registry."""
        return f"{self.prefix}-regression"

    @property
    def database_name(self) -> str:
        """Glue database, in the letters that Athena takes without quotes."""
        return self.prefix.replace("-", "_")

    @property
    def execution_role_name(self) -> str:
        """Role that pipelines and jobs run as."""
        return f"{self.prefix}-execution"

    @property
    def events_role_name(self) -> str:
        """Role with which EventBridge starts the pipelines."""
        return f"{self.prefix}-events"

    @property
    def partition(self) -> str:
        """Part of AWS that the region belongs to: ``aws``, ``aws-cn`` or ``aws-us-gov``."""
        return partition_of(self.region)

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def iam_arn(self, resource: str) -> str:
        """Return the ARN of a role or identity provider of this account; IAM knows no regions."""
        return f"arn:{self.partition}:iam::{self.account_id}:{resource}"

    def role_arn(self, name: str) -> str:
        """Return the ARN of a role of this account."""
        return self.iam_arn(f"role/{name}")

    def rule_arn(self, name: str) -> str:
        """Return the ARN of a rule of the default event bus."""
        return self.arn("events", f"rule/{name}")

    def bucket_arn(self, name: str) -> str:
        """Return the ARN of a bucket."""
        return f"arn:{self.partition}:s3:::{name}"

    def pipeline_arn(self, name: str) -> str:
        """Return the ARN of a pipeline of this account and region."""
        return self.arn("sagemaker", f"pipeline/{name}")

    def resource_tags(self) -> dict[str, str]:
        """Return the tags that every resource gets: project, environment and those of the settings."""
        return {"project": self.project, "environment": self.environment, **self.tags}
