"""Starts one job's process in its own view of the machine. Run as a program; standard library only.

The endpoint does not import it but starts it (``python -I -S launcher.py``). It reads a JSON specification from
standard input and becomes the guardian of one process tree::

    launcher ── waits for ── init (first process of its own PID namespace) ── waits for ── the job's command

The namespaces make ``/opt/ml`` private: ``/opt`` becomes a new tmpfs into which everything that ``/opt`` had is bound
back, so that no ``/opt/ml`` has to exist on the machine. ``/tmp``, the home directory and ``/dev/shm`` are private
too, the job's Python environment is an overlay whose changes vanish, and the rest of the machine is read-only. When
init ends, the kernel kills whatever the job left behind; when the launcher or the endpoint dies, so does init.

The specification (``sandbox.py`` writes it):

=============== ====================================================================================================
``command``     argument list of the job
``environment`` its complete environment
``directory``   its working directory, as the job sees it
``isolation``   ``root``, ``user`` (namespaces inside an unprivileged user namespace) or ``none``
``scratch``     an empty directory for the mounts made here
``opt``         name → directory on the machine; appears as ``/opt/<name>``
``replaced``    [path, directory]: the path is replaced by the writable directory (``/tmp``, the home directory)
``kept``        directories that must stay reachable although a replaced path would hide them
``overlays``    directories (all of them in ``kept``) that the job may change without changing them for anyone else
``files``       [path, file]: single files bound over others (``/etc/hosts``)
``host_name``   host name that the job sees
``network``     false: a loopback of its own and nothing else
``parent``      process id of the endpoint
``status_fd``   where a failure to start is written; closed when the job's command runs
``life_fd``     never written to, and not inherited by the job: its end tells the endpoint that the tree has ended
=============== ====================================================================================================

Signals: TERM goes to the job's process group, USR1 kills it. Exit status: the job's own, or 128 plus the number of the
signal that ended it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import platform
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _ATTR_RDONLY = 442, -100, 0x8000, 1
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_SETUP_FAILED, _NOT_STARTED = 125, 127

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user_namespace", ctypes.c_uint64),
    )


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: Path | str, target: Path, kind: str | None, flags: int, options: str | None = None) -> None:
    arguments = [None if value is None else os.fsencode(value) for value in (source, target, kind, options)]
    result = _libc.mount(arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[3])
    _check(result, f"mount {source} on {target}")


def _change_mount(path: Path, *, read_only: bool, below: bool) -> None:
    """Change the mount at a path, and all mounts below it if asked. Needs Linux 5.12."""
    attributes = _MountAttributes(_ATTR_RDONLY if read_only else 0, 0 if read_only else _ATTR_RDONLY, 0, 0)
    flags = _AT_RECURSIVE if below else 0
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), flags, ctypes.byref(attributes), ctypes.sizeof(attributes)
    )
    _check(result, f"make {path} {'read-only' if read_only else 'writable'}")


def _allow_writing(path: Path, *, below: bool) -> None:
    try:
        _change_mount(path, read_only=False, below=below)
    except OSError:
        if not os.access(path, os.W_OK):
            raise


def _bind(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    _mount(source, target, None, _MS_BIND | _MS_REC)


def _die_with_parent(parent: int) -> None:
    """Be killed when the thread that started this process ends, which a killed endpoint's threads do."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(_SETUP_FAILED)


