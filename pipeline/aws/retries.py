"""What AWS refuses only for the moment is asked for again until a deadline, after pauses that grow and vary.

Clients repeat by themselves what was throttled, failed on AWS's side, or has no answer. Then the call may have been
carried out and its repetition be refused ("already exists"), so whoever changes something looks after a refusal what is
there by now (:mod:`pipeline.deploy.engine.planner`). botocore's own retries give up after a few attempts.
"""

import re
import time
from typing import Any, NamedTuple

from botocore import exceptions
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from pipeline.aws.not_found import is_missing


class Pace(NamedTuple):
    """Seconds: the longest first pause, the longest of all, from first to last attempt, until settings settle."""

    first: float
    longest: float
    patience: float
    settling: float

    def repeat(self, retry: Any, seconds: float | None = None, **more: Any) -> Retrying:
        """Return tenacity's loop in this pace; after the last attempt its own error is raised."""
        stop = stop_after_delay(self.patience if seconds is None else seconds)
        wait = wait_random_exponential(multiplier=self.first, max=self.longest)
        return Retrying(retry=retry, wait=wait, stop=stop, reraise=True, **more)

    def until_it_passes(self) -> Retrying:
        """Repeat what AWS refuses because something before it is not finished, or not known everywhere."""
        return self.repeat(retry_if_exception(may_pass))

    def register(self, client: Any) -> None:
        """Let a client repeat calls; its own retries have to be off."""
        wait = self.repeat(None).wait

        def pause(attempts: int, request_dict: Any, response: Any, caught_exception: Any, **_: Any) -> float | None:
            state = request_dict["context"].setdefault(__name__, RetryCallState(Retrying(), None, (), {}))
            state.attempt_number = attempts
            wanted = _got_no_answer(caught_exception, attempts) or (response is not None and _is_busy(*response))
            return wait(state) if wanted and time.monotonic() - state.start_time < self.patience else None

        client.meta.events.register("needs-retry", pause)


#: Longer than the minute for which SQS keeps a removed queue's name, or S3 aborts what follows a new bucket.
CLOUD = Pace(1, 10, 90, 90)
#: The local endpoint counts calls where AWS takes seconds.
LOCAL = Pace(0.01, 0.1, 60, 2)

_BUSY = {"PriorRequestNotComplete", "RequestLimitExceeded", "RequestThrottled", "RequestTimeout", "SlowDown"}
_BUSY |= {"Throttled", "Throttling", "TooManyRequests"}
_PASSING = {"ConcurrentModification", "Conflict", "OperationAborted", "QueueDeletedRecently", "ResourceConflict"}
_PASSING |= {"DeleteConflict", "EntityTemporarilyUnmodifiable"}
#: What services say of a role whose trust or policies they do not know yet.
#: The last two are what CreateFeatureGroup says.
_UNKNOWN_ROLE = re.compile(
    "role.*(assume|does not have permissions to call|can perform|arn is invalid)|assume.*role|invalid s3uri"
)
_TAKEN = {"BucketAlreadyOwnedByYou", "EntityAlreadyExists", "QueueAlreadyExists", "QueueNameExists", "ResourceInUse"}
#: Codes that mean it where the message says so.
_EXISTING = {"ResourceConflict", "Validation"}
#: A wrong address stays wrong.
_UNREACHABLE = (exceptions.EndpointConnectionError, exceptions.ProxyConnectionError, exceptions.SSLError)
_SERVER_ERROR = 500
#: What the local endpoint does not implement, and its full disk.
_FINAL = {501, 507}


def _got_no_answer(error: BaseException | None, attempts: int) -> bool:
    if isinstance(error, exceptions.ConnectTimeoutError) and attempts not in {1, 2}:  # no route?
        return False
    no_answer = isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)
    return no_answer and not isinstance(error, _UNREACHABLE)


def _is_busy(http: Any, parsed: Any) -> bool:
    status = getattr(http, "status_code", 200)
    return _code(parsed) in _BUSY or (status >= _SERVER_ERROR and status not in _FINAL)


def _code(response: Any) -> str:
    """Return the code of an error, by which some services mean the same with ``Exception`` at its end."""
    return str(response.get("Error", {}).get("Code", "")).rpartition(".")[2].removesuffix("Exception")


def is_taken(error: exceptions.ClientError) -> bool:
    """Say whether there is something of that name already; it may come of a call that was repeated."""
    code, message = _code(error.response), error.response.get("Error", {}).get("Message", "").lower()
    return code in _TAKEN or code.endswith("AlreadyExists") or (code in _EXISTING and "already exist" in message)


def may_pass(error: BaseException) -> bool:
    """Say whether AWS may take the same later.

    A new role and its policies take seconds to be known elsewhere, a new bucket to take settings, anything new to be
    found; a queue's name is free a minute after the queue was removed; another change is over in a moment.
    """
    if not isinstance(error, exceptions.ClientError):
        return False
    code, message = _code(error.response), error.response.get("Error", {}).get("Message", "").lower()
    if code in {"InvalidParameterValue", "Validation"} and _UNKNOWN_ROLE.search(message):
        return True
    return code in _PASSING or is_missing(error) or is_taken(error)
