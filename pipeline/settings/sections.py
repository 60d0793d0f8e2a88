"""The sections of :class:`~.environment.Settings`: what can be set, its defaults, and what is impossible."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipeline.settings.constraints import (
    BucketName,
    CardStandard,
    Distinct,
    Duration,
    EmailAddress,
    InstanceType,
    KmsKey,
    LogRetention,
    Number,
    ScheduleExpression,
    SecurityGroupId,
    SubnetId,
    TimeZone,
)
from pipeline.settings.contract import ISOLABLE_STEPS, JobStep, TrainOn

Measures = Literal["declared", "numbers", "bins"]
FirstLevels = Literal["declared", "drop", "keep"]
GateFigure = Literal["random", "chronological", "rolling"]
DriftAction = Literal["warn", "fail"]
ApprovalStatus = Literal["PendingManualApproval", "Approved", "Rejected"]

#: The jobs that share their work; the other scripts would do the same on each instance.
_ON_SEVERAL_INSTANCES = (JobStep.TRANSFORM, JobStep.INGEST_FEATURES, JobStep.INGEST_REGISTERED)


class Section(BaseModel):
    """Base of all sections: frozen, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StepInstances(Section):
    """Instances of one step, where they differ from those of its kind."""

    #: Instead of the pipeline parameter for steps of this kind.
    type: InstanceType | None = None
    count: int = Field(default=1, ge=1, le=100)
    volume_size_gib: int | None = Field(default=None, ge=1, le=16384)


class Instances(Section):
    """Instance types, counts and volumes of the jobs."""

    processing: InstanceType = "ml.m5.large"
    training: InstanceType = "ml.m5.large"
    transform: InstanceType = "ml.m5.large"
    #: Of processing and training jobs; batch transform has its own.
    volume_size_gib: int = Field(default=30, ge=1, le=16384)
    #: Keeps the training instance after a job (managed warm pool), 3600 seconds at most; 0 switches it off.
    warm_pool_seconds: int = Field(default=0, ge=0, le=3600)
    #: Step name → what differs for it.
    steps: dict[JobStep, StepInstances] = Field(default_factory=dict)

    @field_validator("steps")
    @classmethod
    def _possible(cls, value: dict[JobStep, StepInstances]) -> dict[JobStep, StepInstances]:
        for name, one in value.items():
            if one.count > 1 and name not in _ON_SEVERAL_INSTANCES:
                raise ValueError(
                    f"{name}.count: {one.count} instances would all do the same work; more than one is for "
                    f"{', '.join(_ON_SEVERAL_INSTANCES)}"
                )
            if one.volume_size_gib is not None and name == JobStep.TRANSFORM:
                raise ValueError(f"{name}.volume_size_gib: a transform job's volume has no size to choose")
        return value

    def of(self, step: JobStep) -> StepInstances:
        """Return the instances of a step; their type is None where it is the one of its kind."""
        found = self.steps.get(step, StepInstances())
        return found.model_copy(update={"volume_size_gib": found.volume_size_gib or self.volume_size_gib})


class Analysis(Section):
    """Defaults of the pipeline parameters that steer split and model."""

    #: By default the first one of the declaration.
    profile: str | None = None
    train_fraction: Number = Field(default=0.7, gt=0, lt=1)
    random_state: int = Field(default=333, ge=0, lt=2**32)
    #: By default what the profile declares.
    feature_count: int | None = Field(default=None, ge=1)
    #: Whether numbers with bins enter the model as numbers, or as dummy variables of their bins.
    measures: Measures = "declared"
    #: Whether reference levels get a dummy variable too.
    first_levels: FirstLevels = "declared"
    #: Whether a model is trained on the file that landed, or on all that the offline store knows as well.
    train_on: TrainOn = "file"


class Quality(Section):
    """What a file and a model have to reach."""

    #: Whose R-squared decides: that of the random split's test rows, or of rows to come (the latest ones, predicted by
    #: refits on rows before them, once or in a rolling origin). Those take a table that has a time. By default the
    #: declaration's, as all that follows.
    gate_figure: GateFigure | None = None
    #: Of that figure, before a model is registered. The leakage verdict is checked beside it and can't be waived.
    minimum_r_squared: Number | None = Field(default=None, le=1)
    #: Adjusted R-squared of the target on its features from which the answer counts as given away.
    leakage_threshold: Number | None = Field(default=None, gt=0, le=1)
    #: How many rows of a file are repaired (and counted in its quality report) before it is refused.
    maximum_duplicate_rows: int = Field(default=0, ge=0)
    maximum_duplicate_keys: int = Field(default=0, ge=0)
    maximum_missing_rows: int = Field(default=0, ge=0)
    maximum_invalid_rows: int = Field(default=0, ge=0)
    #: Rows whose target is not the sum of its parts; they are kept.
    maximum_unequal_sums: int = Field(default=0, ge=0)
    #: Population stability index above which a feature of a file has drifted from the training rows of its model.
    drift_threshold: Number = Field(default=0.25, gt=0)
    #: What is done about rows to score that have; a training is never refused for it.
    drift_action: DriftAction = "warn"
    #: Share of the outcomes of predicted rows, as they arrive, that the 95 % intervals have to cover: below it there is
    #: an alarm. None has no alarm.
    coverage_alarm: Number | None = Field(default=None, gt=0, lt=1)
    #: Outcomes that share is measured on, at least: the newest ones.
    coverage_alarm_rows: int = Field(default=30, ge=1)
    #: Fewer rows than this are not trained on; by default as the declaration asks.
    minimum_training_rows: int | None = Field(default=None, ge=30)


