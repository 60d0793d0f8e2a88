"""Several instances that train one model together, each on its share of the rows."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import xgboost
from xgboost import collective
from xgboost.tracker import RabitTracker

from errors import AlgorithmError

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.2
# The instances of all jobs share the machine's ports.
_PORTS = range(20_000, 32_000)


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
    address = socket.gethostbyname(leader)
    name = os.environ.get("TRAINING_JOB_NAME", "")
    port = _PORTS[int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % len(_PORTS)]
    tracker = RabitTracker(n_workers=len(hosts), host_ip=address, port=port) if current == leader else None
    if tracker is not None:
        tracker.start()
    with ExitStack() as connection:
        _join(connection, dmlc_tracker_uri=address, dmlc_tracker_port=port, dmlc_task_id=current)
        yield
    if tracker is not None:
        tracker.wait_for()


def is_leader() -> bool:
    """Return whether this host stores the model."""
    return bool(collective.get_rank() == 0)


def _join(connection: ExitStack, **place: Any) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            connection.enter_context(collective.CommunicatorContext(dmlc_communicator="rabit", **place))
        except xgboost.core.XGBoostError as error:
            if time.monotonic() > deadline:
                raise AlgorithmError(f"The hosts do not find each other: {error}") from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return
