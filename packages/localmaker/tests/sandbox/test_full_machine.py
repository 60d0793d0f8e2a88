"""A job on a machine that runs out of memory or disk, and one whose processes the kernel kills."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.services.sagemaker.jobs.running.test_sandbox import works

from localmaker.sandbox.limits import Settings, limits_now
from localmaker.sandbox.sandbox import Isolation, SandboxRequest, start

_GIB, _MIB = 1024**3, 1024**2
_MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")
HOLD = "import time\nheld = []\nfor _ in range({mib}): held.append(b'x' * 1024**2)\nprint('ready', flush=True)\n"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there processes are measured")


@pytest.fixture
def run(tmp_path):
    started = []

    def call(*command, isolation=Isolation.NONE, **limits):
        work = tmp_path / str(len(started))
        work.mkdir()
        allowed = replace(limits_now(Settings(memory_bytes=2 * _GIB), work), **limits)
        request = SandboxRequest(
            command=command,
            environment={},
            directory="/opt/ml",
            work=work.resolve(),
            visible=[Path(sys.base_prefix)],
            isolation=isolation,
            limits=allowed,
        )
        started.append(start(request))
        return started[-1]

    yield call
    for process in started:
        process.kill()
        if process.life() not in ended:
            process.wait()
    ended.clear()


ended = set()


def end_of(process):
    """Return the output, the exit status and the limit."""
    parts = []
    while part := os.read(process.output(), 65536):
        parts.append(part)
    ended.add(process.life())
    return b"".join(parts).decode(), process.wait(), process.exceeded


def python(program):
    return (str(Path(sys.executable).resolve()), "-I", "-S", "-c", program)


@pytest.mark.parametrize("isolation", list(Isolation))
def test_kernel_takes_a_job_before_anything_else(run, isolation):
    if not works(isolation):
        pytest.skip(f"{isolation} is not available on this machine")
    output, _, _ = end_of(run("/bin/sh", "-c", "cat /proc/self/oom_score_adj; ulimit -n", isolation=isolation))
    assert output.split()[0] == "1000"
    assert int(output.split()[1]) <= 65_536


def test_job_below_the_reserve_ends_before_the_machine_suffers(run):
    reserve = psutil.virtual_memory().available - 300 * _MIB
    output, _, exceeded = end_of(run(*python(HOLD.format(mib=1500) + "time.sleep(3600)"), memory_reserve_bytes=reserve))
    assert exceeded == "machine_memory", output


def test_small_job_is_left_alone_on_a_full_machine(run):
    reserve = psutil.virtual_memory().total
    output, code, exceeded = end_of(run(*python(HOLD.format(mib=1) + "time.sleep(0.5)"), memory_reserve_bytes=reserve))
    assert (output, code, exceeded) == ("ready\n", 0, None)


MEMORY_FILE = (
    "import mmap, os, time\nfile = os.memfd_create('x')\nfor _ in range({mib}): os.write(file, b'x' * 1024**2)\n"
)


@pytest.mark.parametrize("isolation", list(Isolation))
def test_files_in_memory_count_though_nothing_maps_them(run, isolation):
    if not works(isolation):
        pytest.skip(f"{isolation} is not available on this machine")
    program = MEMORY_FILE.format(mib=700) + "time.sleep(3600)"
    assert end_of(run(*python(program), isolation=isolation, memory_bytes=256 * _MIB, groups=False))[2] == "memory"


def test_files_in_memory_count_once_where_they_are_mapped(run):
    program = MEMORY_FILE.format(mib=150) + (
        "held = mmap.mmap(file, 150 * 1024**2)\nfor _ in range(3): os.fork()\nheld[::4096]\ntime.sleep(1)"
    )
    output, code, exceeded = end_of(run(*python(program), memory_bytes=256 * _MIB, groups=False))
    assert (code, exceeded) == (0, None), output


def test_what_is_no_job_counts_as_none(run):
    # Such as the endpoints that a test run has started.
    program = f'{sys.executable} -c "{HOLD.format(mib=300)}input()"; true'
    other = subprocess.Popen(["bash", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"ready\n"
        own = HOLD.format(mib=100) + "time.sleep(3600)"
        small = run(*python(own), memory_reserve_bytes=psutil.virtual_memory().total)
        assert end_of(small)[2] == "machine_memory"
    finally:
        other.communicate()


@pytest.mark.parametrize("score", ["1000", "0"])
def test_largest_job_ends_first(run, score):
    # Whatever a job says of itself to the kernel.
    lower = f"open('/proc/self/oom_score_adj', 'w').write('{score}')\n"
    large = run(*python(lower + HOLD.format(mib=300) + "time.sleep(3600)"), memory_reserve_bytes=0)
    assert os.read(large.output(), 100) == b"ready\n"
    program = HOLD.format(mib=100) + "time.sleep(0.5)\nprint('still there', flush=True)\ntime.sleep(3600)"
    small = run(*python(program), memory_reserve_bytes=psutil.virtual_memory().total)
    assert os.read(small.output(), 100) == b"ready\n"
    assert os.read(small.output(), 100) == b"still there\n"
    large.kill()
    assert end_of(small)[2] == "machine_memory"


def test_rest_of_a_tree_goes_when_the_kernel_kills_one(run):
    if not os.access(_MEMORY_GROUPS / "memory.limit_in_bytes", os.W_OK):
        pytest.skip("no memory controller of cgroup v1 to make the kernel's memory small with")
    group = _MEMORY_GROUPS / f"localmaker-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(200 * _MIB))
        program = HOLD.format(mib=1000) + "time.sleep(3600)"
        script = f'echo $$ > {group}/cgroup.procs; "$@"; sleep 3600'
        output, _, exceeded = end_of(run("/bin/sh", "-c", script, "sh", *python(program), groups=False))
    finally:
        group.rmdir()
    assert exceeded == "memory", output


@pytest.mark.parametrize("isolation", list(Isolation))
@pytest.mark.parametrize(
    ("script", "limits", "reason"),
    [
        ("for i in 1 2 3 4; do head -c 9000000 /dev/zero > f$i; done; sleep 3600", {"disk_bytes": 25_000_000}, "disk"),
        (
            "exec 3> f; rm f; while head -c 1000000 /dev/zero >&3; do :; done; sleep 3600",
            {"disk_bytes": 9_000_000},
            "disk",
        ),
        ("exec head -c 90000000 /dev/zero > /dev/shm/x$$", {"disk_bytes": 1_000_000}, "file_size"),
        ("i=0; while :; do i=$((i + 1)); : > $i; done", {"files": 100}, "files"),
    ],
)
def test_disk_of_a_job_is_bounded(run, isolation, script, limits, reason):
    if not works(isolation):
        pytest.skip(f"{isolation} is not available on this machine")
    output, _, exceeded = end_of(
        run("/bin/bash", "-c", f"cd /opt/ml || cd $HOME; {script}", isolation=isolation, **limits)
    )
    assert exceeded == reason, output
