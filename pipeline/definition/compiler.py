"""The two pipelines, read from top to bottom: they are the graphs.

::

    training   ClaimInput ─→ IsNewInput ─→ Preprocess ─┬─→ IngestFeatures
                                                       └─→ Train ─→ Evaluate ─→ QualityGate ─┬─→ QualityGateFailed
                                                                                             │
                    PublishPredictions ←─ Transform ←─ CreateModel ←─ RegisterModel ←────────┘

    scoring    ClaimInput ─→ IsNewInput ─→ SelectModel ─┬─→ Preprocess ─┬─→ IngestFeatures
                                                        └─→ CreateModel ┴─→ Transform ─→ PublishPredictions

Compiling is a pure function of settings and sources: no network, no credentials, always the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pipeline.definition.bundle import Bundle, build_bundle
from pipeline.definition.sdk import offline_sdk, offline_session
from pipeline.errors import DefinitionError
from pipeline.settings.environment import Settings


def compile_training(settings: Settings, bundle: Bundle | None = None) -> str:
    """The training pipeline's definition as the JSON text that CreatePipeline takes.

    Args:
        settings: of the environment.
        bundle: packed code; made from ``steps/`` when left out.

    Raises:
        DefinitionError: the SDK refused the definition.
    """
    return _compile(training_pipeline, settings, bundle)


def compile_scoring(settings: Settings, bundle: Bundle | None = None) -> str:
    """The scoring pipeline's definition; see :func:`compile_training`."""
    return _compile(scoring_pipeline, settings, bundle)


def _compile(pipeline: Callable[[Settings, Bundle], Any], settings: Settings, bundle: Bundle | None) -> str:
    with offline_sdk(settings.region):
        try:
            return canonical(pipeline(settings, bundle or build_bundle()).definition())
        except (TypeError, ValueError, AttributeError) as error:
            raise DefinitionError(
                f"{pipeline.__name__} of {settings.environment!r} does not compile: {error}",
                hint="Check the last change to pipeline/definition/compiler.py and the settings it uses.",
            ) from error


