"""The container and artefact of a model, and how its code gets into the job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError
from localmaker.services.sagemaker.jobs.data import archives
from localmaker.services.sagemaker.jobs.data.objects import resolve_inside
from localmaker.services.sagemaker.jobs.failures import client_error
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.transform import user_module

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from localmaker.images.table import ImageMapping
    from localmaker.services.sagemaker.jobs.running.instances import Instance
    from localmaker.services.sagemaker.jobs.running.running_job import RunningJob

_DEFAULT_PROGRAM = "inference.py"


@dataclass(frozen=True)
class ModelContainer:
    """A model's one container.

    Attributes:
        data_uri: the model archive, or a folder in S3 (ending in ``/``) with the uncompressed artefact; None for none.
        isolated: the model asks for EnableNetworkIsolation.
        in_vpc: it has a VpcConfig.
        role: ARN of its execution role.
    """

    image: str
    data_uri: str | None
    environment: Mapping[str, str]
    isolated: bool = False
    in_vpc: bool = False
    role: str = ""


def check_model(sagemaker: SageMakerClient, name: str, arn: str) -> None:
    """Refuse a transform job whose model does not exist.

    Raises:
        AwsError: ValidationException, as CreateTransformJob says it.
    """
    try:
        sagemaker.describe_model(ModelName=name)
    except ClientError as error:
        raise AwsError("ValidationException", f'Could not find model "{arn}".') from error


def find_container(sagemaker: SageMakerClient, name: str) -> ModelContainer:
    """Read the container from DescribeModel, and from DescribeModelPackage if the model is made from a package.

    Raises:
        JobFailure: the model or its package no longer exists, or it is an inference pipeline of several containers.
    """
    try:
        model: Mapping[str, Any] = sagemaker.describe_model(ModelName=name)
        containers = [model["PrimaryContainer"]] if "PrimaryContainer" in model else list(model.get("Containers", []))
        if len(containers) != 1:
            raise client_error(
                f'Model "{name}" has {len(containers)} containers; this endpoint serves models with one.'
            )
        container: dict[str, Any] = dict(containers[0])
        package = container.get("ModelPackageName")
        if package:
            description: Mapping[str, Any] = sagemaker.describe_model_package(ModelPackageName=package)
            packaged = description["InferenceSpecification"]["Containers"][0]
            environment = {**packaged.get("Environment", {}), **container.get("Environment", {})}
            container = {**packaged, **container, "Environment": environment}
    except (ClientError, BotoCoreError) as error:
        raise client_error(f'Model "{name}" cannot be described: {error}') from error
    except (KeyError, IndexError) as error:
        raise client_error(f'The package of model "{name}" has no InferenceSpecification with a container.') from error
    if not container.get("Image"):
        raise client_error(f'Model "{name}" has no image.')
    source = container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
    return ModelContainer(
        container["Image"],
        container.get("ModelDataUrl") or source,
        container.get("Environment", {}),
        isolated=bool(model.get("EnableNetworkIsolation", False)),
        in_vpc=bool(model.get("VpcConfig")),
        role=model.get("ExecutionRoleArn", ""),
    )


@dataclass(frozen=True)
class Place:
    """The role under which a job runs, its image, and whether it has a VpcConfig. A transform job has its model's."""

    role: str
    image: str | None
    in_vpc: bool


def place_of(sagemaker: SageMakerClient, kind: JobKind, request: Mapping[str, Any]) -> Place:
    """Return where a job runs.

    Raises:
        JobFailure: as :func:`find_container`.
    """
    if kind is JobKind.TRANSFORM:
        container = find_container(sagemaker, request["ModelName"])
        return Place(container.role, container.image, container.in_vpc)
    specification = request.get("AppSpecification") or request.get("AlgorithmSpecification") or {}
    image = specification.get("ImageUri") or specification.get("TrainingImage")
    network = request.get("NetworkConfig", request).get("VpcConfig")
    return Place(request.get("RoleArn", ""), image, bool(network))


def fetch_model(job: RunningJob, instance: Instance, container: ModelContainer) -> None:
    """Download the artefact to ``/opt/ml/model``.

    Raises:
        JobFailure: it does not exist, or is unsafe.
    """
    folder = instance.ml / "model"
    folder.mkdir()
    if container.data_uri is None:
        return
    if container.data_uri.endswith("/"):
        job.transfer.download_prefix(container.data_uri, folder)
        return
    archive = instance.work / "model.tar.gz"
    job.transfer.download_object(container.data_uri, archive)
    archives.unpack(archive, folder, job.limits.disk_bytes)


def is_served_by_image(image: ImageMapping, variables: Mapping[str, str]) -> bool:
    """Return whether the image's own algorithm serves the model, since no program of the user's is named."""
    return image.serve is not None and not variables.get("SAGEMAKER_PROGRAM")


def fetch_program(job: RunningJob, instance: Instance, variables: Mapping[str, str]) -> PurePosixPath:
    """Find the serving program, downloading its archive if it is in S3, and copy it to where it is served.

    Returns:
        Its path as the job sees it.

    Raises:
        JobFailure: the variables ``SAGEMAKER_PROGRAM`` and ``SAGEMAKER_SUBMIT_DIRECTORY`` do not lead to it.
    """
    program = variables.get("SAGEMAKER_PROGRAM", _DEFAULT_PROGRAM)
    directory = variables.get("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code")
    if directory.startswith("s3://"):
        archive = instance.work / "sourcedir.tar.gz"
        job.transfer.download_object(directory, archive)
        archives.unpack(archive, instance.ml / "code", job.limits.disk_bytes)
        directory = "/opt/ml/code"
    folder = PurePosixPath("/opt/ml/model/code") / directory
    if folder.parts[:3] != ("/", "opt", "ml") or ".." in folder.parts:
        raise client_error(f'SAGEMAKER_SUBMIT_DIRECTORY "{directory}" is neither in S3 nor below /opt/ml.')
    on_machine: Path = instance.ml.joinpath(*folder.parts[3:])
    if not resolve_inside(on_machine, program).is_file():
        raise client_error(
            f'The model has no program "{program}" in {folder}: set SAGEMAKER_PROGRAM and SAGEMAKER_SUBMIT_DIRECTORY '
            "in its Environment, or put code/inference.py into its archive."
        )
    user_module.copy(on_machine, instance.ml)
    return PurePosixPath("/opt/ml", user_module.FOLDER, program)
