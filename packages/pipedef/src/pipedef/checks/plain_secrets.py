"""Secrets in plain text. Everyone who may call DescribePipeline reads all of a definition."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pipedef.checks.registry import Problem, definition_check
from pipedef.document.definition import Definition
from pipedef.document.values import follow, leaves, listed, references
from pipedef.language.expressions import JOIN, ParameterReference, is_expression

# Every repetition before a fixed mark has an upper end: text without the mark is passed over once, however long it is.
_KNOWN_FORMS = {
    "an AWS access key id": re.compile(r"\b(AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY( BLOCK)?-----"),
    "a GitHub token": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    "a JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,4096}\.eyJ[A-Za-z0-9_-]{10,}\."),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "a Stripe key": re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    "an npm token": re.compile(r"\bnpm_[A-Za-z0-9]{36}|:_authToken=\S"),
    "a SendGrid key": re.compile(r"\bSG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,}"),
    "a Databricks token": re.compile(r"\bdapi[0-9a-f]{32}"),
    "an OpenAI or Anthropic key": re.compile(r"\bsk-(proj-|ant-)?[A-Za-z0-9_-]{20,}"),
    "the address of a Slack webhook": re.compile(r"hooks\.slack\.com/services/\w+/\w+/\w+"),
    "a password in a URL": re.compile(r"\b[a-z][a-z0-9+.-]{0,40}://[^/\s:@]{0,256}:[^/\s@]{1,1024}@", re.IGNORECASE),
    "a password in a connection string": re.compile(r"\b(password|pwd)\s*=\s*[^;\s]{3,}", re.IGNORECASE),
    "an account key in a connection string": re.compile(r"\b(Shared)?(Access|Account)Key=[^;\s]{16,}"),
    "a credential of an Authorization header": re.compile(r"\b(Bearer|Basic) [A-Za-z0-9+/._~=-]{16,}"),
}
_SECRET_NAME = re.compile(
    r"password|passwd|passphrase"
    r"|(db|database|user|root|admin|mysql|postgres|redis|ftp|smtp)[-_. ]?pass($|[-_. ])"
    r"|(^|[-_. ])(pwd|secret|token|authorization|(api|access|private)[-_]?key|credentials?)($|[-_. ])"
    r"|(^|[-_. ])(encryption|signing|shared|account)[-_]?key$",
    re.IGNORECASE,
)
#: Names that say something about a secret, as where it is kept or how long it may be; and words of a language model.
_ABOUT_A_SECRET = re.compile(
    r"[-_. ](name|arn|path|file|uri|region|parameter|limit|count|length|size|days|hours|seconds|ttl|type|version"
    r"|source|provider|policy)$"
    r"|(^|[-_. ])(pad|eos|bos|unk|sep|cls|mask|stop|start|end|special)[-_]token$"
    r"|(^|[-_. ])(client|idempotency)[-_](request[-_])?token$",
    re.IGNORECASE,
)
#: Values that name where a secret is, and not the secret; switches; and placeholders.
_NO_SECRET = re.compile(
    r"arn:aws|s3://|-----BEGIN (PUBLIC KEY|CERTIFICATE)-----|ssm:|secretsmanager:|/opt/ml/|\{\{resolve:|alias/"
    r"|(?:(/[\w.-]+)+|true|false|yes|no|none|null|<[^>]*>|\[[^\]]*\]|\$\{[^}]*\})$",
    re.IGNORECASE,
)
#: Beginnings of long texts that hold no secret: names, with characters that Secrets Manager adds, and public keys.
_NEVER_SECRET = ("arn:aws", "-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----")
#: What a secret is identified by may be a path; without one it may be a secret itself, as of HashiCorp's Vault.
_IDENTIFIER, _PATH = re.compile(r"[-_. ]id$", re.IGNORECASE), re.compile(r"[\w.-]+(/[\w.-]+)+")
_TOKEN = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
#: Bits a character. Random base64 of 20 to 40 characters has 3.9 to 4.9, words joined by hyphens less than 3.8.
_RANDOM = 3.8
#: Letters or digits in a row that read as one word or number. Random base64 has less than 4, words in CamelCase more.
_WORD, _SHORT = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+"), 4
_SHOWN_CHARACTERS = 4
_FIX = "Keep it in AWS Secrets Manager, pass its ARN and let the job read it; then replace it: it is no longer secret."


@definition_check("plain-secrets")
def no_plain_secrets(definition: Definition) -> Iterator[Problem]:
    """Check that no key, password or token is in the definition."""
    for index, parameter in enumerate(definition.parameters):
        yield from _of_parameter(parameter, f"Parameters[{index}]")
    around = {key: value for key, value in definition.content.items() if key not in {"Parameters", "Steps"}}
    for key, part in around.items():
        yield from _by_their_looks(part, key, "", set())
    for step in definition.steps:
        named: set[str] = set()
        for name, path, value in _named_values(step.arguments, "Arguments"):
            secret, kept = _literal(value, definition)
            if _named_secret(name, secret):
                named.add(path)
                yield Problem(f"{_hidden(secret)}{kept} is the value of {name}.", _FIX, step=step.name, field=path)
        beside = {key: value for key, value in step.content.items() if key != "Arguments"}
        for key, part in {"Arguments": step.arguments, **beside}.items():
            yield from _by_their_looks(part, key, step.name, named)


def _of_parameter(parameter: Mapping[str, Any], field: str) -> Iterator[Problem]:
    default = parameter.get("DefaultValue")
    reason = _named_secret(str(parameter.get("Name")), default) or _looks_secret(default)
    if reason:
        yield Problem(f"{_hidden(default)} is {reason}.", _FIX, field=f"{field}.DefaultValue")
    others = {key: value for key, value in parameter.items() if key != "DefaultValue"}
    for key, part in others.items():
        yield from _by_their_looks(part, f"{field}.{key}", "", set())


def _by_their_looks(part: Any, field: str, step: str, named: set[str]) -> Iterator[Problem]:
    """Yield what looks like a secret below a part of the definition; ``named`` are paths that are reported already."""
    for path, value in leaves(part, field):
        if not any(path == place or path.startswith(f"{place}.") for place in named):
            reason = _looks_secret(value)
            if reason:
                yield Problem(f"{_hidden(value)} is {reason}.", _FIX, step=step, field=path)


def _named_values(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Yield (name, path, value) of everything below a value that has a name.

    These are members, environment variables, hyperparameters, tags, and ``--flag value`` arguments.
    """
    if is_expression(value):
        return
    if isinstance(value, Mapping):
        if set(value) == {"Key", "Value"}:
            yield str(value["Key"]), f"{path}.Value", value["Value"]
            return
        for name, item in value.items():
            yield name, f"{path}.{name}", item
            yield from _named_values(item, f"{path}.{name}")
    elif isinstance(value, list):
        yield from _flags(value, path)
        for index, item in enumerate(value):
            yield from _named_values(item, f"{path}[{index}]")


