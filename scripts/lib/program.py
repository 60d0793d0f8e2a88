"""What all programs share: how they parse, how they end, and how they put a file in place."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from analysis.runtime.errors import StepError
from pipeline.aws.clients import Aws
from pipeline.errors import BikeshareError
from pipeline.settings.environment import environment_names, load_settings
from scripts.lib.errors import ScriptError

_READABLE = 0o644


def program_parser(description: str | None, examples: str = "") -> argparse.ArgumentParser:
    """A parser that shows the module's description and examples as they are written."""
    return argparse.ArgumentParser(
        description=description, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_environment(parser: argparse.ArgumentParser) -> None:
    """Add ``--env``, which decides names, region and endpoint as in the ``bikeshare`` command."""
    parser.add_argument(
        "--env",
        default="local",
        help=f"environment whose AWS account is asked: {', '.join(environment_names())} (default: local). "
        "AWS_ENDPOINT_URL, where set, decides what is talked to",
    )


def aws_of(environment: str) -> Aws:
    """Clients for the environment; nothing is asked yet."""
    return Aws(load_settings(environment))


@contextmanager
def steps_environment(aws: Aws) -> Iterator[None]:
    """While it lasts, the environment tells the steps' code region, endpoint and credentials, as it does in a job."""
    wanted = {"AWS_REGION": aws.settings.region, "AWS_DEFAULT_REGION": aws.settings.region}
    if aws.endpoint_url:
        wanted["AWS_ENDPOINT_URL"] = aws.endpoint_url
    if aws.is_local and not ({"AWS_ACCESS_KEY_ID", "AWS_PROFILE"} & os.environ.keys()):
        # The local endpoint asks for none, but botocore signs nothing without any.
        wanted |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_program(main: Callable[[Sequence[str]], None]) -> None:
    """Run a program on the command line's arguments.

    An error of ours becomes one message on stderr and its exit code; anything else is a bug and shows its traceback.
    """
    try:
        main(sys.argv[1:])
    except BikeshareError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except StepError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def existing_file(path: Path, what: str, hint: str | None = None) -> Path:
    """``path`` where it is a file.

    Raises:
        ScriptError: it is not; ``what`` says what was expected there.
    """
    if not path.is_file():
        kind = "a directory" if path.is_dir() else "not there"
        raise ScriptError(f"{what} {path} is {kind}.", hint)
    return path


def write_whole(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` whole or not at all: a reader sees the old file or the new one, never a part.

    Raises:
        ScriptError: the directory can't be made or written.
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
