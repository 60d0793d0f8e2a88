"""IAM's evaluation logic, without IAM.

::

    identity = [Policy.parse("generated", '{"Version": "2012-10-17", "Statement": [...]}')]
    evaluate(Call("s3:GetObject", "arn:aws:s3:::raw/day.csv"), identity).decision      # Decision.ALLOWED

A call is allowed when a statement of the identity's policies allows it, every boundary (permissions boundary, session
policy) allows it as well, and no statement denies it. Policies of organisations are not known here; a resource's own
policy is evaluated by :func:`allows_principal`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from localmaker.services.iam.conditions import holds, keys_of, listed
from localmaker.services.iam.matching import Context, matches_action, matches_with_variables, substitute

_EMPTY: Context = MappingProxyType({})
#: Keys that every request has in AWS, even if the caller of a simulation does not name them.
_ALWAYS_THERE = frozenset({"aws:currenttime", "aws:epochtime"})


class Decision(StrEnum):
    """The result of an evaluation."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


class MalformedPolicyError(ValueError):
    """A policy document is not JSON, or has no statements."""


@dataclass(frozen=True)
class Call:
    """One action on one resource.

    Attributes:
        action: ``service:Name``.
        resource: ARN, or ``*`` for an action that has no resource.
        context: condition key in lower case → its values.
    """

    action: str
    resource: str = "*"
    context: Context = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True)
class Position:
    """A position in a policy's text; lines and columns count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Statement:
    """One statement and its position in the policy's text."""

    body: Mapping[str, Any]
    source: str
    start: Position
    end: Position

    @property
    def denies(self) -> bool:
        """Whether its effect is Deny."""
        return self.body.get("Effect") == "Deny"

    def concerns(self, call: Call) -> bool:
        """Return whether it covers the action and the resource, whatever its condition."""
        return self._has_action(call.action) and self._has_resource(call)

    def applies(self, call: Call) -> bool:
        """Return whether it covers the call, its condition included."""
        return self.concerns(call) and holds(self.body.get("Condition") or {}, call.context)

    def _has_action(self, action: str) -> bool:
        if "NotAction" in self.body:
            return not any(matches_action(one, action) for one in listed(self.body["NotAction"]))
        return any(matches_action(one, action) for one in listed(self.body.get("Action", [])))

    def _has_resource(self, call: Call) -> bool:
        if "NotResource" in self.body:
            patterns = listed(self.body["NotResource"])
            return not any(matches_with_variables(one, call.resource, call.context) for one in patterns)
        # A trust policy has no resource: it is about its role.
        patterns = listed(self.body.get("Resource", "*"))
        return any(matches_with_variables(one, call.resource, call.context) for one in patterns)


@dataclass(frozen=True)
class Policy:
    """A policy document and its name."""

    source: str
    statements: tuple[Statement, ...]

    @classmethod
    def parse(cls, source: str, text: str | Mapping[str, Any]) -> Policy:
        """Read a policy document.

        Args:
            source: the document's name, to report which statement decided.
            text: the document.

        Raises:
            MalformedPolicyError: it is not a policy document.
        """
        text = text if isinstance(text, str) else json.dumps(text)
        try:
            document = json.loads(text)
            bodies = document["Statement"]
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedPolicyError(f"{source} is not a policy document: {error!r}") from error
        bodies = bodies if isinstance(bodies, list) else [bodies]
        if not all(isinstance(body, dict) for body in bodies):
            raise MalformedPolicyError(f"{source} is not a policy document: a statement is not a JSON object")
        positions = _positions(text)
        return cls(source, tuple(Statement(body, source, *next(positions)) for body in bodies))


