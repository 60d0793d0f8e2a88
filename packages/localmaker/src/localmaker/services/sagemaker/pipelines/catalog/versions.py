"""The versions of a pipeline: which one is meant, and the aliases that name them. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from localmaker.errors import AwsError
from localmaker.services.sagemaker.pipelines.records import PipelineRecord

MAX_ALIASES = 10


def definition_id(definition: str) -> str:
    """What the store knows a definition by: hundreds of executions and versions may share one."""
    return hashlib.sha256(definition.encode()).hexdigest()


def find_number(record: PipelineRecord, number: int | None, alias: str | None = None) -> int:
    """A version by its number or an alias; the current one without either.

    Raises:
        AwsError: ResourceNotFound, or ValidationException when both are given.
    """
    if number is not None and alias is not None:
        raise AwsError("ValidationException", "PipelineVersionId and PipelineVersionAlias exclude each other.")
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
    """The aliases of a pipeline after some were added to a version.

    Args:
        known: alias → version.
        arn: of the pipeline.
        version: that gets them.
        aliases: asked for.

    Raises:
        AwsError: one belongs to another version or cannot be told from a version's number, or there are too many.
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
    """The aliases of a pipeline after PipelineVersionAliasOperations on a version.

    Raises:
        AwsError: as :func:`with_aliases`.
    """
    removed = set(operations.get("Remove", []))
    kept = {alias: number for alias, number in record.aliases.items() if number != version or alias not in removed}
    return with_aliases(kept, record.arn, version, operations.get("Add", []))


def require_no_aliases(aliases: Sequence[str]) -> None:
    """Refuse aliases of an update that makes no new version.

    Raises:
        AwsError: ValidationException.
    """
    if aliases:
        raise AwsError(
            "ValidationException",
            "PipelineVersionAliases can be specified only when the update changes the pipeline definition. "
            "To change the aliases of an existing version, use UpdatePipelineVersion.",
        )
