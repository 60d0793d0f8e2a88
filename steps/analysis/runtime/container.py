"""The contract with SageMaker's containers: where directories are, and how a step says why it failed.

Processing jobs: the first 1 KB of /opt/ml/output/message becomes the ExitMessage.
Training jobs: the first 1,024 characters of /opt/ml/output/failure become the FailureReason.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from analysis.runtime.errors import SettingsError, StepError

CONTAINER_ROOT = Path("/opt/ml")
PROCESSING = CONTAINER_ROOT / "processing"
PROCESSING_MESSAGE = CONTAINER_ROOT / "output" / "message"
TRAINING_FAILURE = CONTAINER_ROOT / "output" / "failure"
_MESSAGE_OPTION = "--message-file"
_LONGEST_MESSAGE = 1000
"""Bytes, a little under SageMaker's limit of 1 KB."""


class Arguments(argparse.ArgumentParser):
    """An argument parser whose errors are StepErrors, so that they reach the job's message file too."""

    def __init__(self, description: str | None, message_file: Path) -> None:
        super().__init__(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        self.add_argument(
            _MESSAGE_OPTION, type=Path, default=message_file, help="where the reason of a failure is written"
        )

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{Path(sys.argv[0]).name}: {message}. See --help.")


def run_step(step: Callable[[Sequence[str]], None], message_file: Path) -> None:
    """Run a step's main function on the command line's arguments and exit.

    A StepError is the user's to mend: its text goes to stderr and to the message file, exit code 1, no traceback.
    Any other exception is a bug: its short form goes to the message file, and it is raised on with its traceback.
    """
    arguments = sys.argv[1:]
    target = _message_file(arguments, message_file)
    try:
        step(arguments)
    except StepError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        _write_message(target, str(error))
        raise SystemExit(1) from None
    except Exception as error:
        _write_message(target, f"Unexpected {type(error).__name__}: {error} (see the job's log for the traceback)")
        raise


def _message_file(arguments: Sequence[str], default: Path) -> Path:
    """The --message-file given, found without parsing, because parsing may be what fails."""
    for position, argument in enumerate(arguments):
        if argument == _MESSAGE_OPTION and position + 1 < len(arguments):
            return Path(arguments[position + 1])
        if argument.startswith(f"{_MESSAGE_OPTION}="):
            return Path(argument.partition("=")[2])
    return default


def _write_message(path: Path, message: str) -> None:
    # Outside a container there is no /opt/ml and nobody reads the file.
    if not path.parent.exists() and not CONTAINER_ROOT.exists():
        return
    text = message.encode("utf-8")[:_LONGEST_MESSAGE].decode("utf-8", errors="ignore")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"The reason could not be written to {path}: {error}", file=sys.stderr)


def made_directory(path: Path) -> Path:
    """Make `path`, or raise SettingsError naming it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The directory {path} can't be made: {error}.") from error
    return path


def existing_file(path: Path, what: str) -> Path:
    """`path` where it is a file, else SettingsError saying what was expected there and what is there instead."""
    if path.is_file():
        return path
    there = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
    listing = (
        f"the directory holds: {', '.join(there[:10]) or 'nothing'}" if path.parent.is_dir() else "no such directory"
    )
    raise SettingsError(f"{what} is missing: {path} ({listing}).")
