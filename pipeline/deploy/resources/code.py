"""The packed code of ``steps/`` in the artifacts bucket, under its own SHA-256."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.definition.bundle import Bundle
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State

# Metadata of each object. Not a checksum of its bytes: two builds of zlib make two archives of one content.
_VERSION = "code-sha256"


@dataclass(frozen=True)
class Code(Resource):
    """One version of the code; earlier versions stay, since running executions and old models refer to them.

    Its name is the prefix of its objects; each object says in its metadata which version it belongs to.
    """

    kind = "code"
    bucket: str
    bundle: Bundle

    def _desired(self) -> State:
        return dict.fromkeys(self.bundle.objects(), self.bundle.sha256)

    def _describe(self, aws: Aws) -> dict[str, str] | None:
        found = {}
        for key in self.bundle.objects():
            answer = unless_missing(lambda key=key: aws.s3.head_object(Bucket=self.bucket, Key=key))  # type: ignore[misc]
            if answer is not None:
                found[key] = answer["Metadata"].get(_VERSION, "unknown")
        return found or None

    def _state(self, aws: Aws, found: Any) -> State:
        return dict(found)

    def create(self, aws: Aws) -> None:
        """Upload every object."""
        for key, content in self.bundle.objects().items():
            aws.s3.put_object(Bucket=self.bucket, Key=key, Body=content, Metadata={_VERSION: self.bundle.sha256})

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        self.create(aws)  # The content under a hash never changes.

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        if keep_data:
            return Removal.HOLDS_DATA
        for key in self.bundle.objects():
            aws.s3.delete_object(Bucket=self.bucket, Key=key)
        return Removal.REMOVED
