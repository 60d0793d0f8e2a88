"""The exceptions that end a job. They never reach a caller: they become the job's FailureReason."""

from __future__ import annotations

from localmaker.errors import LocalmakerError

REASON_LIMIT = 1024


class JobFailure(LocalmakerError):  # noqa: N818 - a job's outcome, named as AWS names it
    """Fails the job with this reason, in SageMaker's words (``ClientError: …``, ``AlgorithmError: …``)."""


class JobStopped(LocalmakerError):  # noqa: N818 - as above
    """Ends the job as Stopped: a stop was requested before its program ran."""


class JobTimedOut(JobStopped):
    """Ends the job as Stopped: its time was over before its program ran."""


def client_error(text: str) -> JobFailure:
    """Return the failure of a job whose request asks for something that does not exist or is not possible."""
    return JobFailure(f"ClientError: {text}")


def shorten(text: str) -> str:
    """Cut a text to 1024 characters, SageMaker's limit for reasons and messages."""
    return text if len(text) <= REASON_LIMIT else text[: REASON_LIMIT - 1] + "…"
