"""What the resources of an environment are called: names and ARNs that follow from its settings."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pipedef.arns import partition_of
from pipeline.settings.constraints import AccountId, Region, ShortName, TagKey, TagValue
from pipeline.settings.contract import Flow, Function
from pipeline.settings.sections import Buckets


class _Name:
    """A name that begins with project and environment."""

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix

    def __get__(self, settings: "ResourceNames", _: object = None) -> str:
        return f"{settings.prefix}-{self._suffix}"


class _BucketName:
    """A configured bucket, or one with a name of project, environment, purpose and account."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose

    def __get__(self, settings: "ResourceNames", _: object = None) -> str:
        configured: str | None = getattr(settings.buckets, self._purpose)
        return configured or f"{settings.prefix}-{self._purpose}-{settings.account_id}"


class ResourceNames(BaseModel):
    """The settings that names and ARNs follow from, and those names and ARNs."""

    model_config = ConfigDict(ignored_types=(_Name, _BucketName))

    environment: ShortName
    account_id: AccountId
    region: Region
    project: ShortName = "bikeshare"
    #: AWS takes 50 on a resource; project and environment are two of them.
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=48)] = Field(default_factory=dict)
    buckets: Buckets = Field(default_factory=Buckets)

    #: Bucket that files are uploaded to.
    raw_bucket = _BucketName("raw")
    #: Bucket for code bundles, intermediate data of executions, claims.
    artifacts_bucket = _BucketName("artifacts")
    #: Bucket that analysts read.
    predictions_bucket = _BucketName("predictions")
    training_pipeline_name = _Name("training")
    scoring_pipeline_name = _Name("scoring")
    #: EventBridge rule for executions that failed.
    alarm_rule_name = _Name("failed")
    #: Rule that lets the sweep run.
    sweep_rule_name = _Name("sweep")
    #: Topic for notifications of failed executions.
    alarm_topic_name = _Name("alarms")
    #: Queue of events that could not be delivered.
    dead_letter_queue_name = _Name("undelivered")
    #: Feature group that holds one record a day.
    feature_group_name = _Name("daily")
    #: Group in the model registry.
    model_package_group_name = _Name("regression")
    #: Role that pipelines and jobs run as.
    execution_role_name = _Name("execution")
    #: Role with which EventBridge starts the pipelines.
    events_role_name = _Name("events")

    @property
    def prefix(self) -> str:
        """Beginning of every resource name, such as ``bikeshare-dev``."""
        return f"{self.project}-{self.environment}"

    def pipeline_name(self, flow: Flow) -> str:
        """Return the name of the pipeline that a file under ``raw/<flow>/`` starts."""
        return f"{self.prefix}-{flow}"

    @property
    def pipeline_names(self) -> tuple[str, str]:
        """Names of both pipelines."""
        return self.training_pipeline_name, self.scoring_pipeline_name

    def rule_name(self, flow: Flow) -> str:
        """Return the name of the EventBridge rule for ``raw/<flow>/*.csv``."""
        return f"{self.prefix}-{flow}-upload"

    def function_name(self, function: Function) -> str:
        """Return the name of a Lambda function, which is also that of its role."""
        return f"{self.prefix}-{function}"

    def function_arn(self, function: Function) -> str:
        """Return the ARN of a Lambda function."""
        return self.arn("lambda", f"function:{self.function_name(function)}")

    @property
    def database_name(self) -> str:
        """Glue database, in the letters that Athena takes without quotes."""
        return self.prefix.replace("-", "_")

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
