"""What every step of a pipeline shares: role, image, code, paths, caching, retries, tags.

Importing this module imports the SageMaker SDK (seconds); see :mod:`pipeline.definition.sdk`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sagemaker.core import image_uris
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import CacheConfig

from pipeline.definition.bundle import Bundle
from pipeline.settings.environment import Settings

#: AWS's prebuilt scikit-learn container that all jobs run in.
IMAGE_VERSION = "1.9-0"

#: A pipeline variable, or the plain value it stands for.
Value = Any


@dataclass(frozen=True)
class Frame:
    """What every step of a pipeline shares.

    Attributes:
        settings: of the environment.
        bundle: the packed code.
        session: offline session from :func:`pipeline.definition.sdk.offline_session`.
        processing_instance_type: pipeline parameter or type name.
    """

    settings: Settings
    bundle: Bundle
    session: Any
    processing_instance_type: Value

    @property
    def role(self) -> str:
        """Role ARN that the jobs run as."""
        return self.settings.role_arn(self.settings.execution_role_name)

    @property
    def image_uri(self) -> str:
        """Pinned image, resolved from the SDK's own table for the region."""
        uri: str = image_uris.retrieve(
            "sklearn", self.settings.region, version=IMAGE_VERSION, image_scope="training", py_version="py3"
        )
        return uri

    @property
    def code_uri(self) -> str:
        """S3 prefix of the packed code."""
        return f"s3://{self.settings.artifacts_bucket}/{self.bundle.prefix}"

    @property
    def job_environment(self) -> dict[str, str]:
        """Variables of every job: boto3 inside it needs to be told the region."""
        return {"AWS_DEFAULT_REGION": self.settings.region}

    @property
    def wheels_uri(self) -> str | None:
        """S3 prefix that jobs install packages from; None is a package index."""
        folder = self.settings.network.wheels_folder
        return f"s3://{self.settings.artifacts_bucket}/{folder}/" if folder else None

    def is_isolated(self, step: str) -> bool:
        """Whether a step's container gets no network."""
        return step in self.settings.network.isolated_steps

    def run_uri(self, *parts: str) -> Join:
        """``s3://<artifacts>/runs/<execution id>/<parts>``: one execution never writes over another's data."""
        return Join(
            on="/",
            values=[
                f"s3://{self.settings.artifacts_bucket}/runs",
                ExecutionVariables.PIPELINE_EXECUTION_ID,
                *parts,
            ],
        )

    @property
    def cache(self) -> CacheConfig:
        """Steps that are pure functions of their inputs are taken from an earlier execution."""
        return CacheConfig(enable_caching=True, expire_after=self.settings.running.cache_expire_after)

    def _backoff(self) -> dict[str, Any]:
        running = self.settings.running
        return {
            "max_attempts": running.retry_attempts,
            "interval_seconds": running.retry_interval_seconds,
            "backoff_rate": running.retry_backoff_rate,
        }

    def step_retries(self) -> list[Any]:
        """Retries for calls that AWS throttles or that fail on its side."""
        return [
            StepRetryPolicy(
                exception_types=[StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING],
                **self._backoff(),
            )
        ]

    def job_retries(self) -> list[Any]:
        """The same, and for jobs that get no instance or die of AWS's own errors. Never for the script's own error."""
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

    def tags(self) -> list[dict[str, str]]:
        """Tags in AWS's request form."""
        return [{"Key": key, "Value": value} for key, value in sorted(self.settings.resource_tags().items())]
