"""The log stream that SageMaker itself writes for an instance of a transform job: ``<job>/<instance>/data-log``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localmaker.services.sagemaker.jobs.transform.invocations import InvocationError

if TYPE_CHECKING:
    from localmaker.services.logs.writer import JobLog
    from localmaker.services.sagemaker.jobs.transform.objects import ObjectFailure
    from localmaker.services.sagemaker.jobs.transform.settings import Settings


class DataLog:
    """Tells in SageMaker's lines how objects are sent and which of them failed.

    Args:
        log: where the lines go; None for nowhere.
    """

    def __init__(self, log: JobLog | None) -> None:
        self._log = log

    def tell_settings(self, settings: Settings) -> None:
        """How the objects are sent."""
        self._tell([str(settings)])

    def tell_failure(self, failure: ObjectFailure) -> None:
        """Why an object failed, with the algorithm's answer if there was one."""
        self._tell([f"{failure.place}: {line}" for line in _lines(failure.error)])

    def _tell(self, lines: list[str]) -> None:
        if self._log is None:
            return
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").partition("+")[0]
        for line in lines:
            self._log.say(f"{moment}:[sagemaker logs]: {line}")
        self._log.flush()


def _lines(error: Exception) -> list[str]:
    if not isinstance(error, InvocationError) or error.status is None:
        return [str(error)]
    first = f"ClientError: {error.status}" if error.is_clients_fault else error.text
    return [first, "", "Message:", *error.body.splitlines()]
