"""ARNs, identifiers, job names and times, in the forms that AWS gives them."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime

_ALPHABET = string.ascii_lowercase + string.digits
_TOKEN_ALPHABET = string.ascii_letters + string.digits
_EXECUTION_ID_LENGTH = 12
_TOKEN_LENGTH = 10
JOB_NAME_LENGTH = 63
TUNING_JOB_NAME_LENGTH = 32
_ARN = re.compile(
    r"arn:aws[a-z\-]*:sagemaker:(?P<region>[a-z0-9\-]*):(?P<account>\d{12}):"
    r"pipeline/(?P<name>[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,255})(?:/execution/(?P<execution>[a-zA-Z0-9]+))?"
)


@dataclass(frozen=True)
class PipelineArn:
    """The parts of a pipeline's ARN; ``execution`` is the id when it is the ARN of an execution."""

    region: str
    account: str
    name: str
    execution: str | None


def parse_arn(arn: str) -> PipelineArn | None:
    """Parse the ARN of a pipeline or an execution; return None for any other text."""
    match = _ARN.fullmatch(arn)
    return None if match is None else PipelineArn(**match.groupdict())


def pipeline_arn(region: str, account_id: str, name: str) -> str:
    """Return the ARN of a pipeline. AWS writes the name in lower case there."""
    return f"arn:aws:sagemaker:{region}:{account_id}:pipeline/{name.lower()}"


def execution_arn(arn: str, execution_id: str) -> str:
    """Return the ARN of an execution of a pipeline."""
    return f"{arn}/execution/{execution_id}"


def pipeline_name(name_or_arn: str) -> str:
    """Return the name in a request's PipelineName, which is a name or an ARN."""
    parsed = parse_arn(name_or_arn)
    return name_or_arn if parsed is None else parsed.name


def new_execution_id() -> str:
    """Return twelve random lower-case letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_EXECUTION_ID_LENGTH))


def new_token() -> str:
    """Return ten random letters and digits, for the end of a job name or a callback token."""
    return "".join(secrets.choice(_TOKEN_ALPHABET) for _ in range(_TOKEN_LENGTH))


def job_name(execution_id: str, step_name: str, suffix: str, prefix: str | None = None) -> str:
    """Return the name of the job, model or transform that a step creates, at most 63 characters.

    Args:
        execution_id: of the execution.
        step_name: may contain underscores, which job names may not.
        suffix: distinguishes the attempts of one step.
        prefix: the name in the step's arguments, when the definition sets a custom job prefix.
    """
    custom = _hyphenated(prefix or "")
    if custom:
        room = JOB_NAME_LENGTH - len(f"-{execution_id}-{suffix}")
        return f"{custom[:room].rstrip('-')}-{execution_id}-{suffix}"
    room = JOB_NAME_LENGTH - len(f"pipelines-{execution_id}--{suffix}")
    return f"pipelines-{execution_id}-{_hyphenated(step_name)[:room].rstrip('-') or 'step'}-{suffix}"


def tuning_job_name(execution_id: str, step_name: str, suffix: str) -> str:
    """Return the name of the tuning job that a step creates, at most 32 characters; see :func:`job_name`.

    So are those of AWS: an artefact in public code lies at ``bqbpzw5k3d15-hptuning-U0H0Wl6oKU-001-c42f316a/output``.
    """
    room = TUNING_JOB_NAME_LENGTH - len(f"{execution_id}--{suffix}")
    return f"{execution_id}-{_hyphenated(step_name)[:room].rstrip('-') or 'step'}-{suffix}"


def _hyphenated(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-")


def timestamp(moment: datetime) -> str:
    """Format a time as in execution variables: ISO 8601, UTC, milliseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
