"""Tags of a job, as AddTags and DeleteTags change them. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from localmaker.errors import AwsError

_LIMIT = 50

Tag = Mapping[str, str]


def add(tags: Sequence[Tag], added: Sequence[Tag]) -> tuple[Tag, ...]:
    """The tags with others added; a key that is there gets the new value.

    Raises:
        AwsError: ValidationException for more than 50.
    """
    merged = {tag["Key"]: tag["Value"] for tag in (*tags, *added)}
    if len(merged) > _LIMIT:
        raise AwsError("ValidationException", f"Too many tags: {len(merged)}; a resource can have {_LIMIT}.")
    return tuple({"Key": key, "Value": value} for key, value in merged.items())


def remove(tags: Sequence[Tag], keys: Collection[str]) -> tuple[Tag, ...]:
    """The tags without those of some keys."""
    return tuple(tag for tag in tags if tag["Key"] not in keys)
