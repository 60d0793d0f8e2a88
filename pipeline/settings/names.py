"""What the resources of an environment are called: names and ARNs that follow from its settings."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from analysis.dataset.declaration import Dataset
from pipedef.arns import partition_of
from pipeline.datasets.shipped import DEFAULT_DATASET, declared
from pipeline.settings.constraints import AccountId, DatasetName, Region, ShortName, TagKey, TagValue
from pipeline.settings.contract import Flow, Function
from pipeline.settings.sections import Buckets


class _Name:
    """A name that begins with what all names of the environment begin with."""

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix

    def __get__(self, settings: "ResourceNames", _: object = None) -> str:
        return f"{settings.prefix}-{self._suffix}"


class _BucketName:
    """A configured bucket, or one with a name of that beginning, purpose and account."""

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
    #: Declaration of the table, by the name of its file in ``datasets/`` or a path: one environment deploys one.
    dataset: DatasetName = DEFAULT_DATASET
    #: What the resources are called after, beside data set and environment; by default the data set alone.
    project: ShortName | None = None
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
    #: Rule that has model cards follow the versions that they describe.
    follow_rule_name = _Name("follow-model")
    #: Topic for notifications of failed executions.
    alarm_topic_name = _Name("alarms")
    #: Queue of events that could not be delivered.
    dead_letter_queue_name = _Name("undelivered")
    #: Feature groups: of what is known of a row before, and of what becomes known later, the target and its parts.
    inputs_group_name = _Name("inputs")
    outcomes_group_name = _Name("outcomes")
    #: Group in the model registry.
    model_package_group_name = _Name("regression")
    #: Role that pipelines and jobs run as.
    execution_role_name = _Name("execution")
    #: Role with which EventBridge starts the pipelines.
    events_role_name = _Name("events")
    #: Schedule that trains without an upload, and its group.
    schedule_name = _Name("retrain")
    #: Role with which EventBridge Scheduler starts the training pipeline.
    scheduler_role_name = _Name("scheduler")

    @property
    def prefix(self) -> str:
        """Beginning of every resource name: project, data set and environment, such as ``acme-redwine-dev``."""
        return f"{self.system}-{self.environment}"

    @property
    def system(self) -> str:
        """What is deployed: the data set by its declared name, after the project's name where there is one."""
        return "-".join(dict.fromkeys([self.project or self.declared.name, self.declared.name]))

    @property
    def declared(self) -> Dataset:
        """The declaration of the table."""
        return declared(self.dataset)

    def pipeline_name(self, flow: Flow) -> str:
        """Return the name of the pipeline that a file under ``raw/<flow>/`` starts."""
        return f"{self.prefix}-{flow}"

    @property
    def pipeline_names(self) -> tuple[str, str]:
        """Names of both pipelines."""
        return self.training_pipeline_name, self.scoring_pipeline_name

    def rule_name(self, flow: Flow) -> str:
        """Return the name of the EventBridge rule for uploads to ``raw/<flow>/``."""
        return f"{self.prefix}-{flow}-upload"

    def coverage_alarm_name(self, flow: Flow) -> str:
        """Return the name of the CloudWatch alarm on the coverage of a pipeline's outcomes."""
        return f"{self.prefix}-{flow}-coverage"

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

    @property
    def schedule_group_arn(self) -> str:
        """ARN of the schedule's group, for which its role may be assumed."""
        return self.arn("scheduler", f"schedule-group/{self.schedule_name}")

    def bucket_arn(self, name: str) -> str:
        """Return the ARN of a bucket."""
        return f"arn:{self.partition}:s3:::{name}"

    def pipeline_arn(self, name: str) -> str:
        """Return the ARN of a pipeline of this account and region."""
        return self.arn("sagemaker", f"pipeline/{name}")

    def resource_tags(self) -> dict[str, str]:
        """Return the tags that every resource gets: project, environment and those of the settings."""
        return {"project": self.system, "environment": self.environment, **self.tags}
