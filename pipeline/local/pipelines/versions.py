"""The versions of a pipeline: which one is meant, and the aliases that name them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
