"""Experiments: an execution is a trial of an experiment, and each of its jobs a component of the trial.

As in AWS the experiment and the trial are created under the execution's role before its first step, unless they
exist; the components are created by SageMaker itself.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.services.sagemaker.pipelines.ports import ExecutionServices

logger = logging.getLogger(__name__)


_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}")


def name_problems(config: Mapping[str, str]) -> Iterator[str]:
    """Yield the problems of the names in a PipelineExperimentConfig."""
    for member, name in config.items():
        if not _NAME.fullmatch(name):
            yield f"{member} [{name}] must have 1 to 120 letters, digits and hyphens, and must not start with a hyphen."


def ensure_trial(services: ExecutionServices, config: Mapping[str, str]) -> None:
    """Create an execution's experiment and trial where they do not exist yet.

    Args:
        services: of the execution.
        config: its PipelineExperimentConfig.

    Raises:
        ClientError, BotoCoreError: the role does not allow it, or a name is not valid.
    """
    own, client = services.own("sagemaker"), services.client("sagemaker")
    experiment, trial = config.get("ExperimentName"), config.get("TrialName")
    if experiment is None:
        return
    pages = own.get_paginator("list_experiments").paginate()
    known = {item["ExperimentName"] for page in pages for item in page["ExperimentSummaries"]}
    if experiment not in known:
        client.create_experiment(ExperimentName=experiment)
    if trial is not None and not _has_trial(own, trial):
        client.create_trial(TrialName=trial, ExperimentName=experiment)


def _has_trial(client: Any, name: str) -> bool:
    try:
        client.describe_trial(TrialName=name)
    except ClientError as missing:
        if missing.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        return False
    return True


class JobComponent:
    """The trial component of one job. Failures to store it are logged and do not affect the job.

    Args:
        services: of the execution.
        kind: ``Processing``, ``Training`` or ``Transform``.
        name: of the job.
        config: its ExperimentConfig; without a trial there is no component.
    """

    def __init__(self, services: ExecutionServices, kind: str, name: str, config: Mapping[str, str]) -> None:
        self._services = services
        self._kind = kind
        self._name = f"{name}-aws-{kind.lower()}-job"
        self._display_name = config.get("TrialComponentDisplayName", self._name)
        self._trial = config.get("TrialName")

    def begin(self) -> None:
        """Create the component of a job that has started."""
        self._call(
            lambda client: client.create_trial_component(
                TrialComponentName=self._name,
                DisplayName=self._display_name,
                Status={"PrimaryStatus": "InProgress"},
                StartTime=self._services.clock.now(),
            ),
            lambda client: client.associate_trial_component(TrialComponentName=self._name, TrialName=self._trial),
        )

    def end(self, described: Mapping[str, Any]) -> None:
        """Complete the component from the description of the ended job."""
        status = {"PrimaryStatus": described[f"{self._kind}JobStatus"], "Message": described.get("FailureReason", "")}
        self._call(
            lambda client: client.update_trial_component(
                TrialComponentName=self._name,
                Status=status,
                EndTime=self._services.clock.now(),
                Parameters=parameters(described),
                InputArtifacts=inputs(described),
                OutputArtifacts=outputs(described),
            )
        )

    def _call(self, *calls: Any) -> None:
        if self._trial is None:
            return
        client = self._services.own("sagemaker")
        try:
            for call in calls:
                call(client)
        except (ClientError, BotoCoreError) as error:
            logger.warning("Trial component %s could not be stored: %s", self._name, error)


def parameters(described: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the hyperparameters and resources of a job, numbers as numbers."""
    cluster = described.get("ProcessingResources", {}).get("ClusterConfig")
    resources = cluster or described.get("ResourceConfig") or described.get("TransformResources") or {}
    given = dict(described.get("HyperParameters", {}))
    for name in ("InstanceCount", "InstanceType", "VolumeSizeInGB"):
        if name in resources:
            given[f"SageMaker.{name}"] = str(resources[name])
    return {name: _parameter(value) for name, value in given.items()}


def _parameter(text: str) -> dict[str, Any]:
    try:
        return {"NumberValue": float(text)}
    except ValueError:
        return {"StringValue": text[:2500]}


def inputs(described: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the image and the data that a job read."""
    image = described.get("AlgorithmSpecification", {}).get("TrainingImage") or described.get(
        "AppSpecification", {}
    ).get("ImageUri")
    found = {"SageMaker.ImageUri": image}
    for item in described.get("ProcessingInputs", []):
        found[item["InputName"]] = item.get("S3Input", {}).get("S3Uri")
    for item in described.get("InputDataConfig", []):
        found[item["ChannelName"]] = item["DataSource"].get("S3DataSource", {}).get("S3Uri")
    if "TransformInput" in described:
        found["SageMaker.TransformInput"] = described["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"]
    return {name: {"Value": value} for name, value in found.items() if value}


def outputs(described: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the data that a job wrote."""
    found = {"SageMaker.ModelArtifact": described.get("ModelArtifacts", {}).get("S3ModelArtifacts")}
    for item in described.get("ProcessingOutputConfig", {}).get("Outputs", []):
        found[item["OutputName"]] = item.get("S3Output", {}).get("S3Uri")
    found["SageMaker.TransformOutput"] = described.get("TransformOutput", {}).get("S3OutputPath")
    return {name: {"Value": value} for name, value in found.items() if value}
