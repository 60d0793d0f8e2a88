"""What ``projects.toml`` says: which projects there are, how each is run, and what should come of it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """A public repository at one commit."""

    repository: str
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]

    @property
    def url(self) -> str:
        """Return where the commit can be looked at."""
        return f"https://github.com/{self.repository}/tree/{self.commit}"


class Data(_Strict):
    """A table that projects read: from one of the sources, or from a generator in ``generators.py``."""

    origin: str
    source: str | None = None
    path: str | None = None
    generator: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Data:
        if (self.generator is None) == (self.source is None) or (self.source is None) != (self.path is None):
            raise ValueError("data have either a source and a path in it, or a generator")
        return self


class Change(_Strict):
    """A text of a file of the project that is replaced before the run, and why."""

    file: str
    find: str
    replace: str
    why: str


class Skip(_Strict):
    """Cells of the notebook that are left out, counted from 0, and why."""

    cells: tuple[int, ...]
    why: str


class Execution(_Strict):
    """What an execution should end as: steps that succeed, steps that fail as their author means them to."""

    status: str = "Succeeded"
    steps: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    #: What may be instead, where the project draws lots.
    otherwise: Execution | None = None

    def matches(self, status: str, steps: Mapping[str, str]) -> bool:
        """Return whether an execution ended like this; ``steps`` maps names to states.

        Names that the SDK makes unique with a UUID are given up to the last dash, with ``*`` in its place.
        """
        expected = [*((name, "Succeeded") for name in self.steps), *((name, "Failed") for name in self.failed)]
        names = [name for name, _ in expected]
        found = sorted((_same(name, names), state) for name, state in steps.items())
        if status == self.status and found == sorted(expected):
            return True
        return self.otherwise is not None and self.otherwise.matches(status, steps)


def _same(name: str, expected: Sequence[str]) -> str:
    return next((one for one in expected if one.endswith("*") and name.startswith(one[:-1])), name)


class Project(_Strict):
    """One project, or the part of a repository that makes pipelines of its own.

    Attributes:
        id: short name, unique; ``--only`` takes it.
        name: what the table calls it.
        source: key of its source.
        path: folder in the repository that is copied.
        python: version of Python that its own set-up names, or one that its SDK supports.
        requirements: what its own set-up installs; ``.`` is the project itself.
        notebook: notebook in ``path`` whose cells are the program.
        commands: programs otherwise, run one after the other in ``path``.
        environment: variables that its own build sets.
        buckets: buckets that its set-up outside the pipeline makes.
        objects: S3 objects it reads that AWS or its set-up provides, as ``bucket/key`` to a key of the data.
        files: files it reads that are not in its repository.
        images: image table beside the manifest, for images that the endpoint does not ship.
        changes: what was changed, and why.
        skip: which cells are left out.
        execution: its executions in order of their start.
        jobs: how many jobs of each kind complete outside of executions.
        refused: words by which the endpoint refuses it.
        not_run: why it cannot be run at all.
        reason: for a refused one, what the table says.
    """

    id: str
    name: str
    source: str
    path: str
    python: str = "3.10"
    requirements: tuple[str, ...] = ("sagemaker<3",)
    notebook: str | None = None
    commands: tuple[tuple[str, ...], ...] = ()
    environment: dict[str, str] = {}
    buckets: tuple[str, ...] = ()
    objects: dict[str, str] = {}
    files: dict[str, str] = {}
    images: str | None = None
    changes: tuple[Change, ...] = ()
    skip: Skip | None = None
    execution: tuple[Execution, ...] = ()
    jobs: dict[str, int] = {}
    refused: str | None = None
    not_run: str | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _runs_somehow(self) -> Project:
        if self.not_run is None and (self.notebook is None) == (not self.commands):
            raise ValueError(f"{self.id}: a project has either a notebook or commands, or says why it is not run")
        if (self.refused is None) != (self.reason is None):
            raise ValueError(f"{self.id}: a refused project has a reason, and only such a one")
        return self


class Manifest(_Strict):
    """All of ``projects.toml``."""

    sources: dict[str, Source]
    data: dict[str, Data]
    project: tuple[Project, ...]

    @model_validator(mode="after")
    def _names_exist(self) -> Manifest:
        for project in self.project:
            unknown = {*project.objects.values(), *project.files.values()} - set(self.data)
            if project.source not in self.sources or unknown:
                raise ValueError(f"{project.id}: unknown source {project.source} or data {sorted(unknown)}")
        names = [project.id for project in self.project]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"more than one project is called {', '.join(sorted(repeated))}")
        return self


def read_manifest(file: Path) -> Manifest:
    """Return the manifest.

    Raises:
        pydantic.ValidationError: something in it is not as described here.
    """
    return Manifest.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
