"""The process of one call of a function.

A function that was uploaded runs as Lambda runs it: in the sandbox, on the Python of its runtime with nothing but the
AWS SDK, with ``/var/task`` and everything but ``/tmp`` read-only, and with its memory size as the limit. A function of
the user's own table is the user's program: it runs on the interpreter that the table names, in the endpoint's
environment.
"""

from __future__ import annotations

import os
import select
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from localmaker.images import environments
from localmaker.images.table import function_runtime
from localmaker.sandbox import sandbox
from localmaker.sandbox.limits import limits_now, read_settings
from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import Isolation, SandboxProcess, SandboxRequest
from localmaker.services.lambda_ import host
from localmaker.services.lambda_.logs import FunctionOutput
from localmaker.services.lambda_.table import LocalFunction

# "Lambda quotas" in the developer guide.
_PROCESSES = 1024
# The code lies beside the job's own files and counts with them.
_CODE_BYTES = 250 << 20
_CODE, _RUNTIME, _CALL = "/var/task", "/var/runtime/host.py", "/var/call"


def start(
    function: LocalFunction,
    directory: Path,
    output: FunctionOutput,
    descriptor: int,
    variables: Mapping[str, str],
    *,
    door: Door | None,
) -> SandboxProcess:
    """Start the call that ``call.json`` in a directory describes.

    Args:
        function: to call.
        directory: for the process; a folder ``call`` in it gets the result.
        output: the destinations of its output.
        descriptor: its standard output and error.
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
        "AWS_LAMBDA_LOG_GROUP_NAME": output.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": output.stream,
        "PYTHONUNBUFFERED": "1",
    }
    if function.root is None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        request = SandboxRequest(
            [function.python, host.__file__, str(directory / "call")],
            {**inherited, **common, **function.environment},
            str(directory),
            directory,
            output=descriptor,
        )
    else:
        request = _uploaded(function, function.root, directory, descriptor, common)
        if function.in_vpc and door is not None:
            request = replace(request, network=door)
    return sandbox.start(request)


def _uploaded(
    function: LocalFunction, code: Path, directory: Path, descriptor: int, common: Mapping[str, str]
) -> SandboxRequest:
    runtime = environments.image_environment(function_runtime(function.runtime))
    isolation = sandbox.detect_isolation()
    # Without a sandbox nothing is mounted: the paths are those of this machine.
    task, program, call = seen_paths(code, directory)
    limits = replace(
        limits_now(read_settings(), directory),
        memory_bytes=function.memory_mb << 20,
        processes=_PROCESSES,
        disk_bytes=(function.storage_mb << 20) + _CODE_BYTES,
    )
    return SandboxRequest(
        [str(runtime.python), program, call],
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
        mounted={_CODE: code, _RUNTIME: Path(host.__file__)},
        fixed_root=True,
        isolation=isolation,
        limits=limits,
        output=descriptor,
    )


def seen_paths(code: Path, directory: Path) -> tuple[str, str, str]:
    """Return the paths that a function sees: of its code, of the program that calls it, of the folder of the call."""
    if sandbox.detect_isolation() is Isolation.NONE:
        return str(code), host.__file__, str(directory / "call")
    return _CODE, _RUNTIME, _CALL


def has_ended(process: SandboxProcess, seconds: float) -> bool:
    """Wait for the end of a process; return whether it came within so many seconds."""
    poll = select.poll()
    poll.register(process.life(), select.POLLIN | select.POLLHUP)
    return bool(poll.poll(seconds * 1000))
