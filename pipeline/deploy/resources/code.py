"""The packed code of ``steps/`` in the artifacts bucket, each object under the SHA-256 of what it holds."""

import re
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

    Its name is the prefix of the jobs' objects. Each object has the version in its key as metadata: environments that
    share a bucket share the functions' archive, too.
    """

    kind = "code"
    bucket: str
    bundle: Bundle

    def _desired(self) -> State:
        return {key: _version(key) for key in self.bundle.objects()}

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
            aws.s3.put_object(Bucket=self.bucket, Key=key, Body=content, Metadata={_VERSION: _version(key)})

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        self.create(aws)  # The content under a hash never changes.

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        if keep_data:
            return Removal.HOLDS_DATA
        for key in self.bundle.objects():
            aws.s3.delete_object(Bucket=self.bucket, Key=key)
        return Removal.REMOVED


def _version(key: str) -> str:
    """Return the SHA-256 in a key: of all that jobs need, or of the functions' archive alone."""
    return str(re.findall("[0-9a-f]{64}", key)[0])
