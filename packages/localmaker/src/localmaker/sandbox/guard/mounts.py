"""The job's own view of the file system: a private ``/opt/ml``, ``/tmp`` and home, the rest read-only.

``/opt`` becomes a new tmpfs that the original entries of ``/opt`` are mounted into, so that no ``/opt/ml`` has to exist
on the machine. The job's Python environment is an overlay whose changes are discarded.
"""
# Importing pathlib or contextlib takes longer than everything done here, and every job would wait for it.
# ruff: noqa: PTH102, PTH103, PTH110, PTH112, PTH115, PTH118, PTH120, PTH211

from __future__ import annotations

import os
import sys
from os.path import exists, isdir, join

from localmaker.sandbox.guard.system import (
    BIND,
    PRIVATE,
    READ_ONLY,
    RECURSIVE,
    REMOUNT,
    allow_writing,
    change_mount,
    mount,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the job gets its own


def prepare_mounts(specification: dict[str, Any]) -> list[int]:
    """Stage every mount below ``scratch``, make the machine's files read-only, then move the staged mounts into place.

    The order matters: staged mounts take their sources from the unchanged machine, and ``scratch`` itself may lie below
    a path that is replaced.

    Returns:
        Descriptors of the new file systems that are held in memory.

    Raises:
        OSError: a mount is refused.
    """
    scratch: str = specification["scratch"]
    size = f"size={specification['memory_bytes']}"
    mount("none", "/", None, RECURSIVE | PRIVATE)
    mount("tmpfs", scratch, "tmpfs", 0, f"mode=755,{size}")
    in_memory = [os.open(scratch, os.O_PATH | os.O_DIRECTORY)]
    overlays = [
        (lower, _stage_overlay(join(scratch, str(number)), lower, specification["isolation"]))
        for number, lower in enumerate(specification["overlays"])
    ]
    opt = _stage_opt(join(scratch, "opt"), specification["opt"])
    # Outer paths first: a home directory may lie below /tmp.
    replaced = sorted((path, directory) for path, directory in specification["replaced"])
    _keep_reachable(specification["kept"], replaced)
    _lock_machine()
    _place_overlays(overlays, replaced)
    for path, file in specification["files"]:
        if exists(path):
            _bind(file, path)
    mount(opt, "/opt", None, BIND | RECURSIVE)
    for name in specification["opt"]:
        allow_writing(join("/opt", name), below=True)
    for path in specification["read_only"]:
        mount(path, path, None, BIND | RECURSIVE)
        change_mount(path, read_only=True, below=True)
    if isdir(_SHARED_MEMORY):
        mount("tmpfs", _SHARED_MEMORY, "tmpfs", 0, f"mode=1777,{size}")
        in_memory.append(os.open(_SHARED_MEMORY, os.O_PATH | os.O_DIRECTORY))
    _replace(replaced)
    return in_memory


def _bind(source: str, target: str) -> None:
    if isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
    mount(source, target, None, BIND | RECURSIVE)


def _below(path: str, folder: str) -> str | None:
    """Return a path relative to a folder ("" for the folder itself); None where it lies elsewhere."""
    if path == folder:
        return ""
    start = folder.rstrip("/") + "/"
    return path[len(start) :] if path.startswith(start) else None


def _keep_reachable(kept: list[str], replaced: list[tuple[str, str]]) -> None:
    for path, directory in replaced:
        for inner, _ in replaced:
            if inner != path and (rest := _below(inner, path)) is not None:
                os.makedirs(join(directory, rest), exist_ok=True)
        for reachable in kept:
            if (rest := _below(reachable, path)) is not None:
                _bind(reachable, join(directory, rest))


def _place_overlays(overlays: list[tuple[str, str]], replaced: list[tuple[str, str]]) -> None:
    """Mount each overlay at its own path, and again where that path is kept below a replaced one."""
    for lower, merged in overlays:
        inside = [join(directory, rest) for path, directory in replaced if (rest := _below(lower, path)) is not None]
        for target in (lower, *inside):
            mount(merged, target, None, BIND | RECURSIVE)
            allow_writing(target, below=True)


def _replace(replaced: list[tuple[str, str]]) -> None:
    # Mounting one path may hide the directory of the next one: open all of them first.
    held = [(path, os.open(directory, os.O_PATH | os.O_DIRECTORY)) for path, directory in replaced]
    for path, descriptor in held:
        mount(f"/proc/self/fd/{descriptor}", path, None, BIND | RECURSIVE)
        allow_writing(path, below=False)  # mounts below it keep their state
        os.close(descriptor)


def _lock_machine() -> None:
    """Make the machine's files read-only: a job may read them, as it could read its image."""
    try:
        change_mount("/", read_only=True, below=True)
    except OSError as error:
        print(f"the machine's files remain writable for this job: {error}", file=sys.stderr)


def _stage_opt(staged: str, opt: dict[str, str]) -> str:
    os.mkdir(staged)
    for entry in os.scandir("/opt"):
        if entry.name in opt:
            continue
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), join(staged, entry.name))
        else:
            _bind(entry.path, join(staged, entry.name))
    for name, directory in opt.items():
        _bind(directory, join(staged, name))
    return staged


def _stage_overlay(staged: str, lower: str, isolation: str) -> str:
    """Mount an overlay over a directory; where the kernel refuses it, the directory itself, read-only."""
    upper, work, merged = (join(staged, name) for name in ("upper", "work", "merged"))
    for folder in (staged, upper, work, merged):
        os.mkdir(folder)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    if isolation == "user":
        options += ",userxattr"
    try:
        mount("overlay", merged, "overlay", 0, options)
    except OSError:
        mount(lower, merged, None, BIND)
        mount("none", merged, None, BIND | REMOUNT | READ_ONLY)
    return merged
