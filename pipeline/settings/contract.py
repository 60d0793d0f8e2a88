"""Names that definitions, triggers, permissions and commands must agree on, written once."""

from enum import StrEnum
from typing import Literal, Self

#: The two pipelines: a definition, a rule and a folder of the raw bucket each.
Flow = Literal["training", "scoring"]
FLOWS: tuple[Flow, ...] = ("training", "scoring")

#: Folder of the raw bucket that files are uploaded to.
RAW_FOLDER = "raw/"

#: Folder of the artifacts bucket for model cards as PDF.
CARD_FOLDER = "cards"

#: Log groups that SageMaker writes the logs of every job of an account to.
JOB_LOG_GROUPS = tuple(f"/aws/sagemaker/{jobs}" for jobs in ("ProcessingJobs", "TrainingJobs", "TransformJobs"))

#: Pipeline parameters that name the uploaded object. The rules of EventBridge fill in the first three.
INPUT_BUCKET, INPUT_KEY, INPUT_VERSION, RUN_KEY = "InputBucket", "InputKey", "InputVersionId", "RunKey"
#: Value of InputVersionId that stands for the newest version. ``steps/claim.py`` knows it too.
NEWEST_VERSION = "latest"
#: InputVersionId and beginning of InputKey where a schedule starts; ``analysis/runtime/upload.py`` knows them too.
SCHEDULED_VERSION, SCHEDULED_FOLDER = "schedule", "schedule/"
#: Parameter that says whether training is on the file alone, or on all rows of the Feature Store.
TRAIN_ON = "TrainOn"
TrainOn = Literal["file", "history"]
#: Value of ModelPackageArn that stands for the version in use. ``steps/select_model.py`` knows it too.
IN_USE = "in-use"
#: Value of RunKey in executions that an upload started; a start by hand gives another. ``steps/claim.py`` knows it too.
UPLOAD_RUN_KEY = "upload"

#: Input and channel that jobs install what the image lacks from. ``steps/run.sh`` knows it too.
WHEELS_INPUT = "wheels"


class JobStep(StrEnum):
    """Steps that run a job, by their name in the definition."""

    PREPROCESS = "Preprocess"
    TRAIN = "Train"
    EVALUATE = "Evaluate"
    TRANSFORM = "Transform"
    PUBLISH_PREDICTIONS = "PublishPredictions"  #: A function's step, unless files are too large for one.
    PUBLISH_REGISTERED = "PublishRegistered"  #: Likewise.
    INGEST_FEATURES = "IngestFeatures"
    INGEST_REGISTERED = "IngestRegistered"
    SCORE_PREDICTIONS = "ScorePredictions"  #: Likewise a function's step, as is the next one.
    SCORE_REGISTERED = "ScoreRegistered"

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        """Ignore case: names of environment variables come in small letters."""
        return next((step for step in cls if step.lower() == str(value).lower()), None)


class Function(StrEnum):
    """Lambda functions: a script of ``steps/`` each, with a role and a log group of its own."""

    CLAIM = "claim"
    SELECT_MODEL = "select-model"
    READ_HISTORY = "read-history"
    PUBLISH = "publish"
    SCORE_PREDICTIONS = "score-predictions"
    SWEEP = "sweep"  #: Called by a schedule, and by no pipeline.
    FOLLOW_MODEL = "follow-model"  #: Called when the state of a registered version changes, and by no pipeline.

    @property
    def script(self) -> str:
        """File in ``steps/``."""
        return f"{self.replace('-', '_')}.py"


#: Functions that a rule calls, and no pipeline: nobody waits for them, so what fails there has an alarm of its own.
CALLED_BY_RULES = (Function.SWEEP, Function.FOLLOW_MODEL)

#: Ends of the keys that start a pipeline. EventBridge ignores case in ``prefix`` and in ``suffix``, but can't ask for
#: both of one field, and refuses a rule where more than ten beginnings of wildcards fit one text: these reach nine.
UPLOAD_SUFFIXES = (".csv", ".CSV", ".csv.gz", ".CSV.GZ")

#: Steps that call a function.
CLAIM_INPUT, CONFIRM_CLAIM, SELECT_MODEL, READ_HISTORY = "ClaimInput", "ConfirmClaim", "SelectModel", "ReadHistory"
#: Steps that run neither.
CREATE_MODEL, REGISTER_MODEL = "CreateModel", "RegisterModel"
IS_NEW_INPUT, IS_REGISTERED = "IsNewInput", "IsRegistered"
QUALITY_GATE, QUALITY_GATE_FAILED = "QualityGate", "QualityGateFailed"

#: Variables of the container that serves a model.
SERVING_ENVIRONMENT = {
    "SAGEMAKER_PROGRAM": "inference.py",
    # Where the toolkit finds the code inside a model artefact.
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    # The server installs the code with pip, which otherwise asks an index for setuptools; pip negates the name of this.
    "PIP_NO_BUILD_ISOLATION": "0",
    "OPENBLAS_NUM_THREADS": "1",  # numpy starts threads at its import, and a worker has one processor
}

#: Largest upload, in MiB, whose predictions a function publishes well within the ten minutes that its step has.
PUBLISHED_BY_FUNCTION_MIB = 512

#: Steps whose container needs no network: they call no AWS API. (Transform is isolated by its model, CreateModel.)
ISOLABLE_STEPS = (JobStep.PREPROCESS, JobStep.TRAIN, CREATE_MODEL)


def upload_prefix(flow: Flow) -> str:
    """Return what the keys of a flow's uploads begin with: ``raw/training/`` or ``raw/scoring/``."""
    return f"{RAW_FOLDER}{flow}/"


def upload_patterns(flow: Flow) -> list[str]:
    """Return EventBridge's wildcards for the objects that start a flow's pipeline, such as ``raw/training/*.csv``."""
    return [f"{upload_prefix(flow)}*{suffix}" for suffix in UPLOAD_SUFFIXES]


def starts_a_pipeline(key: str) -> bool:
    """Say whether an object of this key starts a pipeline by itself: the same test as :func:`upload_patterns`."""
    return key.startswith(tuple(upload_prefix(flow) for flow in FLOWS)) and key.endswith(UPLOAD_SUFFIXES)


def flow_of(key: str) -> Flow:
    """Return the flow that an object is for: ``raw/scoring/…`` is scored, all else trains."""
    return "scoring" if key.startswith(upload_prefix("scoring")) else "training"
