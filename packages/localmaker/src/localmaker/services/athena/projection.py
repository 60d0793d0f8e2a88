"""Partition projection: partitions that follow from the table's properties and are not in the catalog.

Athena makes the locations of partitions from the ranges. Here the keys of the objects are matched with
``storage.location.template``, and their values with the ranges, with the same result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from localmaker.services.athena.failures import QueryFailedError

_NOW = re.compile(r"NOW(?:\s*([+-])\s*(\d+)\s*([A-Z]+?)S?)?")
_UNIT_SECONDS = {
    "SECOND": 1,
    "MINUTE": 60,
    "HOUR": 3600,
    "DAY": 86400,
    "WEEK": 604800,
    "MONTH": 2678400,
    "YEAR": 31622400,
}
_JAVA = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_VARIABLE = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Projection:
    """The projected partitions of a table.

    Attributes:
        prefix: what all of their locations start with.
        pattern: matches the location of an object, with a group for each key in the order of ``order``.
        order: names of the keys.
        allowed: of each key: whether a value is in its range.
    """

    prefix: str
    pattern: re.Pattern[str]
    order: Sequence[str]
    allowed: Mapping[str, Callable[[str], bool]]

    def values_of(self, location: str, keys: Sequence[str]) -> list[str] | None:
        """Return the partition's values, in the order of the keys, for an object; None if it is in no partition."""
        found = self.pattern.match(location)
        if found is None:
            return None
        values = dict(zip(self.order, found.groups(), strict=True))
        if not all(self.allowed[name](value) for name, value in values.items()):
            return None
        return [values[name] for name in keys]


def projection_of(table: Mapping[str, Any]) -> Projection | None:
    """Return the projection of a Glue table; None if it has none.

    Raises:
        QueryFailedError: its properties are incomplete.
    """
    properties = {str(name).lower(): str(value) for name, value in table.get("Parameters", {}).items()}
    if properties.get("projection.enabled", "").lower() != "true":
        return None
    keys = [key["Name"].lower() for key in table.get("PartitionKeys", [])]
    folder = str(table["StorageDescriptor"]["Location"]).rstrip("/")
    template = properties.get("storage.location.template", "/".join([folder, *(f"{key}=${{{key}}}" for key in keys)]))
    parts = _VARIABLE.split(template.rstrip("/"))
    order = [name.lower() for name in parts[1::2]]
    if sorted(order) != sorted(keys):
        raise QueryFailedError("INVALID_TABLE_PROPERTY: storage.location.template does not name each partition column")
    literals = [re.escape(part) for part in parts[::2]]
    pattern = literals[0] + "".join(f"([^/]+){literal}" for literal in literals[1:]) + "/"
    allowed = {key: _range_of(key, properties) for key in keys}
    return Projection(parts[0].rpartition("/")[0] + "/", re.compile(pattern), order, allowed)


def _range_of(key: str, properties: Mapping[str, str]) -> Callable[[str], bool]:
    start = f"projection.{key}."
    kind = properties.get(f"{start}type", "").lower()
    try:
        if kind == "injected":
            return lambda _: True
        if kind == "enum":
            values = {value.strip() for value in properties[f"{start}values"].split(",")}
            return lambda value: value in values
        low, high = (one.strip() for one in properties[f"{start}range"].split(","))
        if kind == "integer":
            digits = int(properties.get(f"{start}digits", 0))
            numbers = range(int(low), int(high) + 1, int(properties.get(f"{start}interval", 1)))
            return lambda value: value.isdigit() and int(value) in numbers and value == f"{int(value):0{digits}}"
        if kind == "date":
            form = _python_format(properties[f"{start}format"])
            first, last = _moment(low, form), _moment(high, form)
            return lambda value: (moment := _parsed(value, form)) is not None and first <= moment <= last
    except (KeyError, ValueError) as error:
        raise QueryFailedError(f"INVALID_TABLE_PROPERTY: {start}*: {error}") from error
    raise QueryFailedError(f"INVALID_TABLE_PROPERTY: {start}type is {kind or 'missing'}")


def _python_format(form: str) -> str:
    parts = re.split(r"'([^']*)'", form)
    return "".join(
        part.replace("%", "%%") if number % 2 else re.sub("yyyy|MM|dd|HH|mm|ss", lambda found: _JAVA[found[0]], part)
        for number, part in enumerate(parts)
    )


def _moment(text: str, form: str) -> datetime:
    found = _NOW.fullmatch(text)
    if found is None:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    now = datetime.now(UTC)
    seconds = int(found[2] or 0) * _UNIT_SECONDS[found[3] or "DAY"]
    return now + timedelta(seconds=-seconds if found[1] == "-" else seconds)


def _parsed(value: str, form: str) -> datetime | None:
    try:
        moment = datetime.strptime(value, form).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment if moment.strftime(form) == value else None
