"""The contract with SageMaker's containers: where directories are, and how a step reports why it failed.

Processing jobs: the first 1 KB of /opt/ml/output/message becomes the ExitMessage.
Training jobs: the first 1,024 characters of /opt/ml/output/failure become the FailureReason.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from analysis.runtime.errors import SettingsError, StepError

CONTAINER_ROOT = Path("/opt/ml")
INPUT, OUTPUT = CONTAINER_ROOT / "processing" / "input", CONTAINER_ROOT / "processing" / "output"
PROCESSING_MESSAGE = CONTAINER_ROOT / "output" / "message"
TRAINING_FAILURE = CONTAINER_ROOT / "output" / "failure"
DATASET_FILE, DATASET_VARIABLE = "dataset.toml", "DATASET_FILE"
_MESSAGE_OPTION = "--message-file"
_LONGEST_MESSAGE = 1000
"""Bytes, a little under SageMaker's limit of 1 KB."""


class Arguments(argparse.ArgumentParser):
    """An argument parser whose errors are StepErrors, so that they reach the job's message file too."""

    def __init__(self, description: str | None, message_file: Path = PROCESSING_MESSAGE) -> None:
        super().__init__(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
        self.add_path(_MESSAGE_OPTION, message_file, "where the reason of a failure is written")

    def add_path(self, option: str, default: str | Path, description: str) -> None:
        """Add an option whose value is a path."""
        self.add_argument(option, type=Path, default=Path(default), help=description)

    def add_dataset(self) -> None:
        """Add the option for the declaration of the data set; in a job it is beside the scripts."""
        default = os.environ.get(DATASET_VARIABLE) or Path(sys.argv[0]).resolve().parent / DATASET_FILE
        self.add_path("--dataset", default, f"declaration of the data set; ${DATASET_VARIABLE} may name it, too")

    def error(self, message: str) -> NoReturn:
        """Raise SettingsError instead of exiting."""
        raise SettingsError(f"{Path(sys.argv[0]).name}: {message}. See --help.")


def run_step(step: Callable[[Sequence[str]], None], message_file: Path = PROCESSING_MESSAGE) -> None:
    """Run a step's main function on the command line's arguments and exit.

    A StepError is the user's to fix: its text goes to stderr and to the message file, exit code 1, no traceback.
    Any other exception is a bug: its short form goes to the message file, and it is raised again with its traceback.
    """
    arguments = sys.argv[1:]
    # Parsed apart, because parsing the rest may be what fails.
    known = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    known.add_argument(_MESSAGE_OPTION, type=Path, default=message_file, nargs="?")
    target: Path = known.parse_known_args(arguments)[0].message_file or message_file
    try:
        step(arguments)
    except StepError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        _write_message(target, str(error))
        raise SystemExit(1) from None
    except Exception as error:
        _write_message(target, f"Unexpected {type(error).__name__}: {error} (see the job's log for the traceback)")
        raise


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
    """Make the directory `path`, or raise SettingsError naming it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The directory {path} can't be created: {error}.") from error
    return path


def existing_file(path: Path, what: str) -> Path:
    """Return `path` where it is a file, else raise SettingsError saying what was expected and what is there instead."""
    if path.is_file():
        return path
    listing = "no such directory"
    if path.parent.is_dir():
        names = sorted(entry.name for entry in path.parent.iterdir())
        listing = f"the directory holds: {', '.join(names[:10]) or 'nothing'}"
    raise SettingsError(f"{what} is missing: {path} ({listing}).")
