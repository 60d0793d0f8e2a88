"""Helpers of all programs: parsing arguments, ending with an error and its exit code, and writing files.

A data file that can't be used raises ``InputError`` of ``steps/analysis/runtime/errors.py`` (exit code 1).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from botocore.exceptions import ClientError

from analysis.runtime.errors import AwsCallError, StepError
from pipeline.aws.clients import Aws, aws_errors
from pipeline.errors import DeploymentError, PipelineError, RegistryError, TooSlowError
from pipeline.settings.environment import environment_names, load_settings


class ScriptError(PipelineError):
    """An argument, a local file or a download is wrong; the base of every error that a program raises on purpose."""


class ModelSourceError(ScriptError):
    """The model that was asked for does not exist or can't be used."""

    exit_code = 9


class ExportRefusedError(ScriptError):
    """An export was not loaded: its checksum or its content is not what this project writes."""

    exit_code = 10


class RegistrationError(ScriptError):
    """The model registry or the Feature Store refused a request."""

    exit_code = 11


class NoAnswerError(ScriptError):
    """The service did not answer, or was not ready in time."""

    exit_code = 12


def program_parser(description: str | None, examples: str, *, asks_aws: bool = False) -> argparse.ArgumentParser:
    """Make a parser that shows the module's description and examples as they are written.

    asks_aws: add --env, which decides names, region and endpoint as in the commands.
    """
    parser = argparse.ArgumentParser(
        description=description, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if asks_aws:
        add_environment(parser)
    return parser


def add_environment(parser: argparse.ArgumentParser) -> None:
    """Add --env."""
    parser.add_argument(
        "--env",
        default="local",
        help=f"environment whose AWS account is used: {', '.join(environment_names())} (default: local). "
        "AWS_ENDPOINT_URL, where set, decides which endpoint is used",
    )


def aws_of(environment: str) -> Aws:
    """Return clients for the environment; this calls nothing yet."""
    return Aws(load_settings(environment))


@contextlib.contextmanager
def service_errors(action: str, aws: Aws) -> Iterator[None]:
    """Tell a refusal of the service (RegistrationError) from one that does not answer, or not in time."""
    try:
        with aws_errors(action, aws, RegistrationError):
            yield
    except TooSlowError as error:
        raise NoAnswerError(error.message, error.hint) from error
    except (DeploymentError, RegistryError) as error:
        raise RegistrationError(error.message, error.hint) from error
    except (AwsCallError, RegistrationError) as error:
        refused = isinstance(error.__cause__, ClientError | None)
        message, hint = getattr(error, "message", str(error)), getattr(error, "hint", None)
        raise (RegistrationError if refused else NoAnswerError)(message, hint) from error


def progress_of(name: str) -> Callable[[str], None]:
    """Return what prints each state of something on the way."""
    return lambda state: print(f"{name}: {state}", file=sys.stderr)


def run_program(main: Callable[[Sequence[str]], None]) -> None:
    """Run a program on the command line's arguments.

    An error of this project becomes one message on stderr and its exit code; any other is a bug and shows its
    traceback.
    """
    try:
        main(sys.argv[1:])
    except (PipelineError, StepError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(getattr(error, "exit_code", 1)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def existing_file(path: Path, what: str, hint: str | None = None) -> Path:
    """Return `path` where it is a file, else raise ScriptError; `what` says what was expected there."""
    if not path.is_file():
        kind = "a directory" if path.is_dir() else "not there"
        raise ScriptError(f"{what} {path} is {kind}.", hint)
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Put `content` at `path` whole or not at all: a reader sees the old file or the new one, never a part.

    Raises ScriptError where the directory can't be created or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file in a directory of its own has the usual mode; mkstemp's would be for its owner only.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as directory:
            temporary = Path(directory) / path.name
            with temporary.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
    except OSError as error:
        raise ScriptError(f"{path} can't be written: {error}.", "Choose another place for the output.") from error