def canonical(definition: str) -> str:
    """The same definition in one spelling: indented, without nulls at its top, comparable line by line."""
    content = {key: value for key, value in json.loads(definition).items() if value is not None}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def training_pipeline(settings: Settings, bundle: Bundle) -> Any:
    """Put the training pipeline together; call it inside :func:`pipeline.definition.sdk.offline_sdk`.

    Returns:
        sagemaker.mlops.workflow.pipeline.Pipeline
    """
    from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo, ConditionIn
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.core.workflow.functions import Join
    from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
    from sagemaker.core.workflow.properties import PropertyFile
    from sagemaker.mlops.workflow.condition_step import ConditionStep
    from sagemaker.mlops.workflow.fail_step import FailStep
    from sagemaker.mlops.workflow.pipeline import Pipeline

    from pipeline.definition import model_steps as models
    from pipeline.definition import shared_steps as shared
    from pipeline.definition import step_factories as make
    from pipeline.definition.model_card import model_card_fragments
    from pipeline.definition.step_frame import Frame

    source = shared.InputObject.parameters(settings)
    # The analysis.
    profile = ParameterString("Profile", default_value=settings.analysis.profile, enum_values=["forecast", "parity"])
    train_fraction = ParameterFloat("TrainFraction", default_value=settings.analysis.train_fraction)
    random_state = ParameterInteger("RandomState", default_value=settings.analysis.random_state)
    feature_count = ParameterInteger("FeatureCount", default_value=settings.analysis.feature_count)
    minimum_r_squared = ParameterFloat("MinimumRSquared", default_value=settings.quality.minimum_r_squared)
    approval_status = ParameterString(
        "ModelApprovalStatus",
        default_value=settings.registry.approval_status,
        enum_values=["PendingManualApproval", "Approved", "Rejected"],
    )
    # Where it runs.
    processing_instance_type = ParameterString("ProcessingInstanceType", default_value=settings.instances.processing)
    training_instance_type = ParameterString("TrainingInstanceType", default_value=settings.instances.training)
    transform_instance_type = ParameterString("TransformInstanceType", default_value=settings.instances.transform)

    frame = Frame(settings, bundle, offline_session(settings), processing_instance_type)
    execution_arn = ExecutionVariables.PIPELINE_EXECUTION_ARN

    claim = shared.claim_input(frame, source)

    preprocess = shared.preprocess_input(
        frame,
        source,
        claim,
        purpose="training",
        profile=profile,
        arguments=["--train-fraction", train_fraction.to_string(), "--random-state", random_state.to_string()],
    )

    ingest = shared.ingest_features(frame, preprocess, claim)

    train = make.training_step(
        frame,
        "Train",
        "train.py",
        description="Fits the linear regression on the training rows",
        instance_type=training_instance_type,
        hyperparameters={"profile": profile, "feature-count": feature_count.to_string()},
        channels={"train": make.output_uri(preprocess, "train")},
        metrics={"train:r2": r"train:r2=([-+0-9.eE]+);", "train:rmse": r"train:rmse=([-+0-9.eE]+);"},
        environment={"CODE_SHA256": bundle.sha256},
    )
    model_data = train.properties.ModelArtifacts.S3ModelArtifacts

    evaluation_file = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")
    evaluate = make.processing_step(
        frame,
        "Evaluate",
        "evaluate.py",
        description="Measures the model on rows that it has not seen, beside the approved one",
        arguments=[
            *("--model-package-group-name", settings.model_package_group_name),
            *("--leakage-threshold", str(settings.quality.leakage_threshold)),
        ],
        inputs={
            "model": model_data,
            "train": make.output_uri(preprocess, "train"),
            "test": make.output_uri(preprocess, "test"),
            "quality": make.output_uri(preprocess, "quality"),
        },
        outputs=["evaluation"],
        property_files=[evaluation_file],
        # Not cached: which model is the approved one changes without any argument changing.
    )
    evaluation = shared.Reported(evaluate, evaluation_file)
    evaluation_uri = Join(on="/", values=[make.output_uri(evaluate, "evaluation"), "evaluation.json"])

    register = models.register_model_step(
        frame,
        "RegisterModel",
        description="New version in the model registry, with metrics and model card",
        model_data=model_data,
        approval_status=approval_status,
        statistics_uri=evaluation_uri,
        card_content=Join(
            on="", values=model_card_fragments(settings, bundle, profile, evaluation.value, execution_arn)
        ),
        properties={
            "profile": profile,
            "code-sha256": bundle.sha256,
            "input-identity": claim.value("identity"),
            "pipeline-execution": execution_arn,
        },
    )

    create_model = models.create_model_step(
        frame,
        "CreateModel",
        description="What the transform job serves",
        model_data=model_data,
        depends_on=[register],
    )

    transform = make.transform_step(
        frame,
        "Transform",
        description="Predicts every row of the file",
        model_name=create_model.properties.ModelName,
        instance_type=transform_instance_type,
        data=shared.scoring_file(preprocess),
    )

    publish = shared.publish_predictions(
        frame,
        transform=transform,
        preprocess=preprocess,
        claim=claim,
        model_package_arn=register.properties.ModelPackageArn,
    )

    gate_failed = FailStep(
        "QualityGateFailed",
        description="The model is not good enough, or too good to be true",
        error_message=Join(
            on=" ",
            values=[
                "The quality gate refused the model: R-squared on the test rows is",
                evaluation.value("regression_metrics.r2.value"),
                "and has to be at least",
                minimum_r_squared.to_string(),
                "; the leakage verdict is",
                evaluation.value("leakage.verdict"),
                "(pass or known is needed). Details:",
                evaluation_uri,
            ],
        ),
    )

    quality_gate = ConditionStep(
        "QualityGate",
        description="R-squared high enough, and no feature gives the answer away",
        conditions=[
            ConditionGreaterThanOrEqualTo(
                left=evaluation.value("regression_metrics.r2.value"), right=minimum_r_squared
            ),
            # "known": the profile declares the leak (the published analysis does).
            ConditionIn(value=evaluation.value("leakage.verdict"), in_values=["pass", "known"]),
        ],
        if_steps=[register, create_model, transform, publish],
        else_steps=[gate_failed],
    )

    return Pipeline(
        name=settings.training_pipeline_name,
        parameters=[
            *source.all(),
            *(profile, train_fraction, random_state, feature_count, minimum_r_squared, approval_status),
            *(processing_instance_type, training_instance_type, transform_instance_type),
        ],
        # The gate stands beside the first condition, not in it: SageMaker takes no condition inside another. Where
        # nothing is new, Evaluate does not run, and so neither does the gate that reads its result.
        steps=[claim.step, shared.is_new_input(claim, [preprocess, ingest, train, evaluate]), quality_gate],
        sagemaker_session=frame.session,
        # No experiment is kept, so that the role needs no permission for any.
        pipeline_experiment_config=None,
    )