class Registry(Section):
    """The model registry."""

    approval_status: ApprovalStatus = "PendingManualApproval"
    #: What every model card has to have beside SageMaker's schema: a file of ``standards/``, or a path to a TOML file.
    card_standard: CardStandard | None = None


class Features(Section):
    """The Feature Store: online the newest record of each row, offline all. Another choice replaces the groups."""

    #: Athena's work group, which reads the offline store.
    athena_work_group: str = Field(default="primary", pattern=r"^[a-zA-Z0-9._-]{1,128}$")
    online_store: bool = True
    offline_store: bool = True
    #: Days after the upload for which a record is kept online; None keeps it. It can be changed later, but not removed.
    time_to_live_days: int | None = Field(default=None, ge=1)
    #: Records of a file that may be left out, of each instance, before its ingestion fails.
    most_left_out: int = Field(default=0, ge=0)
    #: When ingestion ends, finished or not; nine tenths of ``running.step_timeout_seconds`` at most.
    deadline_seconds: int = Field(default=432000, ge=1)

    @property
    def keep_history(self) -> bool:
        """Whether the offline store knows every record: AWS marks those that expire online as deleted in it."""
        return self.offline_store and self.time_to_live_days is None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not self.online_store and (self.time_to_live_days is not None or not self.offline_store):
            raise ValueError("without online_store, offline_store has to be true, and no record expires")
        return self


class Network(Section):
    """Where the jobs run."""

    #: As many as SageMaker's VpcConfig takes.
    subnets: Annotated[Distinct[SubnetId], Field(max_length=16)] = ()
    security_groups: Annotated[Distinct[SecurityGroupId], Field(max_length=5)] = ()
    encrypt_inter_container_traffic: bool = False
    #: Steps whose container gets no network at all: by default all that call no AWS API.
    isolated_steps: tuple[str, ...] = ISOLABLE_STEPS

    @field_validator("isolated_steps")
    @classmethod
    def _can_be_isolated(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in ISOLABLE_STEPS:
                known = name in set(JobStep)
                why = "calls AWS APIs and needs a network" if known else "is not a step that runs a container"
                raise ValueError(f"{name} {why}; these can be isolated: {', '.join(ISOLABLE_STEPS)}")
        return value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups go together: a VPC job needs both")
        return self


class Running(Section):
    """Time-outs, caching, retries, parallelism."""

    step_timeout_seconds: int = Field(default=3600, ge=60, le=432000)
    cache_expire_after: Duration = "P30D"
    #: Steps of one execution that run at the same time.
    max_parallel_steps: int = Field(default=4, ge=1, le=50)
    retry_attempts: int = Field(default=3, ge=1, le=20)
    retry_interval_seconds: int = Field(default=30, ge=1, le=43200)
    retry_backoff_rate: Number = Field(default=2.0, ge=1)
    log_retention_days: LogRetention = 30
    #: Larger uploads are refused, as are those that gzip expands to more. Above 512, publishing is a processing job and
    #: not a function.
    largest_file_mib: int = Field(default=512, ge=1)
    #: Of each Lambda function; its share of a processor grows with it.
    function_memory_mib: int = Field(default=512, ge=128, le=10240)
    #: How long the model of a failed or stopped execution stays, for a retry, before it is swept.
    keep_models_hours: int = Field(default=24, ge=1)


class Alarms(Section):
    """Who is notified of failed executions."""

    #: Each address has to confirm the e-mail that SNS sends to it.
    emails: Distinct[EmailAddress] = ()


class Buckets(Section):
    """Existing buckets, by name; deployment configures them, and never removes them.

    One that is left out is created, under a name of environment, purpose and account.
    """

    raw: BucketName | None = None
    artifacts: BucketName | None = None
    predictions: BucketName | None = None
    #: Keys that these buckets are encrypted with by their owners: the execution role may use them.
    kms_keys: tuple[KmsKey, ...] = ()


class ObjectLock(Section):
    """For how long no version of an upload can be deleted; by nobody at all in the mode COMPLIANCE."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"]
    days: int = Field(ge=1, le=36500)


class Retention(Section):
    """How long files are kept."""

    #: Days for intermediate files of executions (``runs/`` and ``inputs/``): for longer than steps are cached, and than
    #: anybody wants to retry a failed execution. What registered models refer to is in ``models/``, and stays.
    run_days: int = Field(default=60, ge=2, le=3650)
    #: For the raw bucket. It can be made longer or shorter for later uploads, but not be switched off again.
    raw_lock: ObjectLock | None = None


class Schedule(Section):
    """When the training pipeline starts without an upload, and trains on all the data that it has."""

    #: As EventBridge Scheduler takes it, such as ``cron(0 3 1 * ? *)``; None has no schedule.
    expression: ScheduleExpression | None = None
    #: Of ``cron`` and ``at``.
    timezone: TimeZone = "UTC"
