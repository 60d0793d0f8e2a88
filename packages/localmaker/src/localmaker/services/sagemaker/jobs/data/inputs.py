"""The objects that each instance of a job gets: by prefix or manifest, all of them or a share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from localmaker.services.sagemaker.jobs.data.objects import ObjectTransfer, S3Object, S3Uri, resolve_inside
from localmaker.services.sagemaker.jobs.failures import client_error

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class InputSource:
    """The location of an input in S3.

    Attributes:
        uri: prefix or manifest, as ``data_type`` says.
        data_type: ``S3Prefix``, ``ManifestFile`` or ``AugmentedManifestFile``.
        distribution: ``FullyReplicated`` or ``ShardedByS3Key``.
        attributes: AttributeNames of an augmented manifest, in their order.
    """

    uri: str
    data_type: str
    distribution: str
    attributes: Sequence[str] = ()

    @classmethod
    def of(cls, source: Mapping[str, Any]) -> InputSource:
        """Read an ``S3Input`` or ``S3DataSource`` structure, with SageMaker's defaults."""
        return cls(
            source["S3Uri"],
            source.get("S3DataType", "S3Prefix"),
            source.get("S3DataDistributionType", "FullyReplicated"),
            source.get("AttributeNames", ()),
        )


def find_objects(transfer: ObjectTransfer, source: InputSource) -> Sequence[S3Object]:
    """Return all objects of an input, in the order of their keys or of the manifest.

    Raises:
        JobFailure: there are none, or the manifest is not valid.
    """
    if source.data_type == "S3Prefix":
        return transfer.list_prefix(source.uri)
    return read_manifest(source.uri, transfer.read_object(source.uri))


def read_manifest(uri: str, content: bytes) -> Sequence[S3Object]:
    """Return the objects that a manifest names: ``[{"prefix": "s3://bucket/some/"}, "relative/key", …]``.

    Raises:
        JobFailure: it is not a manifest, or names no objects.
    """
    try:
        document = json.loads(content)
        start, *keys = document
        prefix = start["prefix"]
        if not isinstance(document, list) or not all(isinstance(text, str) for text in (prefix, *keys)):
            raise TypeError("the prefix and the keys must be strings")
    except (ValueError, TypeError, KeyError) as error:
        raise client_error(
            f'Failed to download data. "{uri}" is not a manifest: [{{"prefix": "s3://bucket/folder/"}}, "key", ...] '
            f"was expected ({type(error).__name__}: {error})."
        ) from error
    if not keys:
        raise client_error(f'Failed to download data. The manifest "{uri}" names no objects.')
    where = S3Uri.parse(prefix)
    return [S3Object(where.bucket, where.key + key, key.lstrip("/"), 0) for key in keys]


def read_augmented_manifest(transfer: ObjectTransfer, source: InputSource) -> Sequence[Mapping[str, Any]]:
    """Return the lines of an augmented manifest, each with the attributes that the channel asks for.

    Raises:
        JobFailure: a line is not a JSON object or lacks an attribute.
    """
    records: list[Mapping[str, Any]] = []
    for number, line in enumerate(transfer.read_object(source.uri).splitlines(), 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            records.append({name: document[name] for name in source.attributes})
        except (ValueError, TypeError, KeyError) as error:
            raise client_error(
                f'Line {number} of the augmented manifest "{source.uri}" is not a JSON object with the attributes '
                f"{', '.join(source.attributes)} ({type(error).__name__}: {error})."
            ) from error
    return records


def share(items: Sequence[_Item], source: InputSource, instance: int, count: int) -> Sequence[_Item]:
    """Return one instance's items: all, or every ``count``-th item with ShardedByS3Key.

    Args:
        instance: its number, from 1.
        count: number of instances of the job.
    """
    return items[instance - 1 :: count] if source.distribution == "ShardedByS3Key" else items


def download(transfer: ObjectTransfer, objects: Sequence[S3Object], folder: Path) -> None:
    """Download objects into a folder, under their tails.

    Raises:
        JobFailure: S3 refuses, or a key leads out of the folder.
    """
    for entry in objects:
        transfer.download(entry, resolve_inside(folder, entry.tail))
