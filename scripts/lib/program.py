"""Helpers of all programs: parsing arguments, ending with an exit code, and writing files."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from analysis.runtime.errors import StepError
from pipeline.aws.clients import Aws
from pipeline.errors import BikeshareError
from pipeline.settings.environment import environment_names, load_settings
from scripts.lib.errors import ScriptError

_READABLE = 0o644


def program_parser(description: str | None, examples: str, *, asks_aws: bool = False) -> argparse.ArgumentParser:
    """Make a parser that shows the module's description and examples as they are written.

    asks_aws: add --env, which decides names, region and endpoint as in the bikeshare command.
    """
    parser = argparse.ArgumentParser(
        description=description, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if asks_aws:
        parser.add_argument(
            "--env",
            default="local",
            help=f"environment whose AWS account is used: {', '.join(environment_names())} (default: local). "
            "AWS_ENDPOINT_URL, where set, decides which endpoint is used",
        )
    return parser


def aws_of(environment: str) -> Aws:
    """Return clients for the environment; this calls nothing yet."""
    return Aws(load_settings(environment))


def run_program(main: Callable[[Sequence[str]], None]) -> None:
    """Run a program on the command line's arguments.

    An error of this project becomes one message on stderr and its exit code; any other is a bug and shows its
    traceback.
    """
    try:
        main(sys.argv[1:])
    except (BikeshareError, StepError) as error:
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
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            # mkstemp's file is for its owner only; results are for colleagues, too.
            temporary.chmod(_READABLE)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ScriptError(f"{path} can't be written: {error}.", "Choose another place for the output.") from error
