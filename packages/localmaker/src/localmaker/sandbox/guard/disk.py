"""What a job's directory takes of the machine's disk, without walking through it again and again.

The free space of the disk is asked for at each check, which is cheap. What has become used since the last walk bounds
what the job can have stored since; only when that could exceed a limit is its directory walked through, a few
milliseconds at a time. In case other programs free space meanwhile, it is also walked through now and then.
"""

# Importing pathlib or contextlib takes longer than everything done here, and every job would wait for it.
# ruff: noqa: PTH208

from __future__ import annotations

import errno
import os
import stat
import time

from localmaker.sandbox.guard.tree import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_STEP_SECONDS, _PAUSE_SECONDS = 0.005, 0.02
_CALM_SECONDS = 30.0
# A walk is followed by a pause of so many times its own duration.
_PAUSES_IF_CALM, _PAUSES_IF_SUSPECTED = 100, 4
_BLOCK = 512
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
# At most so fast does a disk fill, in bytes a second.
_BYTES_A_SECOND = 4 * 1024**3
_LONGEST_SECONDS = 1.0


class DiskWatch:
    """Compares the job's directory and the free space of its disk with the limits.

    Args:
        directory: descriptor of the job's directory.
        allowed: ``disk_bytes`` and ``files`` in it, ``disk_reserve_bytes`` that stay free.
    """

    def __init__(self, directory: int, allowed: dict[str, int]) -> None:
        self._directory = directory
        self._limit, self._most_files = allowed["disk_bytes"], allowed["files"]
        self._reserve = allowed["disk_reserve_bytes"]
        # What the last walk found, and what was used on the disk when it began.
        self._bytes = self._files = 0
        self._at_start = self._at_walk = used_and_free(self._directory)
        self._walk: Walk | None = None
        self._due_if_calm = self._due_if_suspected = 0.0

    def check(self, proc: int, pids: set[str]) -> tuple[str | None, float]:
        """Return the limit that is exceeded now, or None, and the seconds until the next check is due.

        Args:
            proc: descriptor of a ``/proc``.
            pids: the job's processes, by their names in it. Files that they deleted and still have open count.
        """
        now = time.monotonic()
        state = used_and_free(self._directory)
        most = self._bytes + max(0, state.used - self._at_walk.used)
        most_files = self._files + max(0, state.files - self._at_walk.files)
        suspected = most > self._limit or most_files > self._most_files or state.free < self._reserve
        if self._walk is None and now >= (self._due_if_suspected if suspected else self._due_if_calm):
            self._walk, self._at_walk = Walk(self._directory, proc, pids), state
        if self._walk is None:
            room = min(self._limit - most, state.free - self._reserve)
            return None, min(max(room / _BYTES_A_SECOND, _PAUSE_SECONDS), _LONGEST_SECONDS)
        if self._walk.go_on(_STEP_SECONDS):
            self._take(self._walk)
            self._walk = None
        return self._exceeded(state), _PAUSE_SECONDS

    def _take(self, walk: Walk) -> None:
        self._bytes, self._files = walk.bytes, walk.files
        if walk.refused:  # believe the disk
            self._bytes = max(self._bytes, self._at_walk.used - self._at_start.used)
        now = time.monotonic()
        self._due_if_suspected = now + _PAUSES_IF_SUSPECTED * walk.spent
        self._due_if_calm = now + max(_CALM_SECONDS, _PAUSES_IF_CALM * walk.spent)

    def _exceeded(self, state: DiskState) -> str | None:
        if self._bytes > self._limit:
            return "disk"
        if self._files > self._most_files:
            return "files"
        # A job that stores less than what is missing is not what fills the disk.
        missing = self._reserve - state.free
        return "machine_disk" if 0 < missing <= self._bytes else None


class DiskState:
    """What is used on a disk and free: bytes, files, bytes."""

    def __init__(self, used: int, files: int, free: int) -> None:
        self.used, self.files, self.free = used, files, free


def used_and_free(directory: int) -> DiskState:
    """Return the state of the disk that a directory lies on."""
    state = os.fstatvfs(directory)
    used = (state.f_blocks - state.f_bfree) * state.f_frsize
    return DiskState(used, state.f_files - state.f_ffree, state.f_bavail * state.f_frsize)


class Walk:
    """A walk through a directory on one disk, in short steps.

    Args:
        directory: descriptor of where it begins.
        proc: descriptor of a ``/proc``.
        pids: processes, by their names in it, whose deleted files count.
    """

    def __init__(self, directory: int, proc: int, pids: set[str]) -> None:
        #: What was found until now. Hard links count once.
        self.bytes = self.files = 0
        #: A directory could not be read, or a deleted file is mapped: something was not counted.
        self.refused = False
        self.spent = 0.0
        self._device = os.fstat(directory).st_dev
        self._linked: set[int] = set()
        self._steps = self._walk(directory, proc, pids)

    def go_on(self, seconds: float) -> bool:
        """Walk for some seconds; return whether the end was reached."""
        start = time.monotonic()
        while (took := time.monotonic() - start) < seconds:
            if next(self._steps, self) is self:
                self.spent += took
                return True
        self.spent += took
        return False

    def _walk(self, directory: int, proc: int, pids: set[str]) -> Iterator[None]:
        waiting = ["."]
        while waiting:
            path = waiting.pop()
            try:
                # The job may put a link in the place of a directory meanwhile.
                descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            except OSError as error:
                # It may be gone, or another thing be in its place. Whatever else it is (locked, too long a path, too
                # many open files), there may be something behind it.
                self.refused = self.refused or error.errno not in _GONE
                continue
            try:
                with os.scandir(descriptor) as entries:
                    for entry in entries:
                        if self._count(entry) and entry.is_dir(follow_symlinks=False):
                            waiting.append(f"{path}/{entry.name}")
                        yield
            finally:
                os.close(descriptor)
        for pid in pids:
            self._count_deleted(f"{pid}/fd", proc)
            self.refused = self.refused or self._maps_deleted(f"{pid}/maps", proc)
            yield

    def _count(self, entry: os.DirEntry[str]) -> bool:
        try:
            state = entry.stat(follow_symlinks=False)
        except OSError:
            return False
        if state.st_dev != self._device or state.st_ino in self._linked:
            return False
        if state.st_nlink > 1 and not stat.S_ISDIR(state.st_mode):
            self._linked.add(state.st_ino)
        self.files += 1
        self.bytes += state.st_blocks * _BLOCK
        return True

    def _maps_deleted(self, maps: str, proc: int) -> bool:
        """Return whether a process maps a deleted file of the disk, whose size only its mapping's owner knows."""
        device = b"%02x:%02x" % (os.major(self._device), os.minor(self._device))
        try:
            lines = read_file(maps, proc).splitlines()
        except OSError:
            return False  # it has ended
        return any(line.endswith(b" (deleted)") and line.split(maxsplit=4)[3] == device for line in lines)

    def _count_deleted(self, folder: str, proc: int) -> None:
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc)
        except OSError:
            return
        try:
            for name in os.listdir(descriptor):
                try:
                    state = os.stat(name, dir_fd=descriptor)
                except OSError:
                    continue  # it was closed
                if state.st_nlink == 0 and state.st_dev == self._device and state.st_ino not in self._linked:
                    self._linked.add(state.st_ino)
                    self.files += 1
                    self.bytes += state.st_blocks * _BLOCK
        except OSError:
            pass  # the process has ended
        finally:
            os.close(descriptor)
