"""IAM's wildcards and policy variables ("Policy elements: Variables and tags" and "Resource" in the IAM user guide)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

#: Condition key in lower case → its values.
Context = Mapping[str, Sequence[str]]

# ${*}, ${?} and ${$} are the characters themselves; ${key, 'default'} has a default.
_TOKEN = re.compile(r"\$\{(?P<literal>[*?$])\}|\$\{(?P<key>[^},]+)(,\s*'(?P<default>[^']*)')?\s*\}|(?P<wildcard>[*?])")
_WILDCARDS = {"*": ".*", "?": "."}
_ARN_PARTS = 6


def matches(pattern: str, text: str) -> bool:
    """Return whether a text matches a pattern: ``*`` is any characters (none, ``/``, ``:`` included), ``?`` is one."""
    return _compiled(pattern).fullmatch(text) is not None


def matches_action(pattern: str, action: str) -> bool:
    """Match an action, in which case does not count."""
    return matches(pattern.lower(), action.lower())


def matches_with_variables(pattern: str, text: str, context: Context) -> bool:
    """Match a pattern in which ``${key}`` is the key's value; nothing matches unless there is exactly one value."""
    if "${" not in pattern:
        return matches(pattern, text)
    regex = _expanded(pattern, context)
    return regex is not None and re.fullmatch(regex, text, re.DOTALL) is not None


def substitute(text: str, context: Context) -> str | None:
    """Return a text with its variables replaced, wildcards kept; None if a variable does not have exactly one value."""
    pieces: list[str] = []
    end = 0
    for token in _TOKEN.finditer(text):
        value = token["wildcard"] or token["literal"] or _value(token, context)
        if value is None:
            return None
        pieces += [text[end : token.start()], value]
        end = token.end()
    return "".join([*pieces, text[end:]])


def matches_arn(pattern: str, arn: str, context: Context) -> bool:
    """Match an ARN as ArnLike does: each of the six parts by itself, the last one with its colons."""
    patterns, parts = pattern.split(":", _ARN_PARTS - 1), arn.split(":", _ARN_PARTS - 1)
    return len(patterns) == len(parts) and all(
        matches_with_variables(one, part, context) for one, part in zip(patterns, parts, strict=True)
    )


def _expanded(pattern: str, context: Context) -> str | None:
    pieces: list[str] = []
    end = 0
    for token in _TOKEN.finditer(pattern):
        pieces.append(re.escape(pattern[end : token.start()]))
        end = token.end()
        if token["wildcard"]:
            pieces.append(_WILDCARDS[token["wildcard"]])
            continue
        value = token["literal"] or _value(token, context)
        if value is None:
            return None
        pieces.append(re.escape(value))
    return "".join([*pieces, re.escape(pattern[end:])])


def _value(token: re.Match[str], context: Context) -> str | None:
    found = context.get(token["key"].strip().lower(), ())
    default: str | None = token["default"]
    return found[0] if len(found) == 1 else default


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_WILDCARDS.get(part, re.escape(part)) for part in pattern), re.DOTALL)
