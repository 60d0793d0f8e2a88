"""Several instances that train one model together, each on its share of the rows."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from xgboost import collective
from xgboost.tracker import RabitTracker

from sagemaker_algorithm_toolkit.exceptions import AlgorithmError, UserError

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.1
# The instances of all jobs share the machine's ports.
_PORTS = range(20_000, 32_000)
_ENCODED_BYTES = 2


@contextmanager
def together(hosts: Sequence[str], current: str) -> Iterator[None]:
    """Let XGBoost calls within work on all hosts; the first leads.

    Raises:
        AlgorithmError: the hosts do not find each other.
    """
    if len(hosts) == 1:
        yield
        return
    leader = min(hosts)
    meeting = (socket.gethostbyname(leader), _agreed_port())
    tracker = None
    try:
        if current == leader:
            tracker = RabitTracker(n_workers=len(hosts), host_ip=meeting[0])
            tracker.start()
            port = int(tracker.worker_args()["dmlc_tracker_port"])
            _tell(meeting, port, len(hosts) - 1)
        else:
            port = _ask(meeting)
    except OSError as error:
        raise AlgorithmError(f"The hosts do not find each other: {error}") from error
    with collective.CommunicatorContext(
        dmlc_communicator="rabit", dmlc_tracker_uri=meeting[0], dmlc_tracker_port=port, dmlc_task_id=current
    ):
        yield
    if tracker is not None:
        tracker.wait_for()


def rabit_run(
    exec_fun: Callable[..., object],
    args: Mapping[str, Any],
    include_in_training: bool,
    hosts: Sequence[str],
    current_host: str,
    *,
    update_rabit_args: bool = False,
    **_ports_and_patience: object,
) -> None:
    """Call a function on every host, with XGBoost working on all of them.

    Args:
        exec_fun: trains.
        args: its keywords.
        include_in_training: this host has rows.
        hosts: all of them.
        current_host: this one.
        update_rabit_args: say by the keyword ``is_master`` whether this host stores the model.

    Raises:
        UserError: this host has no rows; the container then trains on the others.
    """
    if not include_in_training:
        raise UserError(f"{current_host} has no rows: rabit_run on some of the hosts only is not available here.")
    with together(hosts, current_host):
        exec_fun(**args, **({"is_master": is_leader()} if update_rabit_args else {}))


def is_leader() -> bool:
    """Return whether this host stores the model."""
    return bool(collective.get_rank() == 0)


def _agreed_port() -> int:
    digest = hashlib.sha256(os.environ.get("TRAINING_JOB_NAME", "").encode()).digest()
    return _PORTS[int.from_bytes(digest[:4], "big") % len(_PORTS)]


def _tell(meeting: tuple[str, int], port: int, followers: int) -> None:
    """Tell the others the tracker's port, which not every XGBoost lets one choose."""
    with socket.create_server(meeting) as server:
        server.settimeout(_PATIENCE_SECONDS)
        for _ in range(followers):
            connection, _ = server.accept()
            with connection:
                connection.sendall(port.to_bytes(_ENCODED_BYTES, "big"))


def _ask(meeting: tuple[str, int]) -> int:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with socket.create_connection(meeting, timeout=_PATIENCE_SECONDS) as connection:
                return int.from_bytes(connection.recv(_ENCODED_BYTES, socket.MSG_WAITALL), "big")
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
