"""The guard's decisions: what a job may take on a machine, when to look again, what a directory takes of the disk."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localmaker.sandbox.guard.disk import DiskWatch, Walk
from localmaker.sandbox.guard.limits import seconds_until_next
from localmaker.sandbox.limits import Limits, Room, Settings, decide, explanation, failure_reason
from localmaker.services.sagemaker.jobs.data.trees import remove_tree

GIB = 1024**3
LIMITS = Limits(memory_bytes=4 * GIB, disk_bytes=8 * GIB, memory_reserve_bytes=GIB, disk_reserve_bytes=2 * GIB)
REASONS = ["memory", "machine_memory", "processes", "disk", "machine_disk", "files", "file_size"]


def test_defaults_are_of_what_is_free():
    limits = decide(Settings(), Room(16 * GIB, 5 * GIB), Room(500 * GIB, 60 * GIB), 1)
    assert (limits.memory_reserve_bytes, limits.memory_bytes) == (GIB, 4 * GIB)
    assert (limits.disk_reserve_bytes, limits.disk_bytes) == (10 * GIB, 50 * GIB)


def test_instances_share():
    limits = decide(Settings(), Room(16 * GIB, 5 * GIB), Room(500 * GIB, 60 * GIB), 2)
    assert (limits.memory_bytes, limits.disk_bytes) == (2 * GIB, 25 * GIB)


def test_settings_come_first():
    limits = decide(Settings(memory_bytes=7, disk_bytes=9), Room(16 * GIB, 5 * GIB), Room(500 * GIB, 60 * GIB), 3)
    assert (limits.memory_bytes, limits.disk_bytes) == (7, 9)


@given(st.integers(0, 1 << 45), st.floats(0, 1), st.integers(1, 20))
def test_a_full_machine_leaves_something_for_both(total, share, instances):
    room = Room(total, int(total * share))
    limits = decide(Settings(), room, room, instances)
    assert limits.memory_bytes >= 1
    assert limits.memory_reserve_bytes <= room.free / 2
    assert limits.memory_bytes == 1 or limits.memory_bytes * instances + limits.memory_reserve_bytes <= room.free


@given(st.integers(-GIB, 64 * GIB), st.integers(-10, 5000), st.floats(0, 1))
def test_watching_is_prompt_and_cheap(room, processes, took):
    wait = seconds_until_next(room, processes, took)
    assert wait >= 19 * took * 0.999
    assert 0.005 <= wait <= max(0.1, 19 * took)


def test_close_to_a_limit_it_looks_more_often():
    assert seconds_until_next(GIB // 16, 1000, 0) < seconds_until_next(GIB // 2, 1000, 0) == 0.0625


@pytest.mark.parametrize("reason", REASONS)
def test_every_limit_has_words(reason):
    assert failure_reason(reason, LIMITS).startswith("ClientError: ")
    assert explanation(reason, LIMITS).startswith("the job was killed: it ")


@pytest.fixture
def directory(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield tmp_path, descriptor
    os.close(descriptor)


def measure(descriptor, pids=frozenset()):
    proc = os.open("/proc", os.O_RDONLY)
    walk = Walk(descriptor, proc, pids)
    while not walk.go_on(0.001):
        pass
    os.close(proc)
    return walk


def test_directory_is_measured_as_the_disk_does(directory):
    path, descriptor = directory
    (path / "a" / "b").mkdir(parents=True)
    (path / "a" / "b" / "file").write_bytes(b"x" * 1_000_000)
    os.link(path / "a" / "b" / "file", path / "again")  # takes nothing
    with (path / "sparse").open("wb") as sparse:
        sparse.truncate(GIB)
    (path / "elsewhere").symlink_to("/usr")
    walk = measure(descriptor)
    assert 1_000_000 <= walk.bytes < 1_100_000
    assert walk.files == 5
    assert not walk.refused


def test_deleted_files_count_while_they_are_open(directory):
    path, descriptor = directory
    with (path / "gone").open("wb", buffering=0) as gone:
        gone.write(b"x" * 1_000_000)
        (path / "gone").unlink()
        assert measure(descriptor).bytes < 100_000
        assert measure(descriptor, {str(os.getpid())}).bytes >= 1_000_000


def check_until_walked(watch):
    proc = os.open("/proc", os.O_RDONLY)
    reasons = [watch.check(proc, set())[0] for _ in range(5)]
    os.close(proc)
    return next((reason for reason in reasons if reason), None)


@pytest.mark.parametrize(
    ("allowed", "reason"),
    [
        ({"disk_bytes": 2_000_000, "files": 100, "disk_reserve_bytes": 0}, None),
        ({"disk_bytes": 900_000, "files": 100, "disk_reserve_bytes": 0}, "disk"),
        ({"disk_bytes": 2_000_000, "files": 2, "disk_reserve_bytes": 0}, "files"),
    ],
)
def test_limits_of_the_disk(directory, allowed, reason):
    path, descriptor = directory
    for name in "abc":
        (path / name).write_bytes(b"x" * 330_000)
    assert check_until_walked(DiskWatch(descriptor, allowed)) == reason


def test_only_a_job_that_stores_what_is_missing_is_blamed_for_a_full_disk(directory):
    path, descriptor = directory
    (path / "file").write_bytes(b"x" * 50_000_000)
    free = os.statvfs(path).f_bavail * os.statvfs(path).f_frsize
    allowed = {"disk_bytes": 1 << 60, "files": 100}
    little, much = ({**allowed, "disk_reserve_bytes": free + missing} for missing in (20_000_000, 10**10))
    assert check_until_walked(DiskWatch(descriptor, little)) == "machine_disk"
    assert check_until_walked(DiskWatch(descriptor, much)) is None


def test_paths_that_are_too_long_are_not_overlooked(directory):
    path, descriptor = directory
    inner = os.dup(descriptor)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=inner)
        outer, inner = inner, os.open("d" * 200, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(inner)
    assert measure(descriptor).refused
    remove_tree(path)
    path.mkdir()


def test_deleted_files_that_are_only_mapped_are_not_overlooked(directory):
    path, descriptor = directory
    program = (
        "import mmap, os, sys\nf = open(sys.argv[1], 'w+b')\nf.truncate(9999)\nheld = mmap.mmap(f.fileno(), 9999)\n"
        # A mapping object of Python keeps a descriptor of its own.
        "os.unlink(f.name)\nf.close()\nos.closerange(3, 100)\nprint(flush=True)\ninput()\nos._exit(0)"
    )
    command = [sys.executable, "-c", program, path / "gone"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as mapping:
        mapping.stdout.readline()
        assert measure(descriptor, {str(mapping.pid)}).refused
        mapping.communicate(b"\n")
    assert not measure(descriptor).refused
