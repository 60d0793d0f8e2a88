"""What every step of a pipeline shares: input object, role, image, code, paths, caching, retries, tags."""

from collections.abc import Sequence
from typing import Any

from sagemaker.core import image_uris
from sagemaker.core.training.configs import Networking
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import CacheConfig

from pipeline.definition.bundle import ARCHIVE_NAME, Bundle
from pipeline.definition.sdk import offline_session
from pipeline.settings.contract import (
    INPUT_BUCKET,
    INPUT_KEY,
    INPUT_VERSION,
    NEWEST_VERSION,
    RUN_KEY,
    UPLOAD_RUN_KEY,
    WHEELS_INPUT,
    JobStep,
)
from pipeline.settings.environment import Settings

#: AWS's prebuilt scikit-learn container that all jobs run in.
IMAGE_VERSION = "1.9-0"

#: A pipeline variable, or the plain value it stands for.
Value = Any


def image_uri(region: str) -> str:
    """Return the URI of the pinned image, resolved from the SDK's own table for the region."""
    uri: str = image_uris.retrieve("sklearn", region, version=IMAGE_VERSION, image_scope="training", py_version="py3")
    return uri


class StepContext:
    """What every step of a pipeline shares."""

    def __init__(self, settings: Settings, bundle: Bundle) -> None:
        """Create the session and the parameters of a pipeline. Of the parameters only the key has no default."""
        instances = settings.instances
        self.settings = settings
        self.bundle = bundle
        self.session = offline_session(settings)
        self.bucket = ParameterString(INPUT_BUCKET, default_value=settings.raw_bucket)
        self.key = ParameterString(INPUT_KEY)
        self.version_id = ParameterString(INPUT_VERSION, default_value=NEWEST_VERSION)
        self.run_key = ParameterString(RUN_KEY, default_value=UPLOAD_RUN_KEY)
        self.processing_instance_type = ParameterString("ProcessingInstanceType", default_value=instances.processing)
        self.training_instance_type = ParameterString("TrainingInstanceType", default_value=instances.training)
        self.transform_instance_type = ParameterString("TransformInstanceType", default_value=instances.transform)
        self.execution_arn = ExecutionVariables.PIPELINE_EXECUTION_ARN
        #: ARN of the role that the jobs run as.
        self.role = settings.role_arn(settings.execution_role_name)
        #: S3 prefix of the packed code.
        self.code_uri = f"s3://{settings.artifacts_bucket}/{bundle.prefix}"
        #: The object that says from which commit the code was deployed.
        self.archive_uri = f"{self.code_uri}/{ARCHIVE_NAME}"
        self.image_uri = image_uri(settings.region)
        #: Caching for steps that are pure functions of their inputs.
        self.cache = CacheConfig(enable_caching=True, expire_after=settings.running.cache_expire_after)

    def pipeline(self, name: str, parameters: Sequence[Any], steps: Sequence[Any]) -> Pipeline:
        """Assemble the pipeline; the parameters of the input object come before its own ones."""
        return Pipeline(
            name=name,
            parameters=[self.bucket, self.key, self.version_id, self.run_key, *parameters],
            steps=list(steps),
            sagemaker_session=self.session,
            # No experiment is kept, so that the role needs no permissions for it.
            pipeline_experiment_config=None,
        )

    @property
    def wheels(self) -> dict[str, str]:
        """Input that jobs install libraries from, by its name; empty where the image has all of them."""
        lock = self.bundle.lock
        return {WHEELS_INPUT: f"s3://{self.settings.artifacts_bucket}/{lock.prefix}/"} if lock.pins else {}

    def is_isolated(self, step: str) -> bool:
        """Return whether a step's container gets no network."""
        return step in self.settings.network.isolated_steps

    def networking(self, *, encrypted: bool | None, isolated: bool | None) -> Networking:
        """Return subnets, security groups and isolation as the SDK's trainers and model builders take them."""
        network = self.settings.network
        return Networking(
            subnets=list(network.subnets) or None,
            security_group_ids=list(network.security_groups) or None,
            enable_inter_container_traffic_encryption=encrypted,
            enable_network_isolation=isolated,
        )

    def run_uri(self, step: str, *parts: str) -> Join:
        """Return ``s3://<artifacts>/runs/<execution id>/<step>/<parts>``: no execution writes over another's data.

        Files in ``runs/`` expire. What a registered version refers to is in ``models/`` instead, and stays.
        """
        folder = "models" if step in {JobStep.TRAIN, JobStep.EVALUATE} else "runs"
        root = f"s3://{self.settings.artifacts_bucket}/{folder}"
        return Join(on="/", values=[root, ExecutionVariables.PIPELINE_EXECUTION_ID, step, *parts])

    def step_retries(self) -> list[Any]:
        """Return retries for calls that AWS throttles or that fail on its side."""
        faults = [StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING]
        return [StepRetryPolicy(exception_types=faults, **self._backoff())]

    def job_retries(self) -> list[Any]:
        """Return those, and retries for jobs that get no instance or die of AWS's errors, never of the script's own."""
        return [
            *self.step_retries(),
            SageMakerJobStepRetryPolicy(
                exception_types=[SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT],
                failure_reason_types=[
                    SageMakerJobExceptionTypeEnum.INTERNAL_ERROR,
                    SageMakerJobExceptionTypeEnum.CAPACITY_ERROR,
                ],
                **self._backoff(),
            ),
        ]

    def _backoff(self) -> dict[str, Any]:
        running = self.settings.running
        return {
            "max_attempts": running.retry_attempts,
            "interval_seconds": running.retry_interval_seconds,
            "backoff_rate": running.retry_backoff_rate,
        }

    def tags(self) -> list[dict[str, str]]:
        """Return the tags in AWS's request form."""
        return [{"Key": key, "Value": value} for key, value in sorted(self.settings.resource_tags().items())]
