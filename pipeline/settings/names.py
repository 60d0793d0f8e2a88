"""What the resources of an environment are called: names and ARNs that follow from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pipedef.arns import partition_of

if TYPE_CHECKING:
    from pipeline.settings.sections import Buckets

#: The two ways of a file: a pipeline, a rule and a folder of the raw bucket each.
Flow = Literal["training", "scoring"]
FLOWS: tuple[Flow, ...] = ("training", "scoring")

#: Log groups that SageMaker writes the logs of every job of an account to.
JOB_LOG_GROUPS = tuple(f"/aws/sagemaker/{jobs}" for jobs in ("ProcessingJobs", "TrainingJobs", "TransformJobs"))

#: Folder of the raw bucket that people upload to.
RAW_FOLDER = "raw/"


def upload_prefix(flow: Flow) -> str:
    """Return what the keys of a flow's uploads begin with: ``raw/training/`` or ``raw/scoring/``."""
    return f"{RAW_FOLDER}{flow}/"


def upload_pattern(flow: Flow) -> str:
    """Return EventBridge's wildcard for the objects that start a flow's pipeline, such as ``raw/training/*.csv``."""
    return f"{upload_prefix(flow)}*.csv"


def starts_a_pipeline(key: str) -> bool:
    """Say whether an object of this key starts a pipeline by itself: the same test as :func:`upload_pattern`."""
    return key.startswith(tuple(upload_prefix(flow) for flow in FLOWS)) and key.endswith(".csv")


def flow_of(key: str) -> Flow:
    """Return the flow that an object is for: ``raw/scoring/…`` is scored, all else trains."""
    return "scoring" if key.startswith(upload_prefix("scoring")) else "training"


class ResourceNames:
    """Names and ARNs, for settings to have.

    Attributes:
        project, environment: the first two words of every name.
        account_id, region: where the resources are.
        buckets: those that are there already, by name.
        tags: of the settings.
    """

    if TYPE_CHECKING:
        project: str
        environment: str
        account_id: str
        region: str
        buckets: Buckets
        tags: dict[str, str]

    @property
    def prefix(self) -> str:
        """Start of every resource name, such as ``bikeshare-dev``."""
        return f"{self.project}-{self.environment}"

    def _bucket(self, purpose: Literal["raw", "artifacts", "predictions"]) -> str:
        configured: str | None = getattr(self.buckets, purpose)
        return configured or f"{self.prefix}-{purpose}-{self.account_id}"

    @property
    def raw_bucket(self) -> str:
        """Where uploaders put their files."""
        return self._bucket("raw")

    @property
    def artifacts_bucket(self) -> str:
        """Code bundles, intermediate data of executions, claims."""
        return self._bucket("artifacts")

    @property
    def predictions_bucket(self) -> str:
        """What analysts read."""
        return self._bucket("predictions")

    @property
    def training_pipeline_name(self) -> str:
        """Name of the pipeline that a file under ``raw/training/`` starts."""
        return f"{self.prefix}-training"

    @property
    def scoring_pipeline_name(self) -> str:
        """Name of the pipeline that a file under ``raw/scoring/`` starts."""
        return f"{self.prefix}-scoring"

    @property
    def pipeline_names(self) -> tuple[str, str]:
        """Both pipelines."""
        return self.training_pipeline_name, self.scoring_pipeline_name

    @property
    def feature_group_name(self) -> str:
        """Feature group that holds one record a day."""
        return f"{self.prefix}-daily"

    @property
    def model_package_group_name(self) -> str:
        """Group in the model registry."""
        return f"{self.prefix}-regression"

    @property
    def execution_role_name(self) -> str:
        """Role that pipeline and jobs run as."""
        return f"{self.prefix}-execution"

    @property
    def events_role_name(self) -> str:
        """Role with which EventBridge starts the pipeline."""
        return f"{self.prefix}-events"

    def pipeline_name(self, flow: Flow) -> str:
        """Name of the pipeline that a file under ``raw/<flow>/`` starts."""
        return self.training_pipeline_name if flow == "training" else self.scoring_pipeline_name

    def rule_name(self, flow: Flow) -> str:
        """Name of the EventBridge rule for ``raw/<flow>/*.csv``."""
        return self.training_rule_name if flow == "training" else self.scoring_rule_name

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
        """Topic that tells of executions that failed."""
        return f"{self.prefix}-alarms"

    @property
    def database_name(self) -> str:
        """Glue database, in the letters that Athena takes without quotes."""
        return self.prefix.replace("-", "_")

    @property
    def training_rule_name(self) -> str:
        """EventBridge rule for ``raw/training/*.csv``."""
        return f"{self.prefix}-training-upload"

    @property
    def scoring_rule_name(self) -> str:
        """EventBridge rule for ``raw/scoring/*.csv``."""
        return f"{self.prefix}-scoring-upload"

    def rule_arn(self, name: str) -> str:
        """ARN of a rule of the default event bus by its name."""
        return self.arn("events", f"rule/{name}")

    @property
    def partition(self) -> str:
        """Part of AWS that the region belongs to: ``aws``, ``aws-cn`` or ``aws-us-gov``."""
        return partition_of(self.region)

    def arn(self, service: str, resource: str) -> str:
        """ARN of a resource of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def role_arn(self, name: str) -> str:
        """ARN of a role of this account by its name."""
        return self.iam_arn(f"role/{name}")

    def iam_arn(self, resource: str) -> str:
        """ARN of a role or identity provider of this account; IAM knows no regions."""
        return f"arn:{self.partition}:iam::{self.account_id}:{resource}"

    def bucket_arn(self, name: str) -> str:
        """ARN of a bucket by its name."""
        return f"arn:{self.partition}:s3:::{name}"

    def pipeline_arn(self, name: str) -> str:
        """ARN of a pipeline of this account and region by its name."""
        return self.arn("sagemaker", f"pipeline/{name}")

    def resource_tags(self) -> dict[str, str]:
        """Tags that every resource gets: the project's own and those of the settings."""
        return {"project": self.project, "environment": self.environment, **self.tags}
