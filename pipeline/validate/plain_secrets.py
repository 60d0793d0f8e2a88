"""Secrets in plain text. Everyone who may call DescribePipeline reads all of a definition."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.local.pipelines.definitions.expressions import is_expression
from pipeline.validate.document import Definition, Step, follow, leaves, objects
from pipeline.validate.registry import Problem, definition_check

_KNOWN_FORMS = {
    "an AWS access key id": re.compile(r"\b(AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a GitHub token": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "a Stripe key": re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    "the address of a Slack webhook": re.compile(r"hooks\.slack\.com/services/\w+/\w+/\w+"),
    "a password in a URL": re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@"),
    "a password in a connection string": re.compile(r"\b(password|pwd)\s*=\s*[^;\s]{3,}", re.IGNORECASE),
}
_SECRET_NAME = re.compile(
    r"password|passwd|passphrase"
    r"|(db|database|user|root|admin|mysql|postgres|redis|ftp|smtp)[-_. ]?pass($|[-_. ])"
    r"|(^|[-_. ])(pwd|secret|token|authorization|(api|access|private)[-_]?key|credentials?)($|[-_. ])",
    re.IGNORECASE,
)
#: Values that name where a secret is, and not the secret.
_POINTER = re.compile(r"(arn:aws|s3://|ssm:|secretsmanager:|/opt/ml/|\{\{resolve:)")
_TOKEN = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
#: Bits a character. Random base64 of 20 to 40 characters has 3.9 to 4.9, words joined by hyphens less than 3.8.
_RANDOM = 3.8
_SHOWN_CHARACTERS = 4
_FIX = (
    "Keep it in AWS Secrets Manager, pass its ARN, and let the job read it; then replace the secret, it is known now."
)


@definition_check("plain-secrets", "no key, password or token stands in the definition")
def no_plain_secrets(definition: Definition) -> Iterator[Problem]:
    for index, parameter in enumerate(definition.parameters):
        default = parameter.get("DefaultValue")
        field = f"Parameters[{index}].DefaultValue"
        reason = _named_secret(str(parameter.get("Name")), default) or _looks_secret(default)
        if reason:
            yield Problem(f"{_hidden(default)} is {reason}.", _FIX, field=field)
    for step in definition.steps:
        named = {path: name for name, path, value in _named_values(step) if _named_secret(name, value)}
        for path, value in leaves(step.arguments, "Arguments"):
            reason = f"the value of {named[path]}" if path in named else _looks_secret(value)
            if reason:
                yield Problem(f"{_hidden(value)} is {reason}.", _FIX, step=step.name, field=path)


def _named_values(step: Step) -> Iterator[tuple[str, str, Any]]:
    """(name, path, literal) of environment variables, hyperparameters and ``--flag value`` arguments."""
    arguments = step.arguments
    maps = [("Arguments.Environment", arguments.get("Environment"))]
    maps.append(("Arguments.HyperParameters", arguments.get("HyperParameters")))
    maps.append(("Arguments.PrimaryContainer.Environment", follow(arguments, "PrimaryContainer", "Environment")))
    maps.append(("Arguments.CustomerMetadataProperties", arguments.get("CustomerMetadataProperties")))
    if step.type in {"Lambda", "Callback"}:
        maps.append(("Arguments", arguments))
    for path, found in maps:
        if not isinstance(found, Mapping):
            continue
        yield from ((name, f"{path}.{name}", value) for name, value in found.items())
    for index, tag in objects(arguments.get("Tags")):
        yield str(tag.get("Key")), f"Arguments.Tags[{index}].Value", tag.get("Value")
    yield from _named_arguments(step)


def _named_arguments(step: Step) -> Iterator[tuple[str, str, Any]]:
    """The same of ``--flag value`` and ``--flag=value``."""
    given = step.container_arguments
    for index, value in enumerate(given):
        path = f"Arguments.AppSpecification.ContainerArguments[{index}]"
        before = given[index - 1] if index else None
        if isinstance(before, str) and before.startswith("--") and "=" not in before:
            yield before.lstrip("-"), path, value
        if isinstance(value, str) and value.startswith("--") and "=" in value:
            flag, _, assigned = value.partition("=")
            yield flag.lstrip("-"), path, assigned


def _named_secret(name: str, value: Any) -> str:
    """Why a name makes its value a secret; empty where it does not. A pipeline variable is checked where it is set."""
    literal = isinstance(value, str) and value and not is_expression(value)
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return f"the value of {name}" if literal and _SECRET_NAME.search(spaced) and not _POINTER.match(value) else ""


def _looks_secret(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    for what, form in _KNOWN_FORMS.items():
        if form.search(value):
            return what
    return "a random token by its looks" if any(_is_random(token) for token in _tokens(value)) else ""


def _tokens(value: str) -> Iterator[str]:
    """Runs of characters that could be a token. Paths, ARNs and URLs are taken apart, other text is not: keys of AWS
    have slashes in them.
    """
    pieces = value.split("/") if "://" in value or value.startswith(("arn:", "/")) else [value]
    for piece in pieces:
        yield from _TOKEN.findall(piece)


def _is_random(token: str) -> bool:
    """Whether a token mixes kinds of characters as words, numbers and hexadecimal digests do not."""
    kinds = (re.search(r"[a-z]", token), re.search(r"[A-Z]", token), re.search(r"[0-9]", token))
    if not all(kinds):
        return False
    counts = Counter(token)
    entropy = -sum(count / len(token) * math.log2(count / len(token)) for count in counts.values())
    return entropy >= _RANDOM


def _hidden(value: Any) -> str:
    """The first characters, at most a quarter: enough to find it, not to use it."""
    text = str(value)
    return f"{text[: min(_SHOWN_CHARACTERS, len(text) // 4)]}… ({len(text)} characters)"