def _enter_namespaces(specification: dict[str, Any]) -> None:
    flags = _CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID
    if not specification["network"]:
        flags |= _CLONE_NEWNET
    user, group = os.geteuid(), os.getegid()
    if specification["isolation"] == "user":
        flags |= _CLONE_NEWUSER
    _check(_libc.unshare(flags), "unshare")
    if specification["isolation"] == "user":
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _prepare_mounts(specification: dict[str, Any]) -> None:
    """Stage everything below ``scratch``, lock the machine's files, then put what was staged in its place.

    In that order: what is staged takes its sources from the machine as it was, and ``scratch`` itself may lie below
    a path that is replaced.
    """
    scratch = Path(specification["scratch"])
    _mount("none", Path("/"), None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", scratch, "tmpfs", 0, "mode=755")
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
    _mount(opt, Path("/opt"), None, _MS_BIND | _MS_REC)
    for name in specification["opt"]:
        _allow_writing(Path("/opt") / name, below=True)
    if Path("/dev/shm").is_dir():  # noqa: S108 - the job gets one of its own
        _mount("tmpfs", Path("/dev/shm"), "tmpfs", 0, "mode=1777")  # noqa: S108
    _replace(replaced)


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
            _mount(merged, target, None, _MS_BIND | _MS_REC)
            _allow_writing(target, below=True)


def _replace(replaced: list[tuple[Path, Path]]) -> None:
    # One replaced path may hide the directory that belongs to the next: hold on to all of them first.
    held = [(path, os.open(directory, os.O_PATH | os.O_DIRECTORY)) for path, directory in replaced]
    for path, descriptor in held:
        _mount(f"/proc/self/fd/{descriptor}", path, None, _MS_BIND | _MS_REC)
        _allow_writing(path, below=False)  # what is kept inside stays as it is
        os.close(descriptor)


def _lock_machine() -> None:
    """A job may read the machine, as it could read its image, but not change it."""
    try:
        _change_mount(Path("/"), read_only=True, below=True)
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
        _mount("overlay", staged / "merged", "overlay", 0, options)
    except OSError:
        _mount(lower, staged / "merged", None, _MS_BIND)
        _mount("none", staged / "merged", None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY)
    return staged / "merged"


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def _become_job(specification: dict[str, Any]) -> None:
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    if platform.system() == "Linux":
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.chdir(specification["directory"])
    for descriptor in ("status_fd", "life_fd"):
        os.set_inheritable(specification[descriptor], False)
    command: list[str] = specification["command"]
    os.execvpe(command[0], command, specification["environment"])  # noqa: S606 - an argument list, no shell


def _guard(specification: dict[str, Any]) -> int:
    """Start the command, pass signals on, collect every orphan, return the command's exit status."""
    job = os.fork()
    if job == 0:
        try:
            _become_job(specification)
        except OSError as error:
            _report(specification, f"exec: {specification['command'][0]}: {error.strerror}")
        os._exit(_NOT_STARTED)
    os.close(specification["status_fd"])

    def forward(number: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
            os.killpg(job, signal.SIGKILL if number == signal.SIGUSR1 else number)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGUSR1, forward)
    while True:
        pid, status = os.wait()
        if pid == job:
            return _exit_code(status)


def _run_as_init(specification: dict[str, Any]) -> int:
    """First process of the new PID namespace. Its parent lies outside, so the parent's id reads as 0."""
    _die_with_parent(0)
    try:
        _prepare_mounts(specification)
        with contextlib.suppress(OSError):  # in a container with a masked /proc the job sees the outer process list
            _mount("proc", Path("/proc"), "proc", 0)
        host_name = specification["host_name"].encode()
        _check(_libc.sethostname(host_name, len(host_name)), "sethostname")
        if not specification["network"]:
            _bring_loopback_up()
    except OSError as error:
        _report(specification, f"sandbox: {error.strerror}")
        return _SETUP_FAILED
    return _guard(specification)


def _run_isolated(specification: dict[str, Any]) -> int:
    try:
        _enter_namespaces(specification)
    except OSError as error:
        _report(specification, f"sandbox: {error.strerror}")
        return _SETUP_FAILED
    init = os.fork()
    if init == 0:
        os._exit(_run_as_init(specification))
    os.close(specification["status_fd"])
    signal.signal(signal.SIGTERM, lambda number, _frame: os.kill(init, number))
    signal.signal(signal.SIGUSR1, lambda _number, _frame: os.kill(init, signal.SIGKILL))
    return _exit_code(os.waitpid(init, 0)[1])


def _run_plain(specification: dict[str, Any]) -> int:
    """Without namespaces: orphans become this process's children, where the system knows that, and are killed."""
    if platform.system() == "Linux":
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    code = _guard(specification)
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while children.exists() and (orphans := children.read_text().split()):
        for pid in orphans:
            os.kill(int(pid), signal.SIGKILL)
        for pid in orphans:
            os.waitpid(int(pid), 0)
    return code


def _report(specification: dict[str, Any], message: str) -> None:
    os.write(specification["status_fd"], message.encode(errors="replace")[:4000])


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _main() -> int:
    specification: dict[str, Any] = json.load(sys.stdin)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    if platform.system() == "Linux":
        _die_with_parent(specification["parent"])
    return _run_plain(specification) if specification["isolation"] == "none" else _run_isolated(specification)


if __name__ == "__main__":
    os._exit(_main())
