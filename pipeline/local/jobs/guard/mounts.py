"""The job's own view of the file system: a private ``/opt/ml``, ``/tmp`` and home, the rest read-only.

``/opt`` becomes a new tmpfs into which everything that ``/opt`` had is bound back, so that no ``/opt/ml`` has to exist
on the machine. The job's Python environment is an overlay whose changes vanish.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from pipeline.local.jobs.guard.system import (
    BIND,
    PRIVATE,
    READ_ONLY,
    RECURSIVE,
    REMOUNT,
    allow_writing,
    change_mount,
    mount,
)


def _bind(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount(source, target, None, BIND | RECURSIVE)


def prepare_mounts(specification: dict[str, Any]) -> list[int]:
    """Stage everything below ``scratch``, lock the machine's files, then put what was staged in its place.

    In that order: what is staged takes its sources from the machine as it was, and ``scratch`` itself may lie below
    a path that is replaced.

    Returns:
        Descriptors of the new file systems that live in memory.

    Raises:
        OSError: a mount is refused.
    """
    scratch = Path(specification["scratch"])
    mount("none", Path("/"), None, RECURSIVE | PRIVATE)
    mount("tmpfs", scratch, "tmpfs", 0, f"mode=755,size={specification['memory_bytes']}")
    in_memory = [os.open(scratch, os.O_PATH | os.O_DIRECTORY)]
    kept = [Path(path) for path in specification["kept"]]
    overlays = [
        (Path(lower), _stage_overlay(scratch / str(number), lower, specification["isolation"]))
        for number, lower in enumerate(specification["overlays"])
    ]
    opt = _stage_opt(scratch / "opt", {name: Path(path) for name, path in specification["opt"].items()})
    # Outer ones first: a home directory may lie below /tmp.
    replaced = sorted((Path(path), Path(directory)) for path, directory in specification["replaced"])
    _keep_reachable(kept, replaced)
    _lock_machine()
    _place_overlays(overlays, replaced)
    for path, file in specification["files"]:
        if Path(path).exists():
            _bind(Path(file), Path(path))
    mount(opt, Path("/opt"), None, BIND | RECURSIVE)
    for name in specification["opt"]:
        allow_writing(Path("/opt") / name, below=True)
    if Path("/dev/shm").is_dir():  # noqa: S108 - the job gets one of its own
        mount("tmpfs", Path("/dev/shm"), "tmpfs", 0, f"mode=1777,size={specification['memory_bytes']}")  # noqa: S108
        in_memory.append(os.open("/dev/shm", os.O_PATH | os.O_DIRECTORY))  # noqa: S108
    _replace(replaced)
    return in_memory


def _keep_reachable(kept: list[Path], replaced: list[tuple[Path, Path]]) -> None:
    for path, directory in replaced:
        for inner, _ in replaced:
            if inner != path and inner.is_relative_to(path):
                (directory / inner.relative_to(path)).mkdir(parents=True, exist_ok=True)
        for reachable in kept:
            if reachable.is_relative_to(path):
                _bind(reachable, directory / reachable.relative_to(path))


def _place_overlays(overlays: list[tuple[Path, Path]], replaced: list[tuple[Path, Path]]) -> None:
    """Each at its own path, and again where that path is kept inside a replaced one."""
    for lower, merged in overlays:
        inside = [directory / lower.relative_to(path) for path, directory in replaced if lower.is_relative_to(path)]
        for target in (lower, *inside):
            mount(merged, target, None, BIND | RECURSIVE)
            allow_writing(target, below=True)


def _replace(replaced: list[tuple[Path, Path]]) -> None:
    # One replaced path may hide the directory that belongs to the next: hold on to all of them first.
    held = [(path, os.open(directory, os.O_PATH | os.O_DIRECTORY)) for path, directory in replaced]
    for path, descriptor in held:
        mount(f"/proc/self/fd/{descriptor}", path, None, BIND | RECURSIVE)
        allow_writing(path, below=False)  # what is kept inside stays as it is
        os.close(descriptor)


def _lock_machine() -> None:
    """A job may read the machine, as it could read its image, but not change it."""
    try:
        change_mount(Path("/"), read_only=True, below=True)
    except OSError as error:
        print(f"the machine's files stay writable for this job: {error}", file=sys.stderr)


def _stage_opt(staged: Path, opt: dict[str, Path]) -> Path:
    staged.mkdir()
    for entry in Path("/opt").iterdir():
        if entry.name in opt:
            continue
        if entry.is_symlink():
            (staged / entry.name).symlink_to(entry.readlink())
        else:
            _bind(entry, staged / entry.name)
    for name, directory in opt.items():
        _bind(directory, staged / name)
    return staged


def _stage_overlay(staged: Path, lower: str, isolation: str) -> Path:
    """An overlay over a directory; where the kernel refuses one, the directory itself, read-only."""
    for name in ("upper", "work", "merged"):
        (staged / name).mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={staged / 'upper'},workdir={staged / 'work'}"
    if isolation == "user":
        options += ",userxattr"
    try:
        mount("overlay", staged / "merged", "overlay", 0, options)
    except OSError:
        mount(lower, staged / "merged", None, BIND)
        mount("none", staged / "merged", None, BIND | REMOUNT | READ_ONLY)
    return staged / "merged"
