"""The table of local Python functions that replace Lambda functions.

A function is found by the name in its ARN, first in the table, then among those that CreateFunction uploaded to the
endpoint (as ``sagemaker.core.lambda_helper.Lambda`` does). The table is ``functions.toml`` in the state directory, or
the file that the environment variable ``LOCALMAKER_FUNCTIONS`` names where the endpoint starts::

    [[function]]
    name = "notify"                  # arn:aws:lambda:us-east-1:123456789012:function:notify
    handler = "notify.py:handler"    # file, relative to the table, and the function in it: handler(event, context)
    timeout = 60                     # seconds, at most 600; the default is 60
    python = "/usr/bin/python3"      # the default is the endpoint's own interpreter
    environment = { LEVEL = "info" } # more variables
    role = "arn:aws:iam::123456789012:role/notify"  # whose credentials it gets; the default is the endpoint's own

It is read for every call, so a change takes effect at once.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localmaker.errors import LocalmakerError

TABLE_NAME = "functions.toml"
TABLE_VARIABLE = "LOCALMAKER_FUNCTIONS"
DEFAULT_TIMEOUT_SECONDS = 60
DEFAULT_MEMORY_MB = 128
# Pipelines waits no longer for a Lambda step.
MAX_TIMEOUT_SECONDS = 600


class FunctionTableError(LocalmakerError):
    """The table of functions cannot be read, or an entry in it is incomplete."""


class UnknownFunctionError(LocalmakerError):
    """No function of that name is registered. The message holds the lines to add."""


@dataclass(frozen=True)
class LocalFunction:
    """A Python function that a Lambda step calls.

    Attributes:
        name: as in the ARN.
        file: the Python file; of an uploaded function, in its code.
        attribute: the function in it.
        timeout_seconds: until it is killed.
        python: interpreter.
        environment: variables in addition to the endpoint's.
        archive: zip file with the code of an uploaded function, which runs in the sandbox.
        digest: of the archive.
        modified: when an uploaded function was created or last changed, in moto's form.
        role: ARN of its execution role.
        runtime, handler, version, memory_mb, storage_mb: of an uploaded function, as it was created.
        in_vpc: it has a VpcConfig with subnets.
        log_group: of its own; empty for the one that is named after it.
    """

    name: str
    file: Path
    attribute: str
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=dict)
    archive: bytes = field(default=b"", repr=False)
    digest: str = ""
    modified: str = ""
    role: str | None = None
    runtime: str = ""
    handler: str = ""
    version: str = "$LATEST"
    memory_mb: int = DEFAULT_MEMORY_MB
    storage_mb: int = 512
    in_vpc: bool = False
    log_group: str = ""

    @property
    def uploaded(self) -> bool:
        """Whether it was uploaded to the endpoint."""
        return bool(self.digest)

    @property
    def key(self) -> tuple[object, ...]:
        """What a process of it depends on: the code and the configuration of a version.

        A function that was removed and created anew is another one, even with the same code.
        """
        variables = tuple(sorted(self.environment.items()))
        sizes = self.memory_mb, self.storage_mb
        place = self.role, self.in_vpc, self.log_group
        return self.name, self.version, self.modified, self.digest, self.handler, self.runtime, variables, sizes, place

    def replaced_by(self, key: object) -> bool:
        """Return whether a key is that of another state of the same function and version."""
        return isinstance(key, tuple) and key[:2] == self.key[:2] and key != self.key


def function_name(arn: str) -> str:
    """Return the name in the ARN of a function, version or alias; a bare name is returned as it is."""
    parts = arn.split(":")
    return parts[6] if len(parts) > 6 and parts[2] == "lambda" else arn  # noqa: PLR2004  arn:aws:lambda:…:function:name


def registered_function(name: str, state_dir: Path) -> LocalFunction | None:
    """Find the entry of the table with a name; None if there is none.

    Raises:
        FunctionTableError: the table is not readable, or an entry is wrong.
    """
    table = table_path(state_dir)
    if not table.exists():
        return None
    return next((entry for entry in read_table(table) if entry.name == name), None)


def table_path(state_dir: Path) -> Path:
    """Return the path of the table."""
    own = os.environ.get(TABLE_VARIABLE)
    return Path(own) if own else state_dir / TABLE_NAME


def unknown_function(name: str, state_dir: Path) -> UnknownFunctionError:
    """Return the error that explains how to register a function."""
    return UnknownFunctionError(
        f"no local function stands in for the Lambda function [{name}]. Add these lines to {table_path(state_dir)}: "
        f'[[function]] name = "{name}" handler = "/path/to/file.py:handler"'
    )


def read_table(path: Path) -> Iterator[LocalFunction]:
    """Read all entries of a table, in order.

    Raises:
        FunctionTableError: not readable, not TOML, or an entry is wrong.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("function", [])
        for entry in entries:
            yield _read_entry(entry, path)
    except (OSError, tomllib.TOMLDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise FunctionTableError(f"{path}: not a table of functions: {type(error).__name__}: {error}") from error


def _read_entry(entry: Mapping[str, Any], path: Path) -> LocalFunction:
    known = {"name", "handler", "timeout", "python", "environment", "role"}
    if unknown := sorted(set(entry) - known):
        raise ValueError(f"unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    name, timeout = str(entry["name"]), int(entry.get("timeout", DEFAULT_TIMEOUT_SECONDS))
    file, separator, attribute = str(entry["handler"]).rpartition(":")
    if not separator or not attribute.isidentifier():
        raise ValueError(f"handler of {name!r} must be a file and a function in it, such as 'notify.py:handler'")
    if not 1 <= timeout <= MAX_TIMEOUT_SECONDS:
        raise ValueError(f"timeout of {name!r} is {timeout} s; it must be from 1 to {MAX_TIMEOUT_SECONDS}")
    return LocalFunction(
        name=name,
        file=path.parent.absolute() / file,
        attribute=attribute,
        timeout_seconds=timeout,
        python=str(entry.get("python", sys.executable)),
        environment={str(key): str(value) for key, value in entry.get("environment", {}).items()},
        role=str(entry["role"]) if "role" in entry else None,
    )
