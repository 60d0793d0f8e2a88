"""The training pipeline, read from top to bottom: it is the graph.

::

    ClaimInput ─→ IsNewInput ─→ Preprocess ─┬─→ IngestFeatures
                                            └─→ Train ─→ Evaluate ─→ QualityGate ─┬─→ QualityGateFailed
                                                                                  │
         PublishPredictions ←─ Transform ←─ CreateModel ←─ RegisterModel ←────────┘

:func:`compile_training` is a pure function of settings and sources: no network, no credentials, always the same bytes.
"""

from __future__ import annotations

import json
from typing import Any

from pipeline.bundle import Bundle, build_bundle
from pipeline.errors import DefinitionError
from pipeline.sdk import offline_sdk, offline_session
from pipeline.settings import Settings

#: Value of the parameter RunKey for executions that an upload started; whoever starts one by hand gives another.
UPLOAD_RUN_KEY = "upload"


def compile_training(settings: Settings, bundle: Bundle | None = None) -> str:
    """The training pipeline's definition as the JSON text that CreatePipeline takes.

    Args:
        settings: of the environment.
        bundle: packed code; made from ``steps/`` when left out.

    Raises:
        DefinitionError: the SDK refused the definition.
    """
    with offline_sdk(settings.region):
        try:
            pipeline = training_pipeline(settings, bundle or build_bundle())
            return canonical(pipeline.definition())
        except (TypeError, ValueError, AttributeError) as error:
            raise DefinitionError(
                f"The training pipeline of {settings.environment!r} does not compile: {error}",
                hint="Check the last change to pipeline/definition.py and the settings it uses.",
            ) from error


