"""The steps that training and scoring have in common, each with its arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

from sagemaker.core.workflow.conditions import ConditionEquals
from sagemaker.core.workflow.functions import Join
from sagemaker.mlops.workflow.condition_step import ConditionStep

from analysis.features.labels import joining_labels, time_label
from pipeline.definition.context import StepContext, Value
from pipeline.definition.function_steps import function_step, output
from pipeline.definition.job_steps import output_uri, processing_step, transform_step
from pipeline.settings.contract import (
    CLAIM_INPUT,
    CONFIRM_CLAIM,
    IS_NEW_INPUT,
    PUBLISHED_BY_FUNCTION_MIB,
    READ_HISTORY,
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
            *("decision", "reason", "name", "identity", "input_uri", "claim_uri", "uploaded_at", "git_commit"),
            *("model_package_arn", "rows_uri", "transform_uri", "drift_uri", "features_uri", "profile"),
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


def read_history(context: StepContext, claim: Any, *, profile: Value, train_on: Value = "file") -> Any:
    """Read what the Feature Store knew when the file was uploaded, for the runs that need it."""
    settings = context.settings
    past = [name for name, one in settings.declared.profiles.items() if one.past]
    return function_step(
        context,
        READ_HISTORY,
        Function.READ_HISTORY,
        description="Reads what the Feature Store knew when the file was uploaded, where the run needs it",
        inputs={
            "inputs-group-name": settings.inputs_group_name,
            "outcomes-group-name": settings.outcomes_group_name,
            "as-of": output(claim, "uploaded_at"),
            "train-on": train_on,
            "profile": profile,
            # No text may be empty.
            **({"profiles-with-past": ",".join(past)} if past else {}),
            "history-uri": context.run_uri("history"),
            "nothing-uri": f"s3://{settings.artifacts_bucket}/inputs/no-history",
            "work-group": settings.features.athena_work_group,
        },
        outputs=["reason", "history_uri"],
    )


def preprocess_input(
    context: StepContext,
    claim: Any,
    history: Any = None,
    *,
    purpose: Flow,
    arguments: Mapping[str, Value] | None = None,
    inputs: Mapping[str, Value] | None = None,
) -> Any:
    """Check, clean, make features.

    Reads the copy that the claim made: its path is named after the object version, so that the step is a pure function
    of its arguments and the cache may answer it. ``history`` reads what was known before; ``arguments`` and ``inputs``
    are those that only this pipeline has.
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
            "drift-threshold": str(quality.drift_threshold),
            "drift-action": quality.drift_action,
            **(arguments or {}),
        },
        inputs={
            "raw": output(claim, "input_uri"),
            "claim": output(claim, "claim_uri"),
            **({} if history is None else {"history": output(history, "history_uri")}),
            **(inputs or {}),
        },
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


def publishable(transform: Any, preprocess: Any, drift_uri: Value | None = None) -> dict[str, Value]:
    """Return the URIs of what publishing joins, rows and predictions, and of what tells of drift."""
    return {
        "drift-uri": drift_uri or Join(on="/", values=[output_uri(preprocess, "quality"), "quality.json"]),
        "rows-uri": Join(on="/", values=[output_uri(preprocess, "rows"), "rows.csv"]),
        "transform-uri": Join(on="/", values=[transform.properties.TransformOutput.S3OutputPath, _TRANSFORM_OUTPUT]),
    }


def publish_predictions(
    context: StepContext,
    name: JobStep,
    claim: Any,
    sources: Mapping[str, Value],
    *,
    profile: Value,
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
        "metrics-namespace": settings.prefix,
        "profile": profile,
        "model-package-arn": model_package_arn,
        **({} if model_name is None else {"model-name": model_name}),
    }
    outputs = ["decision", "reason", "predictions_uri"]
    return _function_or_job(context, name, Function.PUBLISH, description=description, inputs=inputs, outputs=outputs)


def _function_or_job(
    context: StepContext,
    name: JobStep,
    function: Function,
    *,
    description: str,
    inputs: Mapping[str, Value],
    outputs: Sequence[str],
    depends_on: Sequence[Any] = (),
) -> Any:
    """Let a function work on the file, or a job where files are larger than it gets done within its ten minutes."""
    running = context.settings.running
    if running.largest_file_mib > PUBLISHED_BY_FUNCTION_MIB:
        seconds = str(running.step_timeout_seconds)
        arguments = {**inputs, "execution-arn": context.execution_arn, "retry-seconds": seconds}
        return processing_step(
            context, name, function.script, description=description, arguments=arguments, depends_on=list(depends_on)
        )
    return function_step(
        context, name, function, description=description, inputs=inputs, outputs=outputs, depends_on=depends_on
    )


def ingest_features(context: StepContext, name: JobStep, claim: Any, features_uri: Value, *, after: Any) -> Any:
    """Write the rows' inputs and outcomes to the Feature Store, after a step that it reads nothing of."""
    settings = context.settings
    # Before its job is stopped, ingestion says what is missing.
    seconds = min(settings.features.deadline_seconds, settings.running.step_timeout_seconds * 9 // 10)
    return processing_step(
        context,
        name,
        "ingest_features.py",
        description="Writes inputs and known outcomes to the Feature Store, one record a row",
        arguments={
            "inputs-group-name": settings.inputs_group_name,
            "outcomes-group-name": settings.outcomes_group_name,
            "deadline-seconds": str(seconds),
            "most-left-out": str(settings.features.most_left_out),
        },
        inputs={"feature_store": features_uri, "claim": output(claim, "claim_uri")},
        kept="ingest",
        depends_on=[after],
    )


def score_predictions(context: StepContext, name: JobStep, claim: Any, rows_uri: Value, *, after: Any) -> Any:
    """Measure earlier predictions by the outcomes of the file, once the Feature Store has these."""
    settings, time = context.settings, time_label(context.settings.declared)
    inputs = {
        "rows-uri": rows_uri,
        "claim-uri": output(claim, "claim_uri"),
        "predictions-uri": f"s3://{settings.predictions_bucket}",
        "joined-by": ",".join(joining_labels(settings.declared)),
        # No text may be empty.
        **({} if time is None else {"time-label": time}),
        "metrics-namespace": settings.prefix,
        "least-rows": str(settings.quality.coverage_alarm_rows),
    }
    return _function_or_job(
        context,
        name,
        Function.SCORE_PREDICTIONS,
        description="Measures earlier predictions by the outcomes that the file brings",
        inputs=inputs,
        outputs=["reason", "rows"],
        depends_on=[after],
    )
