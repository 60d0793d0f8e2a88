"""Jobs beyond a limit, and jobs close to one, on a machine where twenty other programs want the processor."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.services.sagemaker.jobs.running.test_limits import leftovers
from tests.services.sagemaker.jobs.running.test_sandbox import works

from localmaker.sandbox.limits import Settings, limits_now
from localmaker.sandbox.sandbox import Isolation, SandboxRequest, start

_LOAD = 20
_MIB = 1024**2
_LIMIT_MIB = 256
_PROCESSES = 60
# A job that nobody stops is killed by the test, without a reason.
_SECONDS = 60

_COMMON = f"""
import mmap, os, random, sys, time
chance = random.Random(int(sys.argv[1]))
MIB = {_MIB}

def hold(mib, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, chunk=1):
    held = mmap.mmap(-1, mib * MIB, flags=flags)
    for start in range(0, mib, chunk):
        held[start * MIB:min(mib, start + chunk) * MIB] = b"x" * (min(mib, start + chunk) - start) * MIB
    return held

def children(number, work):
    for _ in range(number):
        if not os.fork():
            work()
            time.sleep(3600)
"""
_WAIT = "\ntime.sleep(3600)\n"


@dataclass(frozen=True)
class Shape:
    """A program, and the limit that ends it; None where it is allowed."""

    program: str
    limit: str | None


SHAPES = {
    "one process that grows fast": Shape(
        "held = []\nsize = chance.choice([1, 8, 64])\nwhile len(held) * size < 1500: held.append(b'x' * size * MIB)",
        "memory",
    ),
    "a bomb of forks": Shape("for _ in range(12): os.fork()", "processes"),
    "memory just below the limit": Shape("held = hold(chance.randint(180, 210))\ntime.sleep(0.3)\nos._exit(0)", None),
    "many processes, each far below": Shape(
        "children(chance.randint(5, 20), lambda: globals().update(held=hold(70)))", "memory"
    ),
    "memory of a parent that its children share": Shape(
        "held = hold(150)\nchildren(chance.randint(3, 10), lambda: (time.sleep(0.3), os._exit(0)))\n"
        "while True:\n    try: os.wait()\n    except ChildProcessError: os._exit(0)",
        None,
    ),
    "shared memory below the limit": Shape(
        "held = hold(150, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)\n"
        "children(chance.randint(3, 10), lambda: (held[::4096], time.sleep(0.3), os._exit(0)))\n"
        "while True:\n    try: os.wait()\n    except ChildProcessError: os._exit(0)",
        None,
    ),
    "shared memory": Shape(
        "held = hold(chance.randint(350, 900), mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, chance.choice([1, 16]))", "memory"
    ),
    "private memory": Shape("held = hold(chance.randint(350, 1200), chunk=chance.choice([1, 16, 64]))", "memory"),
    "copies of what was shared": Shape(
        "held = hold(100)\n"
        "def change():\n    for start in range(100): held[start * MIB:(start + 1) * MIB] = b'y' * MIB\n"
        "children(chance.randint(3, 8), change)",
        "memory",
    ),
    "files in memory": Shape(
        "file = open('/dev/shm/x', 'wb')\nfor _ in range(chance.randint(300, 500)): file.write(b'x' * MIB)", "memory"
    ),
    "files in memory that nothing maps": Shape(
        "file = os.memfd_create('x')\nfor _ in range(chance.randint(300, 900)): os.write(file, b'x' * MIB)", "memory"
    ),
    "files in memory below the limit, mapped by several": Shape(
        "file = os.memfd_create('x')\nfor _ in range(150): os.write(file, b'x' * MIB)\n"
        "held = mmap.mmap(file, 150 * MIB)\n"
        "children(chance.randint(3, 10), lambda: (held[::4096], time.sleep(0.3), os._exit(0)))\n"
        "while True:\n    try: os.wait()\n    except ChildProcessError: os._exit(0)",
        None,
    ),
    "processes that leave their parents": Shape(
        "for _ in range(3000):\n    if not os.fork():\n        os.setsid()\n        if os.fork(): os._exit(0)\n"
        "        time.sleep(3600)\n    os.wait()",
        "processes",
    ),
    "a parent that hands its memory on": Shape(
        "held = []\nwhile len(held) < 1500:\n    held.append(b'x' * MIB)\n"
        "    if len(held) % 20 == 0 and os.fork(): os._exit(0)",
        "memory",
    ),
    "a bomb of the shell": Shape(
        "os.execvp('bash', ['bash', '-c', "
        "'b() { (($1 > 0)) && { b $(($1 - 1)) & b $(($1 - 1)) & }; sleep 3600; }; b 10'])",
        "processes",
    ),
}


@pytest.fixture(scope="module")
def load() -> Iterator[None]:
    """Keep twenty programs busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(_LOAD)]
    yield
    for program in busy:
        program.kill()
        program.wait()


def output_of(process):
    """Read until the tree has ended, or kill it when it should long have."""
    with os.fdopen(os.dup(process.output()), "rb", buffering=0) as output:
        parts = []
        while select.select([output], [], [], _SECONDS)[0] and (part := output.read(65536)):
            parts.append(part)
    process.kill()
    return b"".join(parts).decode(errors="replace")


@pytest.mark.randomised("limits")
def test_right_reason_under_load(seed, load, tmp_path):
    chance = random.Random(seed)
    name = list(SHAPES)[seed % len(SHAPES)]
    shape = SHAPES[name]
    isolation = chance.choice([each for each in Isolation if works(each)])
    if name == "files in memory" and isolation is Isolation.NONE:
        isolation = Isolation.BUBBLEWRAP  # without namespaces a job shares the machine's /dev/shm
    marker = f"61.{os.getpid()}{seed}"
    # The shell stays when the program's first process ends: what that one started is still the job's.
    script = f'"$@" {seed} {marker} || exit; {"sleep 3600" if shape.limit else "true"}'
    process = start(
        SandboxRequest(
            command=[
                "/bin/sh",
                "-c",
                script,
                "sh",
                str(Path(sys.executable).resolve()),
                "-I",
                "-S",
                "-c",
                _COMMON + shape.program + _WAIT,
            ],
            environment={},
            directory="/opt/ml",
            work=tmp_path.resolve(),
            visible=[Path(sys.base_prefix)],
            isolation=isolation,
            limits=replace(
                limits_now(Settings(memory_bytes=_LIMIT_MIB * _MIB, processes=_PROCESSES), tmp_path),
                groups=chance.random() < 0.5,
            ),
        )
    )
    output = output_of(process)
    code = process.wait()
    told = f"{name}, {isolation}: {process.exceeded}, exit status {code}\n{output}"
    assert process.exceeded == shape.limit, told
    assert shape.limit is not None or code == 0, told
    assert leftovers(marker) == [], told
