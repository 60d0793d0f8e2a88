"""The versions of a pipeline: which one is meant, and the aliases that name them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pipeline.local.errors import AwsError
from pipeline.local.pipelines.records import PipelineRecord, PipelineVersion

MAX_ALIASES = 10


def find_version(record: PipelineRecord, number: int | None, alias: str | None = None) -> PipelineVersion:
    """A version by its number or an alias; the current one without either.

    Raises:
        AwsError: ResourceNotFound, or ValidationException when both are given.
    """
    if number is not None and alias is not None:
        raise AwsError("ValidationException", "PipelineVersionId and PipelineVersionAlias exclude each other.")
    if alias is not None:
        found = next((item for item in record.versions if alias in item.aliases), None)
        if found is None:
            raise AwsError("ResourceNotFound", f"No version of '{record.arn}' has the alias [{alias}].")
        return found
    if number is None:
        return record.current
    if not 1 <= number <= len(record.versions):
        raise AwsError("ResourceNotFound", f"Pipeline version [{number}] of '{record.arn}' does not exist.")
    return record.versions[number - 1]


def next_versions(
    record: PipelineRecord, definition: str | None, now: datetime, aliases: Sequence[str]
) -> tuple[PipelineVersion, ...]:
    """The versions of a pipeline after an update; there is a new one when the definition changes.

    Args:
        record: of the pipeline.
        definition: that the update gives, if it gives one.
        now: the time.
        aliases: of the new version.

    Raises:
        AwsError: as :func:`new_aliases`, or there are aliases and no new version.
    """
    if definition is not None and definition != record.current.definition:
        named = new_aliases(record.versions, record.arn, aliases)
        return (*record.versions, PipelineVersion(len(record.versions) + 1, definition, now, aliases=named))
    if aliases:
        raise AwsError(
            "ValidationException",
            "PipelineVersionAliases can be specified only when the update changes the pipeline definition. "
            "To change the aliases of an existing version, use UpdatePipelineVersion.",
        )
    return record.versions


def new_aliases(others: Sequence[PipelineVersion], arn: str, aliases: Sequence[str]) -> tuple[str, ...]:
    """Aliases for a version, each once.

    Args:
        others: the pipeline's other versions.
        arn: of the pipeline.
        aliases: asked for.

    Raises:
        AwsError: one belongs to another version or cannot be told from a version's number, or there are too many.
    """
    for alias in aliases:
        if alias.isdigit():
            raise AwsError("ValidationException", f"Pipeline version alias [{alias}] consists of digits only.")
        owner = next((item for item in others if alias in item.aliases), None)
        if owner is not None:
            raise AwsError(
                "ConflictException",
                f"Alias [{alias}] belongs to version {owner.version} of '{arn}'. Remove it there first.",
            )
    unique = tuple(dict.fromkeys(aliases))
    if len(unique) > MAX_ALIASES:
        raise AwsError("ValidationException", f"A version takes {MAX_ALIASES} aliases, not {len(unique)}.")
    return unique


def changed_aliases(
    record: PipelineRecord, version: PipelineVersion, operations: Mapping[str, list[str]]
) -> tuple[str, ...]:
    """The aliases of a version after PipelineVersionAliasOperations.

    Raises:
        AwsError: as :func:`new_aliases`.
    """
    kept = [item for item in version.aliases if item not in operations.get("Remove", [])]
    others = [item for item in record.versions if item is not version]
    return new_aliases(others, record.arn, [*kept, *operations.get("Add", [])])
