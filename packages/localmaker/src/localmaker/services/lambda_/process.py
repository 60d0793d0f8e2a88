"""The process that runs a function's calls.

A function that was uploaded runs as Lambda runs it: in the sandbox, on the Python of its runtime with nothing but the
AWS SDK, with ``/var/task`` and everything but ``/tmp`` read-only, and with its memory size as the limit. A function of
the user's own table is the user's program: it runs on the interpreter that the table names, in the endpoint's
environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from localmaker.images import environments
from localmaker.images.table import function_runtime
from localmaker.sandbox import sandbox
from localmaker.sandbox.limits import limits_now, read_settings
from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import Isolation, SandboxProcess, SandboxRequest
from localmaker.services.lambda_ import host
from localmaker.services.lambda_.table import LocalFunction

# "Lambda quotas" in the developer guide.
_PROCESSES = 1024
_BLOCK = 512
_CODE, _RUNTIME, _CALL = "/var/task", "/var/runtime/host.py", "/var/call"


@dataclass(frozen=True)
class Channel:
    """The descriptors of a function's process: where calls come from, where it says that one is done, its output."""

    calls: int
    done: int
    output: int


@dataclass(frozen=True)
class LogPlace:
    """Group and stream of a log."""

    group: str
    stream: str


def start(
    function: LocalFunction,
    directory: Path,
    channel: Channel,
    place: LogPlace,
    *,
    variables: Mapping[str, str],
    door: Door | None,
) -> SandboxProcess:
    """Start a process that runs calls; see :mod:`.host`.

    Args:
        function: to call.
        directory: for the process; calls and results are in its folder ``call``, uploaded code is in ``code``.
        channel: its descriptors.
        place: of its log.
        variables: where AWS's APIs are, and the credentials for them.
        door: the only way out of the network of an uploaded function with a VpcConfig.

    Raises:
        SandboxError: the interpreter does not start.
        EnvironmentBuildError: there is no environment of the runtime, and it cannot be built.
    """
    common = {
        **variables,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_LOG_GROUP_NAME": place.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": place.stream,
        "PYTHONUNBUFFERED": "1",
    }
    descriptors = [str(channel.calls), str(channel.done)]
    if function.uploaded:
        request = _uploaded(function, directory, descriptors, common)
        if function.in_vpc and door is not None:
            request = replace(request, network=door)
    else:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        request = SandboxRequest(
            [function.python, host.__file__, str(directory / "call"), *descriptors],
            {**inherited, **common, **function.environment},
            str(directory),
            directory,
        )
    return sandbox.start(replace(request, inherited=[channel.calls, channel.done], output=channel.output))


def _uploaded(
    function: LocalFunction, directory: Path, descriptors: Sequence[str], common: Mapping[str, str]
) -> SandboxRequest:
    runtime = environments.image_environment(function_runtime(function.runtime))
    # Without a sandbox nothing is mounted: the paths are those of this machine.
    task, program, call = seen_paths(directory)
    limits = replace(
        limits_now(read_settings(), directory),
        memory_bytes=function.memory_mb << 20,
        processes=_PROCESSES,
        # The code lies beside the function's own files and is measured with them.
        disk_bytes=(function.storage_mb << 20) + _taken(directory),
    )
    return SandboxRequest(
        [str(runtime.python), program, call, *descriptors],
        {
            **common,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "LAMBDA_RUNTIME_DIR": os.path.dirname(program),  # noqa: PTH120 - as the function sees it
            "LAMBDA_TASK_ROOT": task,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": function.handler,
            **function.environment,
        },
        task,
        directory,
        folders={_CALL: directory / "call"},
        programs=[str(runtime.prefix / "bin")],
        visible=[runtime.interpreter.prefix, runtime.prefix],
        mounted={_CODE: directory / "code", _RUNTIME: Path(host.__file__)},
        fixed_root=True,
        isolation=sandbox.detect_isolation(),
        limits=limits,
    )


def _taken(directory: Path) -> int:
    """Return how many bytes of the disk a directory takes."""
    return sum(path.lstat().st_blocks for path in (directory, *directory.rglob("*"))) * _BLOCK


def seen_paths(directory: Path) -> tuple[str, str, str]:
    """Return the paths that a function sees: of its code, of the program that calls it, of the folder of the call."""
    if sandbox.detect_isolation() is Isolation.NONE:
        return str(directory / "code"), host.__file__, str(directory / "call")
    return _CODE, _RUNTIME, _CALL