def canonical(definition: str) -> str:
    """The same definition in one spelling: indented, without nulls at its top, comparable line by line."""
    content = {key: value for key, value in json.loads(definition).items() if value is not None}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def training_pipeline(settings: Settings, bundle: Bundle) -> Any:
    """Put the training pipeline together; call it inside :func:`pipeline.sdk.offline_sdk`.

    Returns:
        sagemaker.mlops.workflow.pipeline.Pipeline
    """
    from sagemaker.core.workflow.conditions import ConditionEquals, ConditionGreaterThanOrEqualTo, ConditionIn
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.core.workflow.functions import Join, JsonGet
    from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
    from sagemaker.core.workflow.properties import PropertyFile
    from sagemaker.mlops.workflow.condition_step import ConditionStep
    from sagemaker.mlops.workflow.fail_step import FailStep
    from sagemaker.mlops.workflow.pipeline import Pipeline

    from pipeline.model_card import model_card_fragments
    from pipeline.step_factories import (
        INPUT_ROOT,
        Frame,
        create_model_step,
        output_uri,
        processing_step,
        register_model_step,
        training_step,
        transform_step,
    )

    # The object that started the execution: EventBridge fills in the first three.
    input_bucket = ParameterString("InputBucket", default_value=settings.raw_bucket)
    input_key = ParameterString("InputKey")
    input_etag = ParameterString("InputETag", default_value="")
    run_key = ParameterString("RunKey", default_value=UPLOAD_RUN_KEY)
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

    # One object version is worked on by one execution, however often its event arrives.
    claim_file = PropertyFile(name="Claim", output_name="claim", path="claim.json")
    claim = processing_step(
        frame,
        "ClaimInput",
        "claim.py",
        description="Makes sure that this version of the file is processed once",
        arguments=[
            *("--bucket", input_bucket, "--key", input_key),
            *("--etag", input_etag, "--run-key", run_key, "--execution-arn", execution_arn),
            *("--claims-uri", f"s3://{settings.artifacts_bucket}/claims"),
        ],
        outputs=["claim"],
        property_files=[claim_file],
    )

    preprocess = processing_step(
        frame,
        "Preprocess",
        "preprocess.py",
        description="Checks and cleans the file, makes features, splits rows into training and test",
        arguments=[
            *("--input-key", input_key, "--purpose", "training", "--profile", profile),
            *("--train-fraction", train_fraction.to_string(), "--random-state", random_state.to_string()),
        ],
        inputs={"raw": Join(on="/", values=["s3:/", input_bucket, input_key])},
        outputs=["train", "test", "scoring", "rows", "feature_store", "quality"],
        # Part of the cache key, so that a replaced file is never answered from the cache.
        environment={"INPUT_ETAG": input_etag},
        cached=True,
    )

    ingest = processing_step(
        frame,
        "IngestFeatures",
        "ingest_features.py",
        description="Writes one record a day to the Feature Store",
        arguments=["--feature-group-name", settings.feature_group_name],
        inputs={"feature_store": output_uri(preprocess, "feature_store"), "claim": output_uri(claim, "claim")},
    )

    train = training_step(
        frame,
        "Train",
        "train.py",
        description="Fits the linear regression on the training rows",
        instance_type=training_instance_type,
        hyperparameters={"profile": profile, "feature-count": feature_count.to_string()},
        channels={"train": output_uri(preprocess, "train")},
        metrics={"train:r2": r"train:r2=([-+0-9.eE]+);", "train:rmse": r"train:rmse=([-+0-9.eE]+);"},
        environment={"CODE_SHA256": bundle.sha256},
    )
    model_data = train.properties.ModelArtifacts.S3ModelArtifacts

    evaluation_file = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")
    evaluate = processing_step(
        frame,
        "Evaluate",
        "evaluate.py",
        description="Measures the model on rows that it has not seen",
        arguments=["--model-dir", f"{INPUT_ROOT}/model"],
        inputs={
            "model": model_data,
            "train": output_uri(preprocess, "train"),
            "test": output_uri(preprocess, "test"),
            "quality": output_uri(preprocess, "quality"),
        },
        outputs=["evaluation"],
        property_files=[evaluation_file],
        cached=True,
    )

    def evaluated(path: str) -> Any:
        return JsonGet(step_name=evaluate.name, property_file=evaluation_file, json_path=path)

    def claimed(path: str) -> Any:
        return JsonGet(step_name=claim.name, property_file=claim_file, json_path=path)

    register = register_model_step(
        frame,
        "RegisterModel",
        description="New version in the model registry, with metrics and model card",
        model_data=model_data,
        approval_status=approval_status,
        statistics_uri=Join(on="/", values=[output_uri(evaluate, "evaluation"), "evaluation.json"]),
        card_content=Join(on="", values=model_card_fragments(settings, bundle, profile, evaluated, execution_arn)),
        properties={
            "profile": profile,
            "code-sha256": bundle.sha256,
            "input-identity": claimed("identity"),
            "pipeline-execution": execution_arn,
        },
    )

    create_model = create_model_step(
        frame,
        "CreateModel",
        description="What the transform job serves",
        model_data=model_data,
        depends_on=[register],
    )

    transform = transform_step(
        frame,
        "Transform",
        description="Predicts every row of the file",
        model_name=create_model.properties.ModelName,
        instance_type=transform_instance_type,
        # The exact key: a prefix would also take whatever else lies beside it.
        data=Join(on="/", values=[output_uri(preprocess, "scoring"), "features.csv"]),
    )

    publish = processing_step(
        frame,
        "PublishPredictions",
        "publish.py",
        description="Writes the CSV that an analyst opens, and its manifest",
        arguments=[
            *("--predictions-uri", f"s3://{settings.predictions_bucket}"),
            *("--model-package-arn", register.properties.ModelPackageArn),
            *("--execution-arn", execution_arn),
        ],
        inputs={
            "transform": transform.properties.TransformOutput.S3OutputPath,
            "rows": output_uri(preprocess, "rows"),
            "claim": output_uri(claim, "claim"),
        },
    )

    gate_failed = FailStep(
        "QualityGateFailed",
        description="The model is not good enough, or too good to be true",
        error_message=Join(
            on=" ",
            values=[
                "The quality gate refused the model: R-squared on the test rows is",
                evaluated("regression_metrics.r2.value"),
                "and has to be at least",
                minimum_r_squared.to_string(),
                "; the leakage verdict is",
                evaluated("leakage.verdict"),
                "(pass or known is needed). Details:",
                Join(on="/", values=[output_uri(evaluate, "evaluation"), "evaluation.json"]),
            ],
        ),
    )

    quality_gate = ConditionStep(
        "QualityGate",
        description="R-squared high enough, and no feature gives the answer away",
        conditions=[
            ConditionGreaterThanOrEqualTo(left=evaluated("regression_metrics.r2.value"), right=minimum_r_squared),
            # "known": the profile declares the leak (the published analysis does).
            ConditionIn(value=evaluated("leakage.verdict"), in_values=["pass", "known"]),
        ],
        if_steps=[register, create_model, transform, publish],
        else_steps=[gate_failed],
    )

    is_new_input = ConditionStep(
        "IsNewInput",
        description="Ends here without a failure when another execution has this version of the file",
        conditions=[ConditionEquals(left=claimed("decision"), right="process")],
        if_steps=[preprocess, ingest, train, evaluate, quality_gate],
        else_steps=[],
    )

    return Pipeline(
        name=settings.training_pipeline_name,
        parameters=[
            *(input_bucket, input_key, input_etag, run_key),
            *(profile, train_fraction, random_state, feature_count, minimum_r_squared, approval_status),
            *(processing_instance_type, training_instance_type, transform_instance_type),
        ],
        steps=[claim, is_new_input],
        sagemaker_session=frame.session,
    )