def scoring_pipeline(settings: Settings, bundle: Bundle) -> Any:
    """Put the scoring pipeline together; call it inside :func:`pipeline.definition.sdk.offline_sdk`.

    Nothing is fitted here: the newest approved version of the model brings all that was learned.

    Returns:
        sagemaker.mlops.workflow.pipeline.Pipeline
    """
    from sagemaker.core.workflow.parameters import ParameterString
    from sagemaker.core.workflow.properties import PropertyFile
    from sagemaker.mlops.workflow.pipeline import Pipeline

    from pipeline.definition import model_steps as models
    from pipeline.definition import shared_steps as shared
    from pipeline.definition import step_factories as make
    from pipeline.definition.step_frame import Frame

    source = shared.InputObject.parameters(settings)
    model_package_arn = ParameterString("ModelPackageArn", default_value="")
    processing_instance_type = ParameterString("ProcessingInstanceType", default_value=settings.instances.processing)
    transform_instance_type = ParameterString("TransformInstanceType", default_value=settings.instances.transform)

    frame = Frame(settings, bundle, offline_session(settings), processing_instance_type)

    claim = shared.claim_input(frame, source)

    model_file = PropertyFile(name="Model", output_name="model", path="model.json")
    select_model = make.processing_step(
        frame,
        "SelectModel",
        "select_model.py",
        description="Takes the newest approved version of the model, or the one that is named",
        arguments=[
            *("--model-package-group-name", settings.model_package_group_name),
            *("--model-package-arn", model_package_arn),
        ],
        outputs=["model"],
        property_files=[model_file],
    )
    model = shared.Reported(select_model, model_file)

    preprocess = shared.preprocess_input(frame, source, claim, purpose="scoring", profile=model.value("profile"))

    ingest = shared.ingest_features(frame, preprocess, claim)

    create_model = models.create_model_from_package_step(
        frame,
        "CreateModel",
        description="What the transform job serves",
        model_package_arn=model.value("model_package_arn"),
    )

    transform = make.transform_step(
        frame,
        "Transform",
        description="Predicts every row of the file",
        model_name=create_model.properties.ModelName,
        instance_type=transform_instance_type,
        data=shared.scoring_file(preprocess),
    )

    publish = shared.publish_predictions(
        frame,
        transform=transform,
        preprocess=preprocess,
        claim=claim,
        model_package_arn=model.value("model_package_arn"),
    )

    return Pipeline(
        name=settings.scoring_pipeline_name,
        parameters=[*source.all(), model_package_arn, processing_instance_type, transform_instance_type],
        steps=[
            claim.step,
            shared.is_new_input(claim, [select_model, preprocess, ingest, create_model, transform, publish]),
        ],
        sagemaker_session=frame.session,
        # No experiment is kept, so that the role needs no permission for any.
        pipeline_experiment_config=None,
    )
