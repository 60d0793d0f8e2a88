"""Names that definitions, triggers, permissions and commands must agree on, written once."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

#: The two pipelines; a folder under ``raw/`` each.
Flow = Literal["training", "scoring"]

#: Pipeline parameters that name the uploaded object. The rules of EventBridge fill in the first three.
INPUT_BUCKET, INPUT_KEY, INPUT_ETAG, RUN_KEY = "InputBucket", "InputKey", "InputETag", "RunKey"
#: Value of RunKey in executions that an upload started; a start by hand gives another. ``steps/claim.py`` knows it too.
UPLOAD_RUN_KEY = "upload"


class JobStep(StrEnum):
    """Steps that run a job, by their name in the definition."""

    CLAIM_INPUT = "ClaimInput"
    SELECT_MODEL = "SelectModel"
    PREPROCESS = "Preprocess"
    INGEST_FEATURES = "IngestFeatures"
    TRAIN = "Train"
    EVALUATE = "Evaluate"
    TRANSFORM = "Transform"
    PUBLISH_PREDICTIONS = "PublishPredictions"

    @classmethod
    def _missing_(cls, value: object) -> JobStep | None:
        """Ignore case: names of environment variables come in small letters."""
        return next((step for step in cls if step.lower() == str(value).lower()), None)


#: Steps that run no job.
CREATE_MODEL, REGISTER_MODEL = "CreateModel", "RegisterModel"
IS_NEW_INPUT, QUALITY_GATE, QUALITY_GATE_FAILED = "IsNewInput", "QualityGate", "QualityGateFailed"

#: Steps whose container needs no network: they call no AWS API. (Transform is isolated by its model, CreateModel.)
ISOLABLE_STEPS = (JobStep.PREPROCESS, JobStep.TRAIN, CREATE_MODEL)
