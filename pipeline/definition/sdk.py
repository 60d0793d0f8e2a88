"""The traps of the SageMaker SDK v3, each handled here and nowhere else.

- Importing the SDK takes seconds, so only the two pipelines and the modules of their steps import it, and only
  :mod:`pipeline.definition.compile` imports those: no command pays for it that compiles nothing.
- ``ModelTrainer`` simulates IAM policies while a definition is made unless ``SAGEMAKER_VALIDATE_ROLE`` is ``false``.
- Telemetry is on by default; it is switched off by configuration, not by blocking the network.
- Importing it makes clients from boto3's default session, which needs a region and would stay behind for all that runs
  later in the process.
- Sessions look up credentials, an account and a default bucket; this one is given all three and calls nothing.
- Each look-up in a session's configuration validates all of it against a JSON schema again, which makes up nine tenths
  of the time of a compile; the configuration given here is a constant and validated by a test.
- Names and S3 paths carry the time of the compile; the factories pass explicit ones instead.
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from pipeline.settings.environment import Settings

TELEMETRY_OFF = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}
_ENVIRONMENT = {
    "SAGEMAKER_VALIDATE_ROLE": "false",
    # Deterministic and offline: no profile, no metadata service, no endpoint of the caller's shell.
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    # Site-wide defaults of the SDK would leak into the definition.
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": os.devnull,
    "SAGEMAKER_USER_CONFIG_OVERRIDE": os.devnull,
}
_UNSET = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER")


@contextmanager
def offline_sdk(region: str) -> Iterator[None]:
    """Make the SDK offline and quiet while a definition is compiled, and put everything back afterwards."""
    import boto3

    default_session = boto3.DEFAULT_SESSION
    # "Popping out 'TrainingJobName' from the pipeline definition" is what a pipeline is expected to do.
    disabled = logging.root.manager.disable
    handlers, level = logging.root.handlers[:], logging.root.level
    logging.disable(logging.ERROR)
    try:
        with (
            mock.patch.dict(os.environ, {**_ENVIRONMENT, "AWS_DEFAULT_REGION": region}),
            warnings.catch_warnings(action="ignore"),  # deprecations inside the SDK and what it imports
        ):
            for name in _UNSET:
                os.environ.pop(name, None)
            from sagemaker.core.config.config_manager import SageMakerConfig

            with mock.patch.object(SageMakerConfig, "validate_sagemaker_config"):
                yield
    finally:
        boto3.DEFAULT_SESSION = default_session
        logging.disable(disabled)
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)


def offline_session(settings: Settings) -> Any:
    """Return a ``PipelineSession`` with region, bucket and telemetry choice, and without usable credentials."""
    import boto3
    from sagemaker.core.workflow.pipeline_context import PipelineSession

    boto_session = boto3.Session(
        region_name=settings.region,
        aws_access_key_id="offline",
        aws_secret_access_key="offline",  # noqa: S106 - a placeholder, so that boto3 looks for no real one
    )
    return PipelineSession(
        boto_session=boto_session,
        sagemaker_client=boto_session.client("sagemaker"),
        default_bucket=settings.artifacts_bucket,
        sagemaker_config=TELEMETRY_OFF,
    )
