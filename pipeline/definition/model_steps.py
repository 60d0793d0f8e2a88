"""The steps around the model: register a version, make a model of it or of one in the registry.

Importing this module imports the SageMaker SDK (seconds); see :mod:`pipeline.definition.sdk`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.training.configs import Networking
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.serve.model_builder import ModelBuilder

from pipeline.definition.step_frame import Frame, Value

#: Where the toolkit finds the code inside a model artefact.
MODEL_CODE_FOLDER = "/opt/ml/model/code"


def _model_builder(frame: Frame, model_data: Value) -> ModelBuilder:
    network = frame.settings.network
    return ModelBuilder(
        image_uri=frame.image_uri,
        s3_model_data_url=model_data,
        env_vars={
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": MODEL_CODE_FOLDER,
            # The server installs the code with pip, which looks for setuptools in a package index unless told not to;
            # pip reads this variable as the negation of its name.
            **({"PIP_NO_BUILD_ISOLATION": "0"} if network.isolated_steps or network.wheels_folder else {}),
        },
        role_arn=frame.role,
        sagemaker_session=frame.session,
        content_type="text/csv",
        accept_type="text/csv",
        # Anything but an empty mapping makes the builder upload code while it compiles.
        dependencies={},
        network=Networking(
            subnets=list(network.subnets) or None,
            security_group_ids=list(network.security_groups) or None,
            enable_network_isolation=_is_isolated(frame),
        ),
    )


def _is_isolated(frame: Frame) -> bool:
    """Whether the containers that serve the model get no network; transform jobs take this from their model."""
    return frame.is_isolated("CreateModel")


def register_model_step(
    frame: Frame,
    name: str,
    *,
    description: str,
    model_data: Value,
    approval_status: Value,
    statistics_uri: Value,
    card_content: Value,
    properties: Mapping[str, Value],
) -> ModelStep:
    """A step of type ``RegisterModel``: a new version in the model package group.

    Args:
        frame: shared settings.
        name: step name.
        description: shown in the console.
        model_data: S3 URI of ``model.tar.gz``.
        approval_status: what the version is born with.
        statistics_uri: S3 URI of the model-quality JSON.
        card_content: model card as the JSON text that CreateModelPackage takes.
        properties: customer metadata, at most 256 characters each.
    """
    step_args = _model_builder(frame, model_data).register(
        model_package_group_name=frame.settings.model_package_group_name,
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=[frame.settings.instances.transform],
        transform_instances=[frame.settings.instances.transform],
        approval_status=approval_status,
        model_metrics=ModelMetrics(
            model_statistics=MetricsSource(content_type="application/json", s3_uri=statistics_uri)
        ),
        customer_metadata_properties=dict(properties),
        domain="MACHINE_LEARNING",
        task="REGRESSION",
        model_card=_Card(card_content),
    )
    return ModelStep(name=name, description=description, step_args=step_args, retry_policies=frame.step_retries())


@dataclass(frozen=True)
class _Card:
    """What ``register`` reads of a card. The SDK's own class refuses content that holds pipeline variables."""

    content: Value
    model_card_status: str = "PendingReview"


def create_model_step(
    frame: Frame, name: str, *, description: str, model_data: Value, depends_on: Sequence[Any]
) -> ModelStep:
    """A step of type ``Model``: what the transform job serves."""
    step_args = _model_builder(frame, model_data).build()
    # The builder takes no tags but those of JumpStart.
    step_args.create_model_request["Tags"] = frame.tags()
    return ModelStep(
        name=name,
        description=description,
        step_args=step_args,
        depends_on=list(depends_on),
        retry_policies=frame.step_retries(),
    )


@dataclass(frozen=True)
class _CapturedModel:
    """What ModelStep asks of the object that a CreateModel request comes from."""

    sagemaker_session: Any


def create_model_from_package_step(frame: Frame, name: str, *, description: str, model_package_arn: Value) -> ModelStep:
    """A step of type ``Model`` for a version in the registry.

    ``ModelBuilder`` wants the package's content at compile time; here the package is known only when the pipeline runs,
    so the request is captured from the session, as ``ModelBuilder`` itself does.

    Args:
        frame: shared settings.
        name: step name.
        description: shown in the console.
        model_package_arn: pipeline variable or ARN.
    """
    network = frame.settings.network
    session = frame.session
    session.context = None
    session.init_model_step_arguments(_CapturedModel(session))
    session.create_model(
        name=None,
        role=frame.role,
        container_defs={"ModelPackageName": model_package_arn},
        vpc_config={"Subnets": list(network.subnets), "SecurityGroupIds": list(network.security_groups)}
        if network.subnets
        else None,
        enable_network_isolation=_is_isolated(frame),
        tags=frame.tags(),
    )
    return ModelStep(name=name, description=description, step_args=session.context, retry_policies=frame.step_retries())
