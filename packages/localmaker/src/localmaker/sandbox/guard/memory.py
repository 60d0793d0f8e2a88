"""The memory of a process tree and of the machine, in bytes, measured as cheaply as the answer allows."""

from __future__ import annotations

import os

from localmaker.sandbox.guard.tree import children, descendants, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from localmaker.sandbox.guard.tree import Tree

_PAGE = os.sysconf("SC_PAGE_SIZE")
_KIB = 1024


def process_bytes(proc: int, pids: Collection[str], limit: int, *, swapping: bool) -> dict[str, int]:
    """Return the memory of each process: exact where all of them exceed the limit, at least the true value otherwise.

    Private and shared memory counts, swapped or not; pages of files do not. What processes share counts once.

    Args:
        proc: descriptor of a ``/proc``.
        pids: the processes, by their names in it.
        limit: bytes.
        swapping: whether the machine has swapped anything.
    """
    # From cheap to exact. The first includes pages of files, the second counts what is shared for each process.
    sizes: dict[str, int] = {}
    for measure in (_without_files, _proportional) if swapping else (_resident, _without_files, _proportional):
        sizes = {pid: measure(proc, pid) for pid in pids}
        if sum(sizes.values()) <= limit:
            break
    return sizes


def machine_memory() -> tuple[int, bool]:
    """Return the memory that programs can still get without swapping, and whether anything is swapped."""
    values = _values(read_file("/proc/meminfo"), (b"MemAvailable", b"SwapTotal", b"SwapFree"))
    return values[b"MemAvailable"], values[b"SwapTotal"] != values[b"SwapFree"]


def kernel_kills() -> int:
    """Return how many processes of the machine the kernel has killed for lack of memory since it started."""
    for line in read_file("/proc/vmstat").splitlines():
        if line.startswith(b"oom_kill "):
            return int(line.split()[1])
    return 0


def is_largest_job(proc: int) -> bool:
    """Return whether no other job of this endpoint uses more memory than the one below this process.

    Args:
        proc: descriptor of the machine's ``/proc``.
    """
    own = os.getpid()
    sizes = {guard: _job_bytes(proc, guard) for guard in children(os.getppid(), proc)}
    return max(sizes, key=lambda guard: (sizes[guard], guard), default=own) == own


class MemoryFileSystems:
    """The file systems of a job that are held in memory: its ``/dev/shm``, the changes to its environment.

    Args:
        tree: the job's processes.
        directory: descriptor of the job's directory, which is on the disk.
    """

    def __init__(self, tree: Tree, directory: int) -> None:
        self._tree = tree
        self._disk_blocks = os.fstatvfs(directory).f_blocks
        self._found: dict[bytes, int] = {}
        self._mounts = b""

    def stored(self) -> int:
        """Return the bytes that they store now."""
        self._find()
        states = {os.fstatvfs(descriptor) for descriptor in self._found.values()}
        # Several mounts may show one file system: an overlay says what its upper layer stores.
        amounts = {(state.f_blocks, state.f_bfree, state.f_ffree): state.f_frsize for state in states}
        return sum((blocks - free) * size for (blocks, free, _), size in amounts.items())

    def _find(self) -> None:
        if self._tree.init is None:
            return
        try:
            mounts = read_file(f"{self._tree.init}/mountinfo", self._tree.proc)
            if mounts == self._mounts:
                return
            self._mounts = mounts
            machine = {line.split()[2] for line in read_file("/proc/self/mountinfo").splitlines()}
        except OSError:
            return
        for line in mounts.splitlines():
            fields, _, kind = line.partition(b" - ")
            device, path = fields.split()[2], fields.split()[4]
            if kind.split()[0] not in (b"tmpfs", b"overlay") or device in machine or device in self._found:
                continue
            descriptor = self._tree.open_inside(os.fsdecode(path))
            if descriptor is None:
                continue
            on_disk = os.fstatvfs(descriptor).f_blocks == self._disk_blocks
            if _device(os.fstat(descriptor).st_dev, b"%d:%d") == device and not on_disk:
                self._found[device] = descriptor
            else:
                os.close(descriptor)  # hidden by another mount, or an overlay that stores its changes on the disk


def _job_bytes(proc: int, guard: int) -> int:
    """Return the memory of all processes below a guard, whatever they say of themselves to the kernel."""
    return sum(_resident(proc, str(pid)) for pid in descendants(guard, proc))


def _resident(proc: int, pid: str) -> int:
    try:
        return int(read_file(f"{pid}/statm", proc).split(maxsplit=2)[1]) * _PAGE
    except OSError:
        return 0  # it has ended


def _without_files(proc: int, pid: str) -> int:
    try:
        return sum(_values(read_file(f"{pid}/status", proc), (b"RssAnon", b"RssShmem", b"VmSwap")).values())
    except OSError:
        return 0


def _proportional(proc: int, pid: str) -> int:
    try:
        found = _values(read_file(f"{pid}/smaps_rollup", proc), (b"Pss_Anon", b"Pss_Shmem", b"SwapPss"))
        if b"Pss_Anon" not in found:
            return _without_files(proc, pid)
        shared = _anonymous_shared(proc, pid) if found[b"Pss_Shmem"] else 0
    except OSError:
        return _without_files(proc, pid)  # 0 if it has ended
    return found[b"Pss_Anon"] + found[b"SwapPss"] + shared


def _anonymous_shared(proc: int, pid: str) -> int:
    """Return a process's part of the shared memory that is in no mounted file system (those are counted as a whole)."""
    descriptor = os.memfd_create("")
    device = _device(os.fstat(descriptor).st_dev, b"%02x:%02x")
    os.close(descriptor)
    total, counts = 0, False
    for line in read_file(f"{pid}/smaps", proc).splitlines():
        name, *values = line.split(maxsplit=5)
        if not name.endswith(b":"):
            counts = values[2] == device
        elif counts and name == b"Pss:":
            total += int(values[0]) * _KIB
    return total


def _device(number: int, written: bytes) -> bytes:
    return written % (os.major(number), os.minor(number))


def _values(text: bytes, names: tuple[bytes, ...]) -> dict[bytes, int]:
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(b":")
        if name in names:
            found[name] = int(value.split()[0]) * _KIB
    return found
