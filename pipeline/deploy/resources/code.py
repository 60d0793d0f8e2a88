"""The packed code of ``steps/`` in the artifacts bucket, each object under the SHA-256 of what it holds."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.runtime.versions import GIT_COMMIT
from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.definition.bundle import Bundle
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.step_code import STEPS_FOLDER

# Metadata of each object. Not a checksum of its bytes: two builds of zlib make two archives of one content.
_VERSION = "code-sha256"
_QUESTIONS = (("rev-parse", "HEAD"), ("status", "--porcelain"))
#: Seconds in which git has to answer.
_PATIENCE = 20


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
        self._upload(aws, self.bundle.objects())

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        # The content under a hash never changes, and neither does the commit that it was first deployed from.
        self._upload(aws, {key: content for key, content in self.bundle.objects().items() if key in differences})

    def _upload(self, aws: Aws, objects: Mapping[str, bytes]) -> None:
        commit = git_commit(STEPS_FOLDER)
        known = {} if commit is None else {GIT_COMMIT: commit}
        for key, content in objects.items():
            aws.s3.put_object(Bucket=self.bucket, Key=key, Body=content, Metadata={_VERSION: _version(key), **known})

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        if keep_data:
            return Removal.HOLDS_DATA
        for key in self.bundle.objects():
            aws.s3.delete_object(Bucket=self.bucket, Key=key)
        return Removal.REMOVED


def _version(key: str) -> str:
    """Return the SHA-256 in a key: of all that jobs need, or of the functions' archive alone."""
    return str(re.findall("[0-9a-f]{64}", key)[0])


def git_commit(folder: Path) -> str | None:
    """Return the commit of the repository that has a folder's files, "-dirty" at its end where any differs from it.

    It is no part of what is compared: the same sources of another commit are the same code. None where git is not
    installed, or the folder is in no repository, or ignored by one, as in an environment's packages.
    """
    tracked = _git(folder, "ls-files", "--error-unmatch", "claim.py") is not None
    commit, changes = (_git(folder, *words) if tracked else None for words in _QUESTIONS)
    return None if commit is None or changes is None else f"{commit}-dirty" if changes else commit


def _git(folder: Path, *words: str) -> str | None:
    try:
        asked = ["git", "-C", str(folder), *words]
        done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
