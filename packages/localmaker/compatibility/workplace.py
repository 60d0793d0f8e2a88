"""Give a project what it needs before it runs: its sources, its data, its environment."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from uv import find_uv_bin

from compatibility import generators
from compatibility.manifest import Change, Data, Manifest, Project, Source

_BUILDING = Lock()
#: What executes notebooks, beside what the project itself installs.
_NOTEBOOK_PACKAGES = ("ipykernel", "nbclient", "nbformat")


class MissingSourceError(Exception):
    """The folder of sources has no such repository, commit or path."""


class ChangeError(Exception):
    """A change does not apply: its text is not in the file exactly once."""


def read_from(source: Source, path: str, sources: Path) -> bytes:
    """Return a tar archive of a path of a repository at its commit.

    Raises:
        MissingSourceError: it is not there.
    """
    repository = sources / source.repository
    command = ["git", "-C", str(repository), "archive", f"{source.commit}:{path}" if path else source.commit]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0 or not done.stdout:
        said = done.stderr.decode(errors="replace").strip()
        raise MissingSourceError(
            f"{repository} has no {path or 'tree'} at {source.commit}: {said}; "
            f"clone https://github.com/{source.repository} there"
        )
    return done.stdout


def lay_out(project: Project, manifest: Manifest, sources: Path, folder: Path) -> Path:
    """Copy a project into a folder, with its changes and files, and return where it is.

    Raises:
        MissingSourceError: its source is not there.
        ChangeError: a change does not apply.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = read_from(manifest.sources[project.source], project.path, sources)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    for change in project.changes:
        _apply(change, folder / change.file)
    for name, key in project.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(contents(manifest.data[key], manifest, sources))
    return folder


def _apply(change: Change, file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if text.count(change.find) != 1:
        raise ChangeError(f"{change.find!r} is {text.count(change.find)} times in {file}; a change needs it once")
    file.write_text(text.replace(change.find, change.replace), encoding="utf-8")


def contents(data: Data, manifest: Manifest, sources: Path) -> bytes:
    """Return the bytes of a table."""
    if data.generator is not None:
        generate: Callable[[], bytes] = getattr(generators, data.generator)
        return generate()
    parent, _, name = (data.path or "").rpartition("/")
    archive = read_from(manifest.sources[data.source or ""], parent, sources)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        file = tar.extractfile(name)
        if file is None:
            raise MissingSourceError(f"{data.path} is not a file")
        return file.read()


def place_objects(s3: Any, project: Project, manifest: Manifest, sources: Path) -> None:
    """Create the buckets and objects that a project expects to find."""
    owned = set(project.buckets)
    for bucket in project.buckets:
        s3.create_bucket(Bucket=bucket)
    for address, key in project.objects.items():
        bucket, _, name = address.partition("/")
        if bucket not in owned:
            s3.create_bucket(Bucket=bucket)
            owned.add(bucket)
        s3.put_object(Bucket=bucket, Key=name, Body=contents(manifest.data[key], manifest, sources))


def environment_for(project: Project, folder: Path, cache: Path, run: Callable[..., None]) -> Path:
    """Return the Python of an environment with what a project's own set-up installs; it is built once.

    Args:
        project: the project.
        folder: where it has been copied to.
        cache: where environments are kept.
        run: runs a command and keeps what it says.
    """
    place = cache / environment_name(project, folder)
    python = place / "bin" / "python"
    with _BUILDING:
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            uv = find_uv_bin()
            run([uv, "venv", "--quiet", "--python", project.python, str(place)], folder)
            run([uv, "pip", "install", "--quiet", "--python", str(python), *_options(_wanted(project))], folder)
            (place / "complete").touch()
    return python


def environment_name(project: Project, folder: Path) -> str:
    """Return a name that tells environments apart by what is in them: also by files that are installed or are read."""
    wanted = _wanted(project)
    named = [folder / one.split(" ", 1)[1] for one in wanted if one.startswith("-r ")]
    own = [path for path in folder.rglob("*") if path.is_file()] if "." in wanted else []
    told = hashlib.sha256("\n".join(wanted).encode())
    for file in sorted({*named, *own}):
        told.update(f"\n{file.relative_to(folder)}\n".encode() + file.read_bytes())
    return f"{project.python}-{told.hexdigest()[:16]}"


def _wanted(project: Project) -> list[str]:
    return [*project.requirements, *(_NOTEBOOK_PACKAGES if project.notebook else ())]


def _options(wanted: list[str]) -> list[str]:
    return [part for one in wanted for part in (one.split(" ", 1) if one.startswith("-r ") else [one])]


def variables(project: Project, python: Path, home: Path, endpoint: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a project's programs: nothing of this machine's but the path."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "VIRTUAL_ENV": str(python.parents[1]),
        **{name: value for name, value in os.environ.items() if re.fullmatch(r"UV_.*|PIP_.*|.*_PROXY|SSL_.*", name)},
        **endpoint,
        **project.environment,
    }