@dataclass(frozen=True)
class Evaluation:
    """The result of evaluating a call.

    Attributes:
        statements: those that decided: that allow it, or deny it.
        missing: condition keys that statements about the call ask for and the call lacks.
        refused_by: what does not allow it: ``identity``, or the name of a boundary.
    """

    decision: Decision
    statements: tuple[Statement, ...] = ()
    missing: tuple[str, ...] = ()
    refused_by: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether the call is allowed."""
        return self.decision is Decision.ALLOWED


IDENTITY = "identity"


def evaluate(
    call: Call, identity: Sequence[Policy], boundaries: Mapping[str, Sequence[Policy]] | None = None
) -> Evaluation:
    """Evaluate a call against an identity's policies.

    Args:
        call: action, resource and context.
        identity: the policies attached to it.
        boundaries: name → policies; each boundary must allow the call too, and an empty one allows nothing.

    Raises:
        UnknownOperatorError: a condition has an operator that IAM does not know.
    """
    groups = {IDENTITY: identity, **(boundaries or {})}
    about = [one for policies in groups.values() for one in _statements(policies) if one.concerns(call)]
    given = {*call.context, *_ALWAYS_THERE}
    missing = tuple(sorted({key for one in about for key in _keys(one) if key.lower() not in given}))
    denying = tuple(one for one in about if one.denies and one.applies(call))
    if denying:
        return Evaluation(Decision.EXPLICIT_DENY, denying, missing, _group_of(denying[0], groups))
    allowing: list[Statement] = []
    for name, policies in groups.items():
        found = [one for one in _statements(policies) if not one.denies and one.applies(call)]
        if not found:
            return Evaluation(Decision.IMPLICIT_DENY, (), missing, name)
        allowing += found
    return Evaluation(Decision.ALLOWED, tuple(allowing), missing)


def allows_principal(policy: Policy, call: Call, principal: Mapping[str, str]) -> bool:
    """Return whether a resource's own policy (a trust policy, a queue's policy) allows a principal a call.

    Args:
        policy: of the resource.
        call: on the resource.
        principal: kind (``AWS``, ``Service``, ``Federated``) → name.
    """
    about = [one for one in policy.statements if _names(one.body, principal, call.context) and one.applies(call)]
    return bool(about) and not any(one.denies for one in about)


def _names(body: Mapping[str, Any], principal: Mapping[str, str], context: Context) -> bool:
    if "NotPrincipal" in body:
        return not _is_among(body["NotPrincipal"], principal, context)
    return _is_among(body.get("Principal"), principal, context)


def _is_among(named: Any, principal: Mapping[str, str], context: Context) -> bool:
    if named == "*":
        return True
    if not isinstance(named, dict):
        return False
    return any(
        pattern == "*" or substitute(pattern, context) == who or _is_account_of(pattern, who)
        for kind, who in principal.items()
        for pattern in listed(named.get(kind, []))
    )


def _is_account_of(pattern: str, who: str) -> bool:
    """Return whether a pattern names the account of a principal, by its number or its root: all of its principals."""
    account = who.split(":")[4] if who.startswith("arn:") else ""
    return bool(account) and pattern in {account, f"arn:aws:iam::{account}:root"}


def _statements(policies: Sequence[Policy]) -> Iterator[Statement]:
    for policy in policies:
        yield from policy.statements


def _keys(statement: Statement) -> set[str]:
    return keys_of(statement.body.get("Condition") or {})


def _group_of(statement: Statement, groups: Mapping[str, Sequence[Policy]]) -> str:
    return next(name for name, policies in groups.items() if any(statement in one.statements for one in policies))


def _positions(text: str) -> Iterator[tuple[Position, Position]]:
    """Yield start and end of each statement in the text of a policy document."""
    decoder = json.JSONDecoder()
    index = text.index("{") + 1
    name = ""
    while name != "Statement":
        name, end = decoder.raw_decode(text, _skip(text, index, " \t\r\n,"))
        start = _skip(text, end, " \t\r\n:")
        index = decoder.raw_decode(text, start)[1]
    if text[start] != "[":
        yield _position(text, start), _position(text, index)
        return
    index = _skip(text, start + 1, " \t\r\n,")
    while text[index] != "]":
        end = decoder.raw_decode(text, index)[1]
        yield _position(text, index), _position(text, end)
        index = _skip(text, end, " \t\r\n,")


def _skip(text: str, index: int, characters: str) -> int:
    while text[index] in characters:
        index += 1
    return index


def _position(text: str, index: int) -> Position:
    return Position(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))
