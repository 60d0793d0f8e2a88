"""The endpoint's own process: ``python -m localmaker.process --state-dir DIR --port PORT``.

It holds a lock on the state directory for as long as it lives, so that a killed process leaves nothing to
clean up before the next one starts.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from localmaker.errors import LocalmakerError, StateInUseError
from localmaker.state.directory import LOCK_NAME, LOG_NAME, READINESS_NAME, command_for, make_private, write_atomically
from localmaker.state.log import LogHandler

logger = logging.getLogger(__name__)

EXIT_FAILED = 1


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; the exit code is 0 then, 1 when the endpoint could not start."""
    parser = argparse.ArgumentParser(prog="python -m localmaker.process", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True, help="where the state is kept")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, required=True, help="0 picks a free one")
    parser.add_argument("--ready-fd", type=int, help="file descriptor to write the readiness record to, or the error")
    parser.add_argument("--record-actions", type=Path, help="file to which the IAM actions that roles use are written")
    parser.add_argument("--enforce-iam", action="store_true", help="check credentials and policies")
    parser.add_argument("--habits", type=int, help="seed of AWS's habits")
    parser.add_argument("--no-egress", action="store_true", help="keep what has a VpcConfig from all other networks")
    parser.add_argument("--detach", action="store_true", help="continue in a process that nobody has to wait for")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when the starting process ends")
    options = parser.parse_args(arguments)
    if options.detach and os.fork():
        os._exit(0)
    logging.basicConfig(
        handlers=[LogHandler(options.state_dir.absolute() / LOG_NAME)],
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.getLogger("localmaker").setLevel(logging.INFO)
    try:
        run(
            options.state_dir,
            options.port,
            host=options.host,
            ready_fd=options.ready_fd,
            record_actions=options.record_actions,
            enforce_iam=options.enforce_iam,
            habits=options.habits,
            no_egress=options.no_egress,
            until_stdin_closes=options.until_stdin_closes,
        )
    except LocalmakerError as error:
        with suppress(OSError):  # the log may lie on the disk that is full
            sys.stderr.write(f"{error}\n")
        _report(error, options.ready_fd)
        return EXIT_FAILED
    except OSError as error:
        with suppress(OSError):  # as above
            traceback.print_exc()
        _report(error, options.ready_fd)
        return EXIT_FAILED
    return 0


def _report(error: Exception, ready_fd: int | None) -> None:
    """Report why the process exits, unless it has reported that it is ready."""
    if ready_fd is None:
        return
    with suppress(OSError), os.fdopen(ready_fd, "w") as pipe:
        pipe.write(json.dumps({"error": type(error).__name__, "message": str(error)}))


def run(
    state_dir: Path,
    port: int,
    *,
    host: str = "127.0.0.1",
    ready_fd: int | None = None,
    record_actions: Path | None = None,
    enforce_iam: bool = False,
    habits: int | None = None,
    no_egress: bool = False,
    until_stdin_closes: bool = False,
    on_ready: Any = None,
) -> None:
    """Serve in this process until a signal.

    Args:
        record_actions: file to which the IAM actions that roles use are written.
        enforce_iam: take only credentials that the endpoint gave out, and refuse what policies do not allow.
        habits: seed of AWS's habits (:mod:`localmaker.habits`); None has none of them.
        no_egress: jobs and functions with a VpcConfig reach nothing but the endpoint.
        on_ready: called with the readiness record once requests are answered.

    Raises:
        StateInUseError: another endpoint uses the state directory.
        UnsafeStateError: it belongs to another user, or is open to others and used for something else.
        PortInUseError: the port is taken.
        NotLoopbackError: ``host`` is not the loopback interface.
        SandboxError: ``no_egress`` is asked for where there is no sandbox.
    """
    own = own_variables(os.environ)
    os.environ.clear()
    os.environ.update(own)
    state_dir = state_dir.absolute()
    tightened = make_private(state_dir)
    if tightened is not None:
        logger.warning("%s", tightened)
    with _exclusive(state_dir):
        # A refused start must not wait for moto's import.
        from moto.moto_api._internal import mock_random

        from localmaker.endpoint import Endpoint, iam_settings, without_egress

        # Where moto was imported before this process was forked, its identifiers would be those of all such processes.
        mock_random.seed()
        iam = iam_settings(record_actions, enforce=enforce_iam)
        endpoint = Endpoint(
            state_dir, host=host, port=port, iam=iam, no_egress=without_egress(no_egress), habits=habits
        )
        _shut_down_at_signals(endpoint)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if until_stdin_closes:
            threading.Thread(target=_shut_down_at_end_of_input, args=(endpoint,), daemon=True).start()
        record = {
            "pid": os.getpid(),
            "url": endpoint.url,
            "started_at": time.time(),
            "region": endpoint.region,
            "enforces_iam": endpoint.authorization.enforces,
            "no_egress": endpoint.no_egress,
        }
        readiness = state_dir / READINESS_NAME
        endpoint.start()
        record["restored"] = str(endpoint.moto_state.restored)
        try:
            write_atomically(readiness, json.dumps(record))
            if ready_fd is not None:
                with os.fdopen(ready_fd, "w") as pipe:
                    pipe.write(json.dumps(record))
            if on_ready is not None:
                on_ready(record)
            endpoint.wait()
        finally:
            # A signal that arrives during the shutdown changes nothing.
            signal.set_wakeup_fd(-1)
            readiness.unlink(missing_ok=True)
            endpoint.close()


def own_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a process that imports moto and serves, from those of the process that starts it.

    They keep the user's AWS files out. boto3's sessions, moto's as well as ours, read them, and fail on a broken file
    or a profile that is missing.
    """
    kept = {name: value for name, value in variables.items() if name not in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")}
    files = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    # moto allows web pages of every origin otherwise; the gateway refuses them anyway.
    return {**kept, **files, "MOTO_DISABLE_GLOBAL_CORS": "true"}


def _shut_down_at_signals(endpoint: Any) -> None:
    # A Python handler runs in the main thread once that wakes up, and it sleeps in a read. A signal that another thread
    # receives, or that arrives just before the read, would be lost, so the signal itself writes.
    signal.set_wakeup_fd(endpoint.stop_writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)


def _shut_down_at_end_of_input(endpoint: Any) -> None:
    sys.stdin.read()
    endpoint.shutdown()


@contextmanager
def _exclusive(state_dir: Path) -> Iterator[None]:
    with (state_dir / LOCK_NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateInUseError(
                f"another local endpoint uses {state_dir}; stop it ({command_for('down', state_dir)}), "
                "or give this one its own --state-dir"
            ) from error
        yield


if __name__ == "__main__":
    sys.exit(main())
