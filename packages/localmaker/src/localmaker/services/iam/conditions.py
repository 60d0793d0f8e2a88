"""IAM's condition operators ("IAM JSON policy elements: Condition operators" in the IAM user guide).

A condition block holds when each of its operators holds for each of its keys. An operator holds for a key when one of
the policy's values matches; a negated operator, when none does. A key that the request lacks matches nothing, so that
negated operators hold.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localmaker.services.iam.matching import Context, matches_arn, matches_with_variables, substitute

# (the policy's value, the request's value, the request's context) → whether they match
_Comparison = Callable[[str, str, Context], bool]


class UnknownOperatorError(ValueError):
    """A policy has a condition operator that IAM does not know."""


@dataclass(frozen=True)
class _Operator:
    fits: _Comparison
    negated: bool = False


def holds(block: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Return whether a statement's ``Condition`` holds.

    Args:
        block: operator → key → value or values.
        context: of the request; keys in lower case.

    Raises:
        UnknownOperatorError: IAM knows no such operator.
    """
    return all(
        _holds(operator, key, listed(wanted), context)
        for operator, keys in block.items()
        for key, wanted in keys.items()
    )


def keys_of(block: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the condition keys of a block, as it spells them."""
    return {key for keys in block.values() for key in keys}


def listed(value: Any) -> list[str]:
    """Return one value or several as a list of texts in IAM's spelling."""
    values = value if isinstance(value, list) else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]


def _holds(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    quantifier, _, name = operator.rpartition(":")
    values = context.get(key.lower())
    if name == "Null":
        return (str(values is None).lower() in wanted) if wanted else False
    optional = name.endswith("IfExists")
    known = _OPERATORS.get(name.removesuffix("IfExists"))
    if known is None or quantifier not in ("", "ForAllValues", "ForAnyValue"):
        raise UnknownOperatorError(f"{operator} is not a condition operator of IAM")
    if not values:
        return quantifier == "ForAllValues" or optional or (known.negated and quantifier == "")

    def fits(value: str) -> bool:
        return any(known.fits(one, value, context) for one in wanted) is not known.negated

    # Without a quantifier a key has one value. For negated operators several values are compared as with ForAllValues,
    # so that none slips through.
    every = quantifier == "ForAllValues" or (quantifier == "" and known.negated)
    return all(map(fits, values)) if every else any(map(fits, values))


def _text(compare: Callable[[str, str], bool]) -> _Comparison:
    def fits(wanted: str, value: str, context: Context) -> bool:
        expanded = substitute(wanted, context)
        return expanded is not None and compare(expanded, value)

    return fits


def _parsed(parse: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> _Comparison:
    def fits(wanted: str, value: str, _context: Context) -> bool:
        try:
            return compare(parse(value), parse(wanted))
        except ValueError:
            return False

    return fits


def _moment(text: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_network(wanted: str, value: str, _context: Context) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _same_bytes(wanted: str, value: str, _context: Context) -> bool:
    try:
        return base64.b64decode(wanted, validate=True) == base64.b64decode(value, validate=True)
    except binascii.Error:
        return False


def _arn(wanted: str, value: str, context: Context) -> bool:
    return matches_arn(wanted, value, context)


_EQUALS = _text(lambda wanted, value: wanted == value)
_EQUALS_IGNORING_CASE = _text(lambda wanted, value: wanted.lower() == value.lower())
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda value, wanted: value == wanted,
    "LessThan": lambda value, wanted: value < wanted,
    "LessThanEquals": lambda value, wanted: value <= wanted,
    "GreaterThan": lambda value, wanted: value > wanted,
    "GreaterThanEquals": lambda value, wanted: value >= wanted,
}

_OPERATORS: Mapping[str, _Operator] = {
    "StringEquals": _Operator(_EQUALS),
    "StringNotEquals": _Operator(_EQUALS, negated=True),
    "StringEqualsIgnoreCase": _Operator(_EQUALS_IGNORING_CASE),
    "StringNotEqualsIgnoreCase": _Operator(_EQUALS_IGNORING_CASE, negated=True),
    "StringLike": _Operator(matches_with_variables),
    "StringNotLike": _Operator(matches_with_variables, negated=True),
    **{
        f"{kind}{name}": _Operator(_parsed(parse, compare))
        for kind, parse in (("Numeric", float), ("Date", _moment))
        for name, compare in _ORDER.items()
    },
    "NumericNotEquals": _Operator(_parsed(float, _ORDER["Equals"]), negated=True),
    "DateNotEquals": _Operator(_parsed(_moment, _ORDER["Equals"]), negated=True),
    "Bool": _Operator(_EQUALS_IGNORING_CASE),
    "BinaryEquals": _Operator(_same_bytes),
    "IpAddress": _Operator(_in_network),
    "NotIpAddress": _Operator(_in_network, negated=True),
    # AWS compares ArnEquals as it compares ArnLike.
    "ArnEquals": _Operator(_arn),
    "ArnLike": _Operator(_arn),
    "ArnNotEquals": _Operator(_arn, negated=True),
    "ArnNotLike": _Operator(_arn, negated=True),
}