def _flags(given: list[Any], path: str) -> Iterator[tuple[str, str, Any]]:
    """Yield (name, path, value) of ``--flag value`` and ``--flag=value``, with one hyphen or two."""
    for index, value in enumerate(given):
        before = given[index - 1] if index else None
        if isinstance(before, str) and before.startswith("-") and "=" not in before:
            yield before.lstrip("-"), f"{path}[{index}]", value
        if isinstance(value, str) and value.startswith("-") and "=" in value:
            flag, _, assigned = value.partition("=")
            yield flag.lstrip("-"), f"{path}[{index}]", assigned


def _literal(value: Any, definition: Definition) -> tuple[Any, str]:
    """Return (text, where it is kept) of a value that the definition holds.

    It is the value itself, the literal pieces of a joined text, or a parameter's default.
    """
    if not is_expression(value):
        return value, ""
    if JOIN in value:
        pieces = listed(follow(value, JOIN, "Values"))
        return "".join(pieces) if pieces and all(isinstance(piece, str) for piece in pieces) else None, ""
    found = next(references(value, ""), None)
    if found is None or not isinstance(found.reference, ParameterReference):
        return None, ""
    parameter = definition.parameter_named.get(found.reference.name) or {}
    if _named_secret(found.reference.name, parameter.get("DefaultValue")):
        return None, ""  # reported at the parameter itself
    return parameter.get("DefaultValue"), f", the default of parameter {found.reference.name},"


def _named_secret(name: str, value: Any) -> str:
    """Return why a name makes its value a secret; empty where it does not."""
    if not isinstance(value, str) or not value or _NO_SECRET.match(value):
        return ""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    if not _SECRET_NAME.search(spaced) or _ABOUT_A_SECRET.search(spaced):
        return ""
    if _IDENTIFIER.search(spaced) and _PATH.fullmatch(value):
        return ""
    return f"the value of {name}"


def _looks_secret(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    for what, form in _KNOWN_FORMS.items():
        if form.search(value):
            return what
    return "a random token by its looks" if any(_is_random(token) for token in _tokens(value)) else ""


def _tokens(value: str) -> Iterator[str]:
    """Yield runs of characters that could be a token.

    Paths and URLs are split at their slashes, other text is not: AWS's secret keys have slashes in them.
    """
    if value.startswith(_NEVER_SECRET):
        return
    pieces = value.split("/") if "://" in value or value.startswith("/") else [value]
    for piece in pieces:
        yield from _TOKEN.findall(piece)


def _is_random(token: str) -> bool:
    """Tell whether a token mixes kinds of characters as words, numbers and hexadecimal digests do not."""
    kinds = (re.search(r"[a-z]", token), re.search(r"[A-Z]", token), re.search(r"[0-9]", token))
    if not all(kinds):
        return False
    words = _WORD.findall(token)
    if sum(map(len, words)) >= _SHORT * len(words):
        return False
    counts = Counter(token)
    entropy = -sum(count / len(token) * math.log2(count / len(token)) for count in counts.values())
    return entropy >= _RANDOM


def _hidden(value: Any) -> str:
    """Return the first characters of a secret, at most a quarter: enough to find it, not enough to use it."""
    text = str(value)
    return f"{text[: min(_SHOWN_CHARACTERS, len(text) // 4)]}… ({len(text)} characters)"
