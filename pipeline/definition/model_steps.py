"""The steps around the model: register a version, create a model from it or from one in the registry."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from sagemaker.core.drift_check_baselines import DriftCheckBaselines
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.workflow.functions import Join
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.serve.model_builder import ModelBuilder

from pipeline.definition.context import StepContext, Value
from pipeline.settings.contract import CREATE_MODEL, REGISTER_MODEL, SERVING_ENVIRONMENT

#: Baselines that Evaluate writes, by what the SDK calls them; analysis/evaluation/monitoring.py knows the files, too.
_DATA_BASELINES = {
    "model_data_statistics": "data-statistics.json",
    "model_data_constraints": "data-constraints.json",
}
_MODEL_CONSTRAINTS, _SAMPLE_PAYLOAD = "model-constraints.json", "sample-payload.tar.gz"
_LONGEST_DESCRIPTION = 1024
_SERVED_MODEL = "What the transform job serves"


def _model_builder(context: StepContext, model_data: Value) -> ModelBuilder:
    return ModelBuilder(
        image_uri=context.image_uri,
        s3_model_data_url=model_data,
        env_vars=dict(SERVING_ENVIRONMENT),
        role_arn=context.role,
        sagemaker_session=context.session,
        content_type="text/csv",
        accept_type="text/csv",
        # Anything but an empty mapping makes the builder upload code while it compiles.
        dependencies={},
        # Transform jobs take this from their model.
        network=context.networking(encrypted=None, isolated=context.is_isolated(CREATE_MODEL)),
    )


def register_model_step(
    context: StepContext,
    *,
    description: str,
    model_data: Value,
    approval_status: Value,
    evaluation: Value,
    card_content: Value,
    properties: Mapping[str, Value],
    after: Any,
) -> ModelStep:
    """Create a step of type ``RegisterModel``: a new version in the model package group, after another step.

    ``evaluation`` is the S3 prefix of what Evaluate has written; ``properties`` have at most 256 characters each.
    """
    settings = context.settings

    def source(file: str) -> MetricsSource:
        return MetricsSource(content_type="application/json", s3_uri=Join(on="/", values=[evaluation, file]))

    baselines = {name: source(file) for name, file in _DATA_BASELINES.items()}
    baselines["model_constraints"] = source(_MODEL_CONSTRAINTS)
    step_args = _model_builder(context, model_data).register(
        model_package_group_name=settings.model_package_group_name,
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=[settings.instances.transform],
        transform_instances=[settings.instances.transform],
        approval_status=approval_status,
        # With more in it than a monitor reads: people look here for the evaluation.
        model_metrics=ModelMetrics(model_statistics=source("evaluation.json"), **baselines),
        drift_check_baselines=DriftCheckBaselines(model_statistics=source("model-statistics.json"), **baselines),
        description=f"Prediction of {settings.declared.words.target}: {settings.declared.title}"[:_LONGEST_DESCRIPTION],
        sample_payload_url=Join(on="/", values=[evaluation, _SAMPLE_PAYLOAD]),
        customer_metadata_properties=dict(properties),
        domain="MACHINE_LEARNING",
        task="REGRESSION",
        # Not the SDK's own class, which refuses content that holds pipeline variables.
        model_card=SimpleNamespace(content=card_content, model_card_status="PendingReview"),
    )
    return ModelStep(
        name=REGISTER_MODEL,
        description=description,
        step_args=step_args,
        depends_on=[after],
        retry_policies=context.step_retries(),
    )


def create_model_step(context: StepContext, *, model_data: Value) -> ModelStep:
    """Create a step of type ``Model``: what the transform job serves."""
    step_args = _model_builder(context, model_data).build()
    # The builder takes no tags but those of JumpStart.
    step_args.create_model_request["Tags"] = context.tags()
    return ModelStep(
        name=CREATE_MODEL,
        description=_SERVED_MODEL,
        step_args=step_args,
        retry_policies=context.step_retries(),
    )


def create_model_from_package_step(context: StepContext, *, model_package_arn: Value) -> ModelStep:
    """Create a step of type ``Model`` for a version in the registry.

    ``ModelBuilder`` wants the package's content at compile time; here the package is known only when the pipeline runs,
    so the request is captured from the session, as ``ModelBuilder`` itself does.
    """
    network = context.settings.network
    session = context.session
    session.context = None
    session.init_model_step_arguments(SimpleNamespace(sagemaker_session=session))
    session.create_model(
        name=None,
        role=context.role,
        container_defs={"ModelPackageName": model_package_arn},
        vpc_config={"Subnets": list(network.subnets), "SecurityGroupIds": list(network.security_groups)}
        if network.subnets
        else None,
        enable_network_isolation=context.is_isolated(CREATE_MODEL),
        tags=context.tags(),
    )
    return ModelStep(
        name=CREATE_MODEL, description=_SERVED_MODEL, step_args=session.context, retry_policies=context.step_retries()
    )
