"""The hosts of one job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localmaker.services.logs.writer import JobLog


@dataclass(frozen=True)
class Instance:
    """One host of a job.

    Attributes:
        number: from 1.
        work: its directory; ``work/ml`` is its ``/opt/ml``.
        data_log: of an instance of a transform job: what SageMaker itself logs.
    """

    number: int
    work: Path
    log: JobLog
    data_log: JobLog | None = None

    @property
    def host(self) -> str:
        """``algo-1`` and so on, as SageMaker names them."""
        return host_name(self.number)

    @property
    def ml(self) -> Path:
        """The directory that is the instance's ``/opt/ml``."""
        return self.work / "ml"


def host_name(number: int) -> str:
    """Return the name of the instance with this number, from 1."""
    return f"algo-{number}"
