"""Make a backup: whatever a new account can't get from the repository.

Files are kept under the SHA-256 of their content, so that making a backup again copies what is new, and one that was
cut off goes on; the manifest comes last. Registered versions are looked at again in the end: where somebody has decided
meanwhile, they are taken anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from analysis.runtime.aws import split_s3_uri
from analysis.runtime.errors import StepError
from analysis.runtime.registry import Package, can_be_used, in_use, metadata, moment, put_in_use, who_decided
from analysis.runtime.versions import UNKNOWN_COMMIT, commit_of_code
from pipeline.aws.clients import Aws, aws_errors
from pipeline.aws.not_found import unless_missing
from pipeline.datasets.shipped import declaration_file
from pipeline.errors import RecoveryError
from pipeline.recovery.manifest import REGISTERED, File, Manifest, Origin, StoredGroup, Version
from pipeline.recovery.places import MANIFEST, Objects, Place, copy, read_manifest, spooled, write_manifest
from pipeline.results.decisions import before
from pipeline.results.registry import packages_of
from pipeline.source_control.connection import current

_CODE = re.compile(r"code/[0-9a-f]{64}/sourcedir\.tar\.gz")
_ATTEMPTS = 3


@dataclass
class Done:
    """What came of it."""

    manifest: Manifest
    copied: int = 0  #: Files that were not there yet.
    unchanged: bool = False  #: Whether the backup that was there says all of it.
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """An object to be copied, as S3 described it."""

    uri: str
    etag: str
    size: int


class Backup:
    """One backup on its way."""

    def __init__(self, aws: Aws, place: Place, report: Callable[[str], None]) -> None:
        """Take the environment, the place, and what is told of progress."""
        self._aws, self._place, self._report = aws, place, report
        self._previous = read_manifest(place)
        old = self._previous.files() if self._previous else ()
        self._known = {(file.source, file.etag): file for file in old}
        self.copied = 0

    def make(self, *, every_version: bool, features: bool) -> Done:
        """Make it.

        Raises:
            RecoveryError: the place holds another environment's, or something can't be read or written.
        """
        aws, settings = self._aws, self._aws.settings
        aws.check_account()
        origin = Origin(
            system=settings.system,
            environment=settings.environment,
            account_id=settings.account_id,
            region=settings.region,
            artifacts_bucket=settings.artifacts_bucket,
            model_package_group=settings.model_package_group_name,
        )
        if self._previous and self._previous.origin != origin:
            other = self._previous.origin
            raise RecoveryError(
                f"{self._place.name} has the backup of {other.system}-{other.environment} (account {other.account_id}, "
                f"{other.region}).",
                "Name another place: each environment has its own.",
            )
        warnings = []
        if isinstance(self._place, Objects) and self._place.is_of_this_account:
            warnings.append(f"{self._place.bucket} is of account {settings.account_id}, too: it goes with the account.")
        versions, chosen = self._versions(every_version=every_version)
        warnings += [f"Version {one.number} names {uri}, which is gone." for one in versions for uri in one.absent]
        stored = tuple(self._features(warnings)) if features else self._kept(warnings)
        found = Manifest(
            created=datetime.now(UTC),
            origin=origin,
            settings=settings.model_dump(mode="json"),
            declaration_sha256=hashlib.sha256(declaration_file(settings.dataset).read_bytes()).hexdigest(),
            git_commit=self._commit(),
            versions=versions,
            in_use=chosen,
            features=stored,
            connection=current(aws),
        )
        unchanged = self._previous is not None and found.same_as(self._previous)
        if self._previous and unchanged:
            found = self._previous
        else:
            write_manifest(self._place, found)
            self._report(f"{self._place.name}/{MANIFEST}: written")
        # A default of the bucket may mean one, too.
        if isinstance(self._place, Objects) and (key := self._place.key_of_this_account()):
            warnings.append(f"{key} encrypts the backup, and goes with the account: give --kms-key.")
        return Done(found, self.copied, unchanged, warnings)

    def _versions(self, *, every_version: bool) -> tuple[tuple[Version, ...], int | None]:
        """Return the versions, oldest first, and the number of the one in use, once nobody decides meanwhile."""
        group = self._aws.settings.model_package_group_name
        for _ in range(_ATTEMPTS):
            packages = packages_of(self._aws, group)
            chosen = in_use(packages)
            wanted = packages if every_version else [one for one in (chosen, before(packages)) if one is not None]
            taken = [self._version(one) for one in sorted(wanted, key=lambda one: one["ModelPackageVersion"])]
            if _decisions(packages_of(self._aws, group)) == _decisions(packages):
                return tuple(taken), None if chosen is None else chosen["ModelPackageVersion"]
            self._report("Versions were changed meanwhile: they are taken again")
        raise RecoveryError(f"The versions of {group} change all the time.", "Run the same command again later.")

    def _version(self, package: Package) -> Version:
        registration = json.loads(json.dumps({name: package[name] for name in REGISTERED if name in package}))
        named = sorted(set(_uris({**registration, "ModelCard": None})))
        files = {uri: self._file_of(uri) for uri in named}
        return Version(
            arn=package["ModelPackageArn"],
            number=package["ModelPackageVersion"],
            created=package["CreationTime"],
            registration=registration,
            properties=dict(metadata(package)),
            approval=package["ModelApprovalStatus"],
            in_use_since=moment(put_in_use(package)[0]) if can_be_used(package) else None,
            decided_by="" if package["ModelApprovalStatus"] == "PendingManualApproval" else who_decided(package),
            reason=package.get("ApprovalDescription", ""),
            files=tuple(file for file in files.values() if file is not None),
            absent=tuple(uri for uri, file in files.items() if file is None),
        )

    def _file_of(self, uri: str) -> File | None:
        """Copy what a version names; None where it is gone."""
        bucket, key = split_s3_uri(uri)
        with aws_errors(f"Looking at {uri}", self._aws, RecoveryError):
            head = unless_missing(lambda: self._aws.s3.head_object(Bucket=bucket, Key=key))
        return None if head is None else self._copied(Source(uri, head["ETag"], head["ContentLength"]))

    def _copied(self, source: Source) -> File:
        """Copy an object unless the backup has it; S3 refuses where it was changed since it was described."""
        known = self._known.get((source.uri, source.etag))
        if known is not None and self._place.size(known.key) == known.size:
            return known
        bucket, key = split_s3_uri(source.uri)
        with spooled() as content:
            with aws_errors(f"Reading {source.uri}", self._aws, RecoveryError):
                body: Any = self._aws.s3.get_object(Bucket=bucket, Key=key, IfMatch=source.etag)["Body"]
                sha256, size = copy(body, content)
            file = File(sha256=sha256, size=size, source=source.uri, etag=source.etag)
            if self._place.size(file.key) != size:
                content.seek(0)
                self._place.put(file.key, content, sha256)
                self.copied += 1
                self._report(f"{source.uri}: {size:,} bytes")
        self._known[source.uri, source.etag] = file
        return file

    def _kept(self, warnings: list[str]) -> tuple[StoredGroup, ...] | None:
        """Return the features that the place has already, of which a backup without them takes nothing away."""
        kept = self._previous.features if self._previous else None
        if kept:
            warnings.append("Features: those of an earlier backup are kept; --features brings them up to date.")
        return kept

    def _features(self, warnings: list[str]) -> Iterator[StoredGroup]:
        settings = self._aws.settings
        if not settings.features.offline_store:
            warnings.append("Features: the feature groups have no offline store, so there is nothing to copy.")
            return
        yield self.records_of("inputs", settings.inputs_group_name, warnings)
        yield self.records_of("outcomes", settings.outcomes_group_name, warnings)

    def records_of(self, kind: str, name: str, warnings: list[str]) -> StoredGroup:
        """Copy the objects of a group's offline store; add a warning where more have arrived meanwhile."""
        objects = list(self._offline_objects(name))
        files = []
        for number, source in enumerate(objects, start=1):
            files.append(self._copied(source))
            self._report(f"{name}: {number:,} of {len(objects):,} files")
        if more := len(list(self._offline_objects(name))) - len(objects):
            warnings.append(f"{name}: {more} files arrived meanwhile; make the backup again to have them, too.")
        return StoredGroup.model_validate({"kind": kind, "name": name, "files": files})

    def _offline_objects(self, group: str) -> Iterator[Source]:
        with aws_errors(f"Listing the offline store of {group}", self._aws, RecoveryError):
            described = self._aws.sagemaker.describe_feature_group(FeatureGroupName=group)
            place = described["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
            bucket, prefix = split_s3_uri(place)
            pages = self._aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
            for one in (one for page in pages for one in page.get("Contents", [])):
                if one["Key"].endswith(".parquet"):
                    yield Source(f"s3://{bucket}/{one['Key']}", one["ETag"], one["Size"])

    def _commit(self) -> str:
        """Return the commit of the code that the deployed training pipeline runs."""
        settings = self._aws.settings
        with aws_errors("Looking at the deployed code", self._aws, RecoveryError):
            name = settings.training_pipeline_name
            found = unless_missing(lambda: self._aws.sagemaker.describe_pipeline(PipelineName=name))
            key = _CODE.search(found["PipelineDefinition"]) if found else None
            if key is None:
                return UNKNOWN_COMMIT
            try:
                return commit_of_code(self._aws.s3, f"s3://{settings.artifacts_bucket}/{key[0]}")
            except StepError as error:
                raise RecoveryError(str(error)) from error


def _decisions(packages: Sequence[Package]) -> list[Any]:
    return [
        (one["ModelPackageArn"], one.get("ModelApprovalStatus"), one.get("ApprovalDescription"), dict(metadata(one)))
        for one in packages
    ]


def _uris(value: Any) -> Iterator[str]:
    """Yield every S3 URI in a registration."""
    if isinstance(value, str):
        if value.startswith("s3://"):
            yield value
    elif isinstance(value, dict | list):
        parts: Iterable[Any] = value.values() if isinstance(value, dict) else value
        for part in parts:
            yield from _uris(part)
