"""The versions of a pipeline and their aliases. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.records import PipelineRecord

MAX_ALIASES = 10


def definition_id(definition: str) -> str:
    """Return the key of a definition in the store: hundreds of executions and versions may share one."""
    return hashlib.sha256(definition.encode()).hexdigest()


def find_number(record: PipelineRecord, number: int | None, alias: str | None = None) -> int:
    """Return the number of a version, given by number or alias; by default the current one.

    Raises:
        AwsError: ResourceNotFound, or ValidationException when both are given.
    """
    if number is not None and alias is not None:
        raise AwsError("ValidationException", "PipelineVersionId and PipelineVersionAlias are mutually exclusive.")
    if alias is not None:
        if alias not in record.aliases:
            raise AwsError("ResourceNotFound", f"No version of '{record.arn}' has the alias [{alias}].")
        return record.aliases[alias]
    if number is None:
        return record.latest
    if not 1 <= number <= record.latest:
        raise AwsError("ResourceNotFound", f"Pipeline version [{number}] of '{record.arn}' does not exist.")
    return number


def with_aliases(known: Mapping[str, int], arn: str, version: int, aliases: Sequence[str]) -> dict[str, int]:
    """Return the aliases of a pipeline after adding some to a version.

    Args:
        known: alias → version.
        arn: of the pipeline.
        version: that gets the aliases.
        aliases: to add.

    Raises:
        AwsError: an alias belongs to another version or looks like a version number, or there are too many.
    """
    for alias in aliases:
        if alias.isdigit():
            raise AwsError("ValidationException", f"Pipeline version alias [{alias}] consists of digits only.")
        if known.get(alias, version) != version:
            raise AwsError(
                "ConflictException",
                f"Alias [{alias}] belongs to version {known[alias]} of '{arn}'. Remove it there first.",
            )
    changed = {**known, **dict.fromkeys(aliases, version)}
    count = sum(number == version for number in changed.values())
    if count > MAX_ALIASES:
        raise AwsError("ValidationException", f"A version takes {MAX_ALIASES} aliases, not {count}.")
    return changed


def changed_aliases(record: PipelineRecord, version: int, operations: Mapping[str, list[str]]) -> dict[str, int]:
    """Return the aliases of a pipeline after PipelineVersionAliasOperations on a version.

    Raises:
        AwsError: as :func:`with_aliases`.
    """
    removed = set(operations.get("Remove", []))
    kept = {alias: number for alias, number in record.aliases.items() if number != version or alias not in removed}
    return with_aliases(kept, record.arn, version, operations.get("Add", []))


def require_no_aliases(aliases: Sequence[str]) -> None:
    """Refuse aliases in an update that creates no new version.

    Raises:
        AwsError: ValidationException.
    """
    if aliases:
        raise AwsError(
            "ValidationException",
            "PipelineVersionAliases can be specified only when the update changes the pipeline definition. "
            "To change the aliases of an existing version, use UpdatePipelineVersion.",
        )
