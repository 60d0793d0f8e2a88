"""The wheels that jobs install what the image lacks from, in the artifacts bucket, under the SHA-256 of their lock."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from analysis.runtime.project import NAME
from pipeline.aws.clients import Aws
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.errors import DeploymentError
from pipeline.step_code import Lock

# Metadata of each object.
_SHA256 = "sha256"
_LOCKED = "as locked"
# The image is Amazon Linux 2023 (glibc 2.34) on x86_64 with CPython 3.12.
_GLIBC = ("2_34", "2_28", "2_27", "2_24", "2_17", "2_12", "2_5")
_PLATFORM = ["--implementation=cp", "--python-version=3.12", *(f"--platform=manylinux_{one}_x86_64" for one in _GLIBC)]
_QUIETLY = ["--quiet", "--disable-pip-version-check", "--no-input"]
_DOWNLOAD = ["-m", "pip", "download", *_QUIETLY, "--no-deps", "--require-hashes", "--only-binary=:all:"]


@dataclass(frozen=True)
class Wheels(Resource):
    """One wheel for each pin of the lock; those of earlier locks stay, since running executions install them.

    Its name is the prefix of its objects; each object says its SHA-256 in its metadata.
    """

    kind = "wheels"
    bucket: str
    lock: Lock

    def _desired(self) -> State:
        return dict.fromkeys(self.lock.pins, _LOCKED)

    def _describe(self, aws: Aws) -> dict[str, str] | None:
        pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.name}/")
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        heads = {key: aws.s3.head_object(Bucket=self.bucket, Key=key) for key in keys}
        return {key: head["Metadata"].get(_SHA256, "unknown") for key, head in heads.items()} or None

    def _state(self, aws: Aws, found: Any) -> State:
        digests = {pin_of(key): digest for key, digest in found.items()}
        return {
            pin: _LOCKED if digest in self.lock.pins.get(pin, ()) else f"another file, {digest}"
            for pin, digest in digests.items()
        }

    def create(self, aws: Aws) -> None:
        """Get every wheel and upload it."""
        self._put(aws, self.lock.pins)

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        self._put(aws, differences)

    def _put(self, aws: Aws, pins: Iterable[str]) -> None:
        for wheel in fetched({pin: self.lock.pins[pin] for pin in pins}):
            metadata = {_SHA256: _digest(wheel)}
            key = f"{self.name}/{wheel.name}"
            aws.s3.put_object(Bucket=self.bucket, Key=key, Body=wheel.read_bytes(), Metadata=metadata)

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        if keep_data:
            return Removal.HOLDS_DATA
        for key in found:
            aws.s3.delete_object(Bucket=self.bucket, Key=key)
        return Removal.REMOVED


def pin_of(key: str) -> str:
    """Return ``name==version`` of a wheel by its file name."""
    name, _, rest = key.rpartition("/")[2].partition("-")
    return f"{re.sub(r'[-_.]+', '-', name).lower()}=={rest.partition('-')[0]}"


def fetched(pins: Mapping[str, frozenset[str]]) -> list[Path]:
    """Return the wheels of pins for the image's platform: from the cache, else from the index that pip is set up for.

    Args:
        pins: ``name==version`` → SHA-256 of its files; a file with another one is never returned.

    Raises:
        DeploymentError: pip can't get one of them.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / NAME / "wheels"
    cache.mkdir(parents=True, exist_ok=True)
    missing = {pin: digests for pin, digests in pins.items() if _cached(cache, pin, digests) is None}
    if missing:
        _download(missing, cache)
    found = {pin: _cached(cache, pin, digests) for pin, digests in pins.items()}
    if absent := [pin for pin, wheel in found.items() if wheel is None]:
        raise _unfetched(absent, "pip brought other files than the lock names")
    return [wheel for wheel in found.values() if wheel is not None]


def _cached(cache: Path, pin: str, digests: frozenset[str]) -> Path | None:
    wheels = (wheel for wheel in cache.glob("*.whl") if pin_of(wheel.name) == pin)
    return next((wheel for wheel in wheels if _digest(wheel) in digests), None)


def _download(pins: Mapping[str, frozenset[str]], cache: Path) -> None:
    with TemporaryDirectory(dir=cache) as folder:
        requirements = Path(folder) / "requirements.txt"
        lines = [" ".join([pin, *(f"--hash=sha256:{one}" for one in sorted(all_))]) for pin, all_ in pins.items()]
        requirements.write_text("\n".join(lines), encoding="utf-8")
        command = [sys.executable, *_DOWNLOAD, *_PLATFORM, "--dest", folder, "-r", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = done.stderr.partition("ERROR: ")[2] or done.stderr or f"pip ended with {done.returncode}"
            raise _unfetched(pins, " ".join(said.replace("ERROR: ", "").split()))
        for wheel in Path(folder).glob("*.whl"):
            wheel.replace(cache / wheel.name)


def _unfetched(pins: Iterable[str], why: str) -> DeploymentError:
    return DeploymentError(
        f"The wheels of {', '.join(pins)} for the image's platform could not be fetched: {why}",
        hint=f"Check that pip reaches a package index (python -m pip config list), then repeat {NAME} deploy; "
        "`make lock` renews a lock that is out of date.",
    )


def _digest(wheel: Path) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()
