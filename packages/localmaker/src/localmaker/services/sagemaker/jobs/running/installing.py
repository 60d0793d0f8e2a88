"""What a container's toolkit does before it runs a program: install what the program's sources require."""

from __future__ import annotations

from collections.abc import Sequence

_INSTALL = 'python3 -m pip install -q --no-input {} || exit 1; exec "$@"'


def after_installing(wanted: Sequence[str], command: Sequence[str]) -> Sequence[str]:
    """Return a command that first installs what pip's arguments name, if there are any, then runs the given one."""
    return ["/bin/sh", "-c", _INSTALL.format(" ".join(wanted)), "sh", *command] if wanted else command


def without_installing(command: Sequence[str]) -> Sequence[str]:
    """Return the program and its arguments without the installation before it."""
    installs = any(part.endswith(_INSTALL.rpartition("}")[2]) for part in command[2:3])
    return command[4:] if installs else command
