"""Bring an environment back in an account that has nothing of it: from its repository, and from a backup.

Everything is looked at before anything is made: the whole backup, the repository, the account, and what is there
already. What was done stays done, so a restoration that was cut off goes on where it was.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from analysis.runtime.registry import in_use
from pipeline.aws.clients import Aws
from pipeline.datasets.shipped import declaration_file
from pipeline.errors import RecoveryError, SettingsError
from pipeline.recovery.features import restore_features
from pipeline.recovery.images import images_here
from pipeline.recovery.manifest import Manifest
from pipeline.recovery.notebook import is_of_server, reconnect
from pipeline.recovery.places import MANIFEST, Place, check, place_of, read_manifest
from pipeline.recovery.repository import Clone, clone, different_libraries
from pipeline.recovery.versions import present, restorable, restore_versions
from pipeline.results.registry import packages_of
from pipeline.settings.environment import Settings, load_settings
from pipeline.source_control.connection import Connection
from pipeline.source_control.credential import Credential

_CLEAN_COMMIT = re.compile(r"[0-9a-f]{40,64}")
#: Of another account by nature, or compared in another way.
_NOT_COMPARED = {"account_id", "region", "endpoint_url", "dataset"}
_CHANGES = 2


@dataclass(frozen=True)
class Request:
    """What is to be restored, and from where."""

    url: str
    environment: str
    ref: str | None = None
    artifacts: str | None = None
    owner: str | None = None
    folder: Path | None = None
    #: Of the repository's server, where git's own helpers have none.
    credential: Credential | None = None


@dataclass(frozen=True)
class Left:
    """Something that is not back: why, and what to do about it."""

    what: str
    why: str
    next: str

    def __str__(self) -> str:
        """Return it for people."""
        return f"{self.what}: {self.why}\n  → {self.next}"


@dataclass
class Outcome:
    """What came of it."""

    folder: str
    commit: str
    notes: list[str]
    #: Number that each version had → the one that it has.
    versions: dict[int, int] = field(default_factory=dict)
    in_use: int | None = None
    records: dict[str, int] = field(default_factory=dict)
    #: What was asked for and is not back.
    failed: list[Left] = field(default_factory=list)
    #: What a backup has not, or this one has not.
    not_included: list[Left] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return asdict(self)


class Restoration:
    """One restoration on its way."""

    def __init__(self, request: Request, report: Callable[[str], None]) -> None:
        """Read the backup, the repository and the account; nothing is made but the clone.

        Raises:
            RecoveryError: the backup is not whole, or the account has something that differs from it.
        """
        self._request, self._report = request, report
        if not re.fullmatch("[a-z0-9-]+", request.environment):
            raise SettingsError(f"{request.environment!r} is no name of an environment.", "Choose with --env.")
        self._place, self._manifest = self._backup()
        of_backup = self._manifest.git_commit if self._manifest else ""
        ref = request.ref or (of_backup if _CLEAN_COMMIT.fullmatch(of_backup) else None)
        folder = request.folder or Path(f"{_name_of(request.url)}-{request.environment}")
        self._clone = clone(request.url, ref, folder.absolute(), report, request.credential)
        self._aws = Aws(_settings(self._clone, request.environment))
        self._aws.check_account()
        self._images, image_notes = images_here(self._manifest, self._aws.settings)
        self.outcome = Outcome(str(self._clone.folder), self._clone.commit, [*self._notes(), *image_notes])

    def plan(self) -> list[str]:
        """Let the clone print its plan, and return what is done beside it, in lines.

        Raises:
            RecoveryError: there is no plan, or a version that the backup has not is in use.
        """
        self._code = self._clone.run("plan", "--env", self._request.environment)
        if self._code not in {0, _CHANGES}:
            raise RecoveryError(
                "The code of the repository makes no plan; see above.", "Fix that, or name another --ref."
            )
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        settings, manifest = self._aws.settings, self._manifest
        yield from self.outcome.notes
        yield f"Code: commit {self.outcome.commit} in {self.outcome.folder}"
        yield f"Account {settings.account_id}, {settings.region}, environment {settings.environment!r}"
        if manifest is not None:
            there = present(self._aws, manifest)
            for version in restorable(manifest):
                chosen = " and put in use" if version.number == manifest.in_use else ""
                state = "is there already" if version.number in there else f"is registered{chosen}"
                yield f"Version {version.number} ({version.properties.get('profile', 'unknown')}): {state}"
            for group in manifest.features or ():
                yield f"Features, {group.kind}: {len(group.files):,} files"
            if manifest.connection is not None:
                notebook = manifest.connection.notebook or "of the environment"
                yield f"Notebook {notebook!r}: is connected to {manifest.connection.url!r}"

    @property
    def needs_credential_for(self) -> str | None:
        """Return the URL that a notebook was connected to, if the request has no credential for its server."""
        connection = self._manifest.connection if self._manifest is not None else None
        return None if connection is None or self._credential_of(connection) else connection.url

    def _credential_of(self, connection: Connection) -> Credential | None:
        # Whoever has written the backup names the server: it gets what was given for it, and nothing else.
        return self._request.credential if is_of_server(connection.url, self._request.url) else None

    def make(self, credential: Credential | None = None) -> Outcome:
        """Deploy from the clone, then put back what the backup has; the credential is the connected repository's.

        Raises:
            RecoveryError: something could not be done; what was done stays.
        """
        again = "What was done stays: run the same command again."
        if self._code and self._clone.run("deploy", "--env", self._request.environment):
            raise RecoveryError("The deployment from the clone failed; see above.", again)
        settings, outcome = self._aws.settings, self.outcome
        if self._manifest is None or self._place is None:
            why = "no backup was named with --artifacts"
            training = f"s3://{settings.raw_bucket}/raw/training/"
            outcome.not_included.append(Left("Registered versions", why, f"Train anew: upload a file to {training}"))
        else:
            self._versions(self._place, self._manifest)
            self._features(self._place, self._manifest)
            self._connect(self._manifest, credential)
        why = "neither is part of a backup"
        upload = f"upload the files again: s3://{settings.raw_bucket}/raw/training/, …/raw/scoring/"
        outcome.not_included.append(Left("Uploaded files and predictions", why, upload))
        return outcome

    def _versions(self, place: Place, manifest: Manifest) -> None:
        outcome, settings = self.outcome, self._aws.settings
        outcome.versions = restore_versions(self._aws, place, manifest, self._images, self._report)
        chosen = in_use(packages_of(self._aws, settings.model_package_group_name))
        outcome.in_use = None if chosen is None else int(chosen["ModelPackageVersion"])
        restored = outcome.versions.get(manifest.in_use or 0)
        if restored is not None and restored != outcome.in_use:
            self._note(f"Version {restored} was in use, and is not here: somebody has decided since")
        approve = settings.command("model list")
        for version in manifest.versions:
            if version.number not in outcome.versions:
                gone = f"the backup has no {', '.join(version.absent)}: it was gone"
                outcome.failed.append(Left(f"Version {version.number}", gone, f"Choose another version: {approve}"))
            elif version.absent:
                gone = f"{', '.join(version.absent)} was gone when the backup was made; the version goes without"
                outcome.failed.append(Left(f"Files of version {version.number}", gone, f"Look at it: {approve}"))

    def _features(self, place: Place, manifest: Manifest) -> None:
        settings = self._aws.settings
        if manifest.features is None:
            again = f"upload the raw files again; next time: {settings.command('backup --features')}"
            self.outcome.not_included.append(Left("Features", "the backup was made without them", again))
        names = {"inputs": settings.inputs_group_name, "outcomes": settings.outcomes_group_name}
        for group in manifest.features or ():
            name = names[group.kind]
            written = restore_features(self._aws, place, group, name, self._report)
            self.outcome.records[name] = written or 0

    def _connect(self, manifest: Manifest, credential: Credential | None) -> None:
        if manifest.connection is None:
            return
        if role := manifest.connection.role_arn:
            self._note(f"Notebook: its role was {role}; it has one of its own now")
        credential = credential or self._credential_of(manifest.connection)
        left = reconnect(self._aws, manifest.connection, credential, self._request.environment)
        if left is not None:
            self.outcome.failed.append(Left("Connection to GitHub", *left))

    def _note(self, text: str) -> None:
        """Say what comes up after the plan, which has said the other notes."""
        self.outcome.notes.append(text)
        self._report(text)

    def _backup(self) -> tuple[Place | None, Manifest | None]:
        """Read the backup, and look at every file of it."""
        if self._request.artifacts is None:
            return None, None
        place = place_of(self._request.artifacts, _reader(self._request.environment), self._request.owner)
        manifest = read_manifest(place)
        if manifest is None:
            raise RecoveryError(
                f"There is no backup in {place.name}: {MANIFEST} is missing, which is written last.",
                "Correct the place; where a backup was cut off, use an earlier one.",
            )
        files = list(manifest.files())
        for number, file in enumerate(files, start=1):
            check(place, file)
            self._report(f"{place.name}: {number:,} of {len(files):,} files are whole")
        return place, manifest

    def _notes(self) -> Iterator[str]:
        """Say what differs from the backup, and from this machine."""
        settings, manifest = self._aws.settings, self._manifest
        yield from (f"Library: {line}" for line in different_libraries(self._clone.folder))
        if manifest is None:
            return
        origin = manifest.origin
        if origin.system != settings.system:
            raise RecoveryError(
                f"The backup is of {origin.system}, and {self._request.environment!r} of the repository is of "
                f"{settings.system}.",
                "Name the environment of that data set with --env.",
            )
        if manifest.git_commit != self._clone.commit:
            yield f"Commit: the backup was made of {manifest.git_commit}, and this is {self._clone.commit}"
        if manifest.declaration_sha256 != sha256(declaration_file(settings.dataset).read_bytes()).hexdigest():
            yield f"Declaration: {settings.dataset} is not the one that the backup was made of"
        here = dict(_flat(settings.model_dump(mode="json")))
        there = dict(_flat(manifest.settings))
        for name in sorted(here.keys() | there.keys()):
            if name not in _NOT_COMPARED and here.get(name) != there.get(name):
                yield f"Setting {name}: {there.get(name)!r} in the backup, {here.get(name)!r} in the repository"


def _settings(found: Clone, environment: str) -> Settings:
    file = found.folder / "pipeline" / "settings" / "environments" / f"{environment}.toml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in file.parent.glob("*.toml"))) or "none"
        raise SettingsError(f"The repository has no environment {environment!r}; it has {known}.", "Choose with --env.")
    settings = load_settings(environment, file)
    declaration = found.folder / "datasets" / f"{settings.dataset}.toml"
    return settings.model_copy(update={"dataset": str(declaration)}) if declaration.is_file() else settings


def _reader(environment: str) -> Aws:
    """Return what reads the backup, which comes before the settings of the repository."""
    try:
        return Aws(load_settings(environment))
    except SettingsError:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return Aws(Settings(environment="restore", account_id="0" * 12, region=region))


def _flat(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, values


def _name_of(url: str) -> str:
    """Return a name for the clone's folder, as git does."""
    last = re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")
    return re.sub(r"[^A-Za-z0-9._-]", "-", last).strip(".-") or "repository"


def in_words(outcome: Outcome) -> Sequence[str]:
    """Say what came of it, in lines."""
    moved = [f"version {old} is version {new} here" for old, new in outcome.versions.items() if old != new]
    lines = [f"{len(outcome.versions)} versions are registered" + "".join(f"; {one}" for one in moved)]
    lines += [] if outcome.in_use is None else [f"Version {outcome.in_use} is in use"]
    lines += [f"{name}: {count:,} records written" for name, count in outcome.records.items()]
    lines += [f"Not restored: {one}" for one in outcome.failed]
    return [*lines, *(f"Not in the backup: {one}" for one in outcome.not_included)]
