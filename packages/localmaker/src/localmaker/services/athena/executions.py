"""Query executions: their states, and the threads that run them."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import AwsError, NoRoomError
from localmaker.services.athena.failures import SYSTEM, QueryFailedError
from localmaker.services.athena.process import Engine, QueryStoppedError
from localmaker.services.athena.running import Outcome, Query, QueryRun
from localmaker.services.athena.store import QueryStore
from localmaker.services.iam.acting import Acting
from localmaker.services.iam.sessions import Principal
from localmaker.state.room import until_stored

logger = logging.getLogger(__name__)

#: "Service Quotas" of the user guide: DML query timeout.
TIMEOUT_SECONDS = 30 * 60.0
_AT_ONCE = 4
_INTERRUPTED = "The local endpoint ended while this query was running. Start it again."
_TIMED_OUT = "Query timeout"
_CANCELLED = "Query cancelled by user"


class AthenaQueries:
    """Runs queries, some at once and the others in turn.

    Args:
        store: of their executions.
        acting: gives them clients.
        folder: for their files; what is in it is removed.
    """

    def __init__(self, store: QueryStore, acting: Acting, folder: Path) -> None:
        self._store, self._acting, self._folder = store, acting, folder
        self._lock = threading.Lock()
        self._engines: dict[str, Engine] = {}
        self._closing = threading.Event()
        self._threads = ThreadPoolExecutor(_AT_ONCE, "athena")
        shutil.rmtree(folder, ignore_errors=True)
        for document in store.unfinished():
            self._end(document, "FAILED", _INTERRUPTED, SYSTEM)

    def start(
        self, document: dict[str, Any], query: Query, principal: Principal | None, region: str, token: str
    ) -> str:
        """Run a query soon, in a thread, and return its id.

        Args:
            document: as :class:`QueryStore` keeps it.
            query: to run.
            principal: who has started it.
            region: of the request.
            token: the request's; there is one execution for each.
        """
        identifier = self._store.add(region, token, document)
        if identifier != query.id:
            return identifier
        engine = Engine()
        with self._lock:
            self._engines[query.id] = engine
        try:
            self._threads.submit(self._run, document, query, principal, region, engine)
        except RuntimeError:
            raise AwsError("InternalServerException", "The local endpoint is shutting down.", 500) from None
        return identifier

    def stop(self, document: dict[str, Any]) -> None:
        """Stop a query; one that has ended stays as it is."""
        execution = document["QueryExecution"]
        with self._lock:
            engine = self._engines.get(execution["QueryExecutionId"])
        if self._end(document, "CANCELLED", _CANCELLED) and engine is not None:
            engine.stop(_CANCELLED)

    def forget(self) -> None:
        """Stop all queries, and forget them."""
        with self._lock:
            engines = list(self._engines.values())
        for engine in engines:
            engine.stop(_CANCELLED)
        self._store.clear()

    def close(self) -> None:
        """End all queries, and wait for that."""
        self._closing.set()
        with self._lock:
            engines = list(self._engines.values())
        for engine in engines:
            engine.stop(_INTERRUPTED)
        self._threads.shutdown(wait=True)

    def _run(
        self, document: dict[str, Any], query: Query, principal: Principal | None, region: str, engine: Engine
    ) -> None:
        folder = self._folder / query.id
        timer = threading.Timer(TIMEOUT_SECONDS, engine.stop, [_TIMED_OUT])
        timer.daemon = True
        try:
            engine.check()
            timer.start()
            if not self._begin(document):
                return
            folder.mkdir(mode=0o700, parents=True)
            with self._acting.caller(principal, region) as clients:
                self._succeed(document, QueryRun(query, clients, engine, folder).run())
        except QueryStoppedError as error:
            self._end(document, "FAILED", str(error), SYSTEM)  # a stopped one is cancelled already
        except QueryFailedError as error:
            self._end(document, "FAILED", str(error), error.category)
        except ClientError as error:
            self._end(document, "FAILED", _reason(error))
        except Exception as error:  # otherwise the query would stay RUNNING for ever
            if not isinstance(error, (BotoCoreError, OSError)):
                logger.exception("query %s", query.id)
            self._end(document, "FAILED", f"GENERIC_INTERNAL_ERROR: {error}", SYSTEM)
        finally:
            timer.cancel()
            with self._lock:
                self._engines.pop(query.id, None)
            shutil.rmtree(folder, ignore_errors=True)

    def _begin(self, document: dict[str, Any]) -> bool:
        execution = document["QueryExecution"]
        execution["Status"]["State"] = "RUNNING"
        execution["Statistics"] = {"QueryQueueTimeInMillis": _since(execution)}
        return self._store.change(execution["QueryExecutionId"], document)

    def _succeed(self, document: dict[str, Any], outcome: Outcome) -> None:
        execution = document["QueryExecution"]
        execution["Statistics"]["DataScannedInBytes"] = outcome.scanned
        if outcome.manifest:
            execution["Statistics"]["DataManifestLocation"] = outcome.manifest
        self._end({**document, "Columns": outcome.columns, "Written": outcome.written}, "SUCCEEDED")

    def _end(self, document: dict[str, Any], state: str, reason: str = "", category: int = 0) -> bool:
        execution = dict(document["QueryExecution"])
        status = {**execution["Status"], "State": state, "CompletionDateTime": now()}
        if reason:
            status["StateChangeReason"] = reason
        if state == "FAILED":
            error = {"ErrorCategory": category or 2, "Retryable": category == SYSTEM, "ErrorMessage": reason}
            status["AthenaError"] = error
        whole = _since(execution)
        statistics = {"DataScannedInBytes": 0, "QueryQueueTimeInMillis": whole, **execution.get("Statistics", {})}
        execution["Status"] = status
        execution["Statistics"] = {
            **statistics,
            "EngineExecutionTimeInMillis": whole - statistics["QueryQueueTimeInMillis"],
            "TotalExecutionTimeInMillis": whole,
            "ServiceProcessingTimeInMillis": 0,
        }
        ended, identifier = {**document, "QueryExecution": execution}, execution["QueryExecutionId"]
        try:
            return until_stored(
                lambda: self._store.change(identifier, ended), self._closing.wait, f"the end of query {identifier}"
            )
        except NoRoomError as error:
            logger.warning("%s; the next start reports that the query was interrupted", error)
            return False


def now() -> float:
    """Return the seconds since 1970, to the millisecond."""
    return round(datetime.now(UTC).timestamp(), 3)


def _since(execution: Mapping[str, Any]) -> int:
    submitted: float = execution["Status"]["SubmissionDateTime"]
    return max(0, round(1000 * (now() - submitted)))


def _reason(error: ClientError) -> str:
    code, message = (str(error.response["Error"].get(name, "")) for name in ("Code", "Message"))
    kind = "PERMISSION_DENIED" if code.startswith("AccessDenied") or code == "403" else code
    return f"{kind}: {message} ({error.operation_name})"
