"""The steps that training and scoring have in common, each with its arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

from sagemaker.core.workflow.conditions import ConditionEquals
from sagemaker.core.workflow.functions import Join
from sagemaker.mlops.workflow.condition_step import ConditionStep

from pipeline.definition.context import StepContext, Value
from pipeline.definition.function_steps import function_step, output
from pipeline.definition.job_steps import output_uri, processing_step, transform_step
from pipeline.settings.contract import (
    CLAIM_INPUT,
    CONFIRM_CLAIM,
    IS_NEW_INPUT,
    PUBLISHED_BY_FUNCTION_MIB,
    Flow,
    Function,
    JobStep,
)

#: What the transform calls its output, after its only input.
_TRANSFORM_OUTPUT = "features.csv.out"


def claim_input(context: StepContext, **also: Value) -> Any:
    """Let one execution work on one object version, however often its event arrives; ``also`` are more options."""
    return function_step(
        context,
        CLAIM_INPUT,
        Function.CLAIM,
        description="Makes sure that this version of the file is processed once",
        inputs={
            **_claimed(context),
            "version-id": context.version_id,
            "run-key": context.run_key,
            "largest-mib": str(context.settings.running.largest_file_mib),
            **also,
        },
        outputs=[
            *("decision", "reason", "name", "identity", "input_uri", "claim_uri"),
            *("model_package_arn", "rows_uri", "transform_uri", "features_uri"),
        ],
    )


def confirm_claim(context: StepContext, claim: Any) -> Any:
    """Fail where another execution has taken the file over, as may have happened before a retry."""
    return function_step(
        context,
        CONFIRM_CLAIM,
        Function.CLAIM,
        description="Makes sure that no other execution has taken the file over",
        inputs={**_claimed(context), "confirm": output(claim, "name")},
        outputs=["decision", "reason"],
    )


def _claimed(context: StepContext) -> dict[str, Value]:
    artifacts = f"s3://{context.settings.artifacts_bucket}"
    return {
        "bucket": context.bucket,
        "key": context.key,
        "claims-uri": f"{artifacts}/claims",
        "inputs-uri": f"{artifacts}/inputs",
    }


def is_new_input(claim: Any, steps: Sequence[Any]) -> ConditionStep:
    """Run everything after the claim, or end without a failure where there is nothing to do for this version."""
    return ConditionStep(
        IS_NEW_INPUT,
        description="Ends here without a failure when another execution has this version of the file, or a newer one",
        conditions=[ConditionEquals(left=output(claim, "decision"), right="process")],
        if_steps=list(steps),
        else_steps=[],
    )


def preprocess_input(
    context: StepContext,
    claim: Any,
    *,
    purpose: Flow,
    arguments: Mapping[str, Value] | None = None,
    inputs: Mapping[str, Value] | None = None,
) -> Any:
    """Check, clean, make features.

    Reads the copy that the claim made: its path is named after the object version, so that the step is a pure function
    of its arguments and the cache may answer it. ``arguments`` and ``inputs`` are those that only this pipeline has.
    """
    settings, quality = context.settings, context.settings.quality
    return processing_step(
        context,
        JobStep.PREPROCESS,
        "preprocess.py",
        description="Checks and cleans the file and makes features",
        arguments={
            "purpose": purpose,
            "max-duplicate-rows": str(quality.maximum_duplicate_rows),
            "max-duplicate-keys": str(quality.maximum_duplicate_keys),
            "max-missing-rows": str(quality.maximum_missing_rows),
            "max-invalid-rows": str(quality.maximum_invalid_rows),
            "max-unequal-sums": str(quality.maximum_unequal_sums),
            "minimum-training-rows": str(settings.gate.minimum_rows),
            "largest-expanded-mib": str(settings.running.largest_file_mib),
            **(arguments or {}),
        },
        inputs={"raw": output(claim, "input_uri"), "claim": output(claim, "claim_uri"), **(inputs or {})},
        outputs=[*(["train", "test"] if purpose == "training" else []), "scoring", "rows", "feature_store", "quality"],
        cached=True,
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


def publishable(transform: Any, preprocess: Any) -> dict[str, Value]:
    """Return the URIs of what publishing joins: the rows and their predictions."""
    return {
        "rows-uri": Join(on="/", values=[output_uri(preprocess, "rows"), "rows.csv"]),
        "transform-uri": Join(on="/", values=[transform.properties.TransformOutput.S3OutputPath, _TRANSFORM_OUTPUT]),
    }


def publish_predictions(
    context: StepContext,
    name: JobStep,
    claim: Any,
    sources: Mapping[str, Value],
    *,
    model_package_arn: Value,
    model_name: Value | None = None,
) -> Any:
    """Write the CSV that an analyst opens, and its manifest; delete the model that made the predictions.

    ``sources`` are those of :func:`publishable`.
    """
    settings = context.settings
    description = "Writes the CSV that an analyst opens, and its manifest"
    inputs = {
        **sources,
        "claim-uri": output(claim, "claim_uri"),
        "claims-uri": f"s3://{settings.artifacts_bucket}/claims",
        "claim-name": output(claim, "name"),
        "predictions-uri": f"s3://{settings.predictions_bucket}",
        "model-package-arn": model_package_arn,
        **({} if model_name is None else {"model-name": model_name}),
    }
    if settings.running.largest_file_mib > PUBLISHED_BY_FUNCTION_MIB:
        patience = {"retry-seconds": str(settings.running.step_timeout_seconds)}
        arguments = {**inputs, "execution-arn": context.execution_arn, **patience}
        return processing_step(context, name, "publish.py", description=description, arguments=arguments)
    outputs = ["decision", "reason", "predictions_uri"]
    return function_step(context, name, Function.PUBLISH, description=description, inputs=inputs, outputs=outputs)


def ingest_features(context: StepContext, name: JobStep, claim: Any, features_uri: Value, *, after: Any) -> Any:
    """Write one record a row to the Feature Store, after a step that it reads nothing of."""
    return processing_step(
        context,
        name,
        "ingest_features.py",
        description="Writes one record a row to the Feature Store",
        arguments={"feature-group-name": context.settings.feature_group_name},
        inputs={"feature_store": features_uri, "claim": output(claim, "claim_uri")},
        depends_on=[after],
    )
