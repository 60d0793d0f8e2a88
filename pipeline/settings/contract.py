"""Names that definitions, triggers, permissions and commands must agree on, written once."""

from enum import StrEnum
from typing import Literal, Self

#: The two pipelines: a definition, a rule and a folder of the raw bucket each.
Flow = Literal["training", "scoring"]
FLOWS: tuple[Flow, ...] = ("training", "scoring")

#: Folder of the raw bucket that files are uploaded to.
RAW_FOLDER = "raw/"

#: Log groups that SageMaker writes the logs of every job of an account to.
JOB_LOG_GROUPS = tuple(f"/aws/sagemaker/{jobs}" for jobs in ("ProcessingJobs", "TrainingJobs", "TransformJobs"))

#: Pipeline parameters that name the uploaded object. The rules of EventBridge fill in the first three.
INPUT_BUCKET, INPUT_KEY, INPUT_ETAG, RUN_KEY = "InputBucket", "InputKey", "InputETag", "RunKey"
#: Value of RunKey in executions that an upload started; a start by hand gives another. ``steps/claim.py`` knows it too.
UPLOAD_RUN_KEY = "upload"

#: Input and channel that jobs install what the image lacks from. ``steps/run.sh`` knows it too.
WHEELS_INPUT = "wheels"


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
    def _missing_(cls, value: object) -> Self | None:
        """Ignore case: names of environment variables come in small letters."""
        return next((step for step in cls if step.lower() == str(value).lower()), None)


#: Steps that run no job.
CREATE_MODEL, REGISTER_MODEL = "CreateModel", "RegisterModel"
IS_NEW_INPUT, QUALITY_GATE, QUALITY_GATE_FAILED = "IsNewInput", "QualityGate", "QualityGateFailed"

#: Steps whose container needs no network: they call no AWS API. (Transform is isolated by its model, CreateModel.)
ISOLABLE_STEPS = (JobStep.PREPROCESS, JobStep.TRAIN, CREATE_MODEL)


def upload_prefix(flow: Flow) -> str:
    """Return what the keys of a flow's uploads begin with: ``raw/training/`` or ``raw/scoring/``."""
    return f"{RAW_FOLDER}{flow}/"


def upload_pattern(flow: Flow) -> str:
    """Return EventBridge's wildcard for the objects that start a flow's pipeline, such as ``raw/training/*.csv``."""
    return f"{upload_prefix(flow)}*.csv"


def starts_a_pipeline(key: str) -> bool:
    """Say whether an object of this key starts a pipeline by itself: the same test as :func:`upload_pattern`."""
    return key.startswith(tuple(upload_prefix(flow) for flow in FLOWS)) and key.endswith(".csv")


def flow_of(key: str) -> Flow:
    """Return the flow that an object is for: ``raw/scoring/…`` is scored, all else trains."""
    return "scoring" if key.startswith(upload_prefix("scoring")) else "training"
