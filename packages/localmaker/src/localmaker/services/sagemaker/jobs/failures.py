"""Why a job ends other than completed. These never reach a caller: they become the job's FailureReason."""

from __future__ import annotations

from localmaker.errors import LocalmakerError

REASON_LIMIT = 1024


class JobFailure(LocalmakerError):  # noqa: N818 - a job's outcome, named as AWS names it
    """The job fails with this reason, worded as SageMaker words it (``ClientError: …``, ``AlgorithmError: …``)."""


class JobStopped(LocalmakerError):  # noqa: N818 - as above
    """Someone has asked for the job to stop while its data was on its way; it becomes Stopped."""


def client_error(text: str) -> JobFailure:
    """The request asks for something that is not there or cannot be done."""
    return JobFailure(f"ClientError: {text}")


def shorten(text: str) -> str:
    """At most 1024 characters, SageMaker's limit for reasons and messages."""
    return text if len(text) <= REASON_LIMIT else text[: REASON_LIMIT - 1] + "…"
