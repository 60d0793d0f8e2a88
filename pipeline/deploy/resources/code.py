"""The packed code of ``steps/`` in the artifacts bucket, under its own SHA-256."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.definition.bundle import Bundle
from pipeline.deploy.engine.resource import Difference, Removal, State

# Metadata of each object. Not a checksum of its bytes: two builds of zlib make two archives of one content.
_VERSION = "code-sha256"


@dataclass(frozen=True)
class Code:
    """One version of the code; earlier versions stay, since running executions and old models refer to them."""

    bucket: str
    bundle: Bundle
    kind: str = "code"

    @property
    def name(self) -> str:
        """Prefix in the bucket."""
        return self.bundle.prefix

    def desired(self) -> State:
        """Each object, and which version of the code it says it is."""
        return dict.fromkeys(self.bundle.objects(), self.bundle.sha256)

    def current(self, aws: Aws) -> State | None:
        """The objects of this version that are there; one that was put by hand has no version."""
        found = {}
        for key in self.bundle.objects():
            answer = unless_missing(lambda key=key: aws.s3.head_object(Bucket=self.bucket, Key=key))  # type: ignore[misc]
            if answer is not None:
                found[key] = answer["Metadata"].get(_VERSION, "unknown")
        return found or None

    def create(self, aws: Aws) -> None:
        """Upload every object."""
        for key, content in self.bundle.objects().items():
            aws.s3.put_object(Bucket=self.bucket, Key=key, Body=content, Metadata={_VERSION: self.bundle.sha256})

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:  # noqa: ARG002
        """Upload what is missing or was put by hand; the content under a hash never changes."""
        self.create(aws)

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:
        """Remove this version's objects."""
        if self.current(aws) is None:
            return Removal.ABSENT
        if keep_data:
            return Removal.HOLDS_DATA
        for key in self.bundle.objects():
            aws.s3.delete_object(Bucket=self.bucket, Key=key)
        return Removal.REMOVED
