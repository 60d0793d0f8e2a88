"""The steps that training and scoring have in common, each with its arguments. Imports the SageMaker SDK."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sagemaker.core.workflow.conditions import ConditionEquals
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep

from pipeline.definition.step_factories import output_uri, processing_step
from pipeline.definition.step_frame import Frame, Value
from pipeline.settings.environment import Settings

#: Value of the parameter RunKey for executions that an upload started; whoever starts one by hand gives another.
UPLOAD_RUN_KEY = "upload"


@dataclass(frozen=True)
class InputObject:
    """The object that an execution is about, as pipeline parameters. EventBridge fills in the first three."""

    bucket: ParameterString
    key: ParameterString
    etag: ParameterString
    run_key: ParameterString

    @classmethod
    def parameters(cls, settings: Settings) -> InputObject:
        """The four parameters with their defaults; only the key has none."""
        return cls(
            bucket=ParameterString("InputBucket", default_value=settings.raw_bucket),
            key=ParameterString("InputKey"),
            etag=ParameterString("InputETag", default_value=""),
            run_key=ParameterString("RunKey", default_value=UPLOAD_RUN_KEY),
        )

    def all(self) -> tuple[ParameterString, ...]:
        """For the pipeline's list."""
        return self.bucket, self.key, self.etag, self.run_key


@dataclass(frozen=True)
class Reported:
    """A processing step that leaves one JSON file which conditions and later steps read."""

    step: Any
    file: PropertyFile

    def value(self, path: str) -> JsonGet:
        """Pipeline variable for a path in the file."""
        return JsonGet(step_name=self.step.name, property_file=self.file, json_path=path)


def claim_input(frame: Frame, source: InputObject) -> Reported:
    """One object version is worked on by one execution, however often its event arrives."""
    file = PropertyFile(name="Claim", output_name="claim", path="claim.json")
    step = processing_step(
        frame,
        "ClaimInput",
        "claim.py",
        description="Makes sure that this version of the file is processed once",
        arguments=[
            *("--bucket", source.bucket, "--key", source.key, "--etag", source.etag),
            *("--run-key", source.run_key, "--execution-arn", ExecutionVariables.PIPELINE_EXECUTION_ARN),
            *("--claims-uri", f"s3://{frame.settings.artifacts_bucket}/claims"),
            *("--inputs-uri", f"s3://{frame.settings.artifacts_bucket}/inputs"),
        ],
        outputs=["claim"],
        property_files=[file],
    )
    return Reported(step, file)


def is_new_input(claim: Reported, steps: Sequence[Any]) -> ConditionStep:
    """Everything after the claim; ends without a failure when another execution has this version of the file."""
    return ConditionStep(
        "IsNewInput",
        description="Ends here without a failure when another execution has this version of the file",
        conditions=[ConditionEquals(left=claim.value("decision"), right="process")],
        if_steps=list(steps),
        else_steps=[],
    )


def preprocess_input(
    frame: Frame,
    source: InputObject,
    claim: Reported,
    *,
    purpose: str,
    profile: Value,
    arguments: Sequence[Value] = (),
) -> Any:
    """Check, clean, make features.

    Reads the copy that the claim made: its path is named after the object version, so that the step is a pure function
    of its arguments and the cache may answer it.
    """
    return processing_step(
        frame,
        "Preprocess",
        "preprocess.py",
        description="Checks and cleans the file and makes features",
        arguments=[
            *("--input-key", source.key, "--purpose", purpose, "--profile", profile),
            *_limits(frame.settings),
            *arguments,
        ],
        inputs={"raw": claim.value("input_uri")},
        outputs=[
            *(("train", "test") if purpose == "training" else ()),
            *("scoring", "rows", "feature_store", "quality"),
        ],
        cached=True,
    )


def _limits(settings: Settings) -> list[str]:
    """What the quality check repairs and what it refuses."""
    quality = settings.quality
    limits = {
        "--max-duplicate-rows": quality.maximum_duplicate_rows,
        "--max-duplicate-days": quality.maximum_duplicate_days,
        "--max-missing-rows": quality.maximum_missing_rows,
        "--max-invalid-rows": quality.maximum_invalid_rows,
        "--max-unequal-sums": quality.maximum_unequal_sums,
        "--minimum-training-rows": quality.minimum_training_rows,
    }
    return [text for flag, value in limits.items() for text in (flag, str(value))]


def ingest_features(frame: Frame, preprocess: Any, claim: Reported) -> Any:
    """One record a day into the Feature Store."""
    return processing_step(
        frame,
        "IngestFeatures",
        "ingest_features.py",
        description="Writes one record a day to the Feature Store",
        arguments=["--feature-group-name", frame.settings.feature_group_name],
        inputs={"feature_store": output_uri(preprocess, "feature_store"), "claim": output_uri(claim.step, "claim")},
    )


def scoring_file(preprocess: Any) -> Join:
    """The exact key of the transform's input: a prefix would also take whatever else lies beside it."""
    return Join(on="/", values=[output_uri(preprocess, "scoring"), "features.csv"])


def publish_predictions(
    frame: Frame, *, transform: Any, preprocess: Any, claim: Reported, model_package_arn: Value
) -> Any:
    """The CSV that an analyst opens, and its manifest."""
    return processing_step(
        frame,
        "PublishPredictions",
        "publish.py",
        description="Writes the CSV that an analyst opens, and its manifest",
        arguments=[
            *("--predictions-uri", f"s3://{frame.settings.predictions_bucket}"),
            *("--model-package-arn", model_package_arn),
            *("--execution-arn", ExecutionVariables.PIPELINE_EXECUTION_ARN),
        ],
        inputs={
            "transform": transform.properties.TransformOutput.S3OutputPath,
            "rows": output_uri(preprocess, "rows"),
            "claim": output_uri(claim.step, "claim"),
        },
    )
