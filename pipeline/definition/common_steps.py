"""The steps that training and scoring have in common, each with its arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

from sagemaker.core.workflow.conditions import ConditionEquals
from sagemaker.core.workflow.functions import Join
from sagemaker.mlops.workflow.condition_step import ConditionStep

from pipeline.definition.context import StepContext, Value
from pipeline.definition.job_steps import output_uri, processing_step, report_value, transform_step
from pipeline.settings.contract import IS_NEW_INPUT, Flow, JobStep


def claim_input(context: StepContext) -> Any:
    """Let one execution work on one object version, however often its event arrives."""
    artifacts = f"s3://{context.settings.artifacts_bucket}"
    return processing_step(
        context,
        JobStep.CLAIM_INPUT,
        "claim.py",
        description="Makes sure that this version of the file is processed once",
        arguments={
            "bucket": context.bucket,
            "key": context.key,
            "etag": context.etag,
            "run-key": context.run_key,
            "execution-arn": context.execution_arn,
            "claims-uri": f"{artifacts}/claims",
            "inputs-uri": f"{artifacts}/inputs",
        },
        report="claim",
    )


def is_new_input(claim: Any, steps: Sequence[Any]) -> ConditionStep:
    """Run everything after the claim, or end without a failure where another execution has this version."""
    return ConditionStep(
        IS_NEW_INPUT,
        description="Ends here without a failure when another execution has this version of the file",
        conditions=[ConditionEquals(left=report_value(claim, "decision"), right="process")],
        if_steps=list(steps),
        else_steps=[],
    )


def preprocess_input(
    context: StepContext, claim: Any, *, purpose: Flow, profile: Value, split: Mapping[str, Value] | None = None
) -> Any:
    """Check, clean, make features.

    Reads the copy that the claim made: its path is named after the object version, so that the step is a pure function
    of its arguments and the cache may answer it. ``split`` holds the arguments that say how training splits the rows.
    """
    quality = context.settings.quality
    return processing_step(
        context,
        JobStep.PREPROCESS,
        "preprocess.py",
        description="Checks and cleans the file and makes features",
        arguments={
            "input-key": context.key,
            "purpose": purpose,
            "profile": profile,
            "max-duplicate-rows": str(quality.maximum_duplicate_rows),
            "max-duplicate-days": str(quality.maximum_duplicate_days),
            "max-missing-rows": str(quality.maximum_missing_rows),
            "max-invalid-rows": str(quality.maximum_invalid_rows),
            "max-unequal-sums": str(quality.maximum_unequal_sums),
            "minimum-training-rows": str(quality.minimum_training_rows),
            **(split or {}),
        },
        inputs={"raw": report_value(claim, "input_uri")},
        outputs=[*(["train", "test"] if purpose == "training" else []), "scoring", "rows", "feature_store", "quality"],
        cached=True,
    )


def ingest_features(context: StepContext, preprocess: Any, claim: Any) -> Any:
    """Write one record a day to the Feature Store."""
    return processing_step(
        context,
        JobStep.INGEST_FEATURES,
        "ingest_features.py",
        description="Writes one record a day to the Feature Store",
        arguments={"feature-group-name": context.settings.feature_group_name},
        inputs={"feature_store": output_uri(preprocess, "feature_store"), "claim": output_uri(claim, "claim")},
    )


def transform_rows(context: StepContext, create_model: Any, preprocess: Any) -> Any:
    """Predict every row of the file."""
    return transform_step(
        context,
        JobStep.TRANSFORM,
        description="Predicts every row of the file",
        model_name=create_model.properties.ModelName,
        # The exact key: a prefix would also take whatever else lies beside it.
        data=Join(on="/", values=[output_uri(preprocess, "scoring"), "features.csv"]),
    )


def publish_predictions(
    context: StepContext, transform: Any, preprocess: Any, claim: Any, *, model_package_arn: Value
) -> Any:
    """Write the CSV that an analyst opens, and its manifest."""
    return processing_step(
        context,
        JobStep.PUBLISH_PREDICTIONS,
        "publish.py",
        description="Writes the CSV that an analyst opens, and its manifest",
        arguments={
            "predictions-uri": f"s3://{context.settings.predictions_bucket}",
            "model-package-arn": model_package_arn,
            "execution-arn": context.execution_arn,
        },
        inputs={
            "transform": transform.properties.TransformOutput.S3OutputPath,
            "rows": output_uri(preprocess, "rows"),
            "claim": output_uri(claim, "claim"),
        },
    )
