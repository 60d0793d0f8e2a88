"""The WSGI application of the endpoint: our own operations first, moto for the rest."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from localmaker.errors import AwsError
from localmaker.http import protocol, response_checks
from localmaker.http.operations import RequestContext
from localmaker.http.protocol import HttpResponse, Recognised
from localmaker.ports import (
    Authorizer,
    CredentialScope,
    CurrentRequest,
    EventMatcher,
    LocalEndpoint,
    current_request,
)
from localmaker.state.changes import Change, change_by, change_of
from localmaker.state.contents import BrokenUploadError, is_upload, received_body
from localmaker.state.moto_state import MotoState
from localmaker.state.room import is_no_room, no_room_message

logger = logging.getLogger(__name__)

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request")
HEALTH_PATH = "/_local/health"
_RESET_PATH = "/moto-api/reset"
_REQUEST_ID_HEADERS = {"x-amzn-requestid", "x-amz-request-id"}
_LOOPBACK_NAMES = {"127.0.0.1", "localhost", "::1"}
XML_SERVICES = {"s3", "iam", "sts", "sns", "cloudformation", "monitoring", "ec2", "rds"}

StartResponse = Callable[..., Any]


class Gateway:
    """Answers every request that arrives at the endpoint.

    Args:
        endpoint: handed to our own operations.
        moto: moto's WSGI application.
        state: keeps what moto's answers change.
        authorization: is asked about every request; None allows all.
        events: is given what happens in S3.
    """

    def __init__(
        self,
        endpoint: LocalEndpoint,
        moto: Callable[..., Iterable[bytes]],
        state: MotoState,
        *,
        authorization: Authorizer | None,
        events: EventMatcher,
    ) -> None:
        self._endpoint = endpoint
        self._moto = moto
        self._state = state
        self._authorization = authorization
        self._events = events
        self._object_locks = _KeyedLocks()
        self._checks_answers = response_checks.are_on()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI request."""
        request_id = str(uuid.uuid4())
        if environ["PATH_INFO"] == HEALTH_PATH:
            return _send(self._health(), start_response)
        if _from_a_web_page(environ):
            refusal = {"__type": "AccessDeniedException", "message": "web pages may not use the local AWS endpoint"}
            return _send(_json_response(HTTPStatus.FORBIDDEN, refusal), start_response)
        scope = _credential_scope(environ)
        denied = self._authorization.refusal(environ, scope) if self._authorization is not None else None
        if denied is not None:
            status, form = HTTPStatus(denied.status), _scope_of_errors(environ, scope)
            return _send(_service_error(form, status, denied.code, denied.message), start_response)
        # A signature in the URL may be in a header now.
        scope = _credential_scope(environ)
        if _is_s3(scope):
            region = scope.region if scope is not None else self._endpoint.region
            if region != self._endpoint.region and not protocol.is_region_name(region):
                return _send(_other_region(region, self._endpoint.region), start_response)
        if not _is_s3(scope) or "HTTP_X_AMZ_TARGET" in environ:
            recognised = protocol.recognise(environ, scope)
            if recognised is not None:
                return _send(self._answer(recognised, environ, scope, request_id), start_response)
        return self._delegate(environ, start_response, scope, request_id)

    def _answer(
        self, recognised: Recognised, environ: dict[str, Any], scope: CredentialScope | None, request_id: str
    ) -> HttpResponse:
        try:
            request, _ = protocol.parse_request(recognised, environ)
            context = RequestContext(
                account_id=self._endpoint.account_id,
                region=scope.region if scope else self._endpoint.region,
                endpoint=self._endpoint,
                ask_moto=lambda changed: self._ask_moto(recognised, environ, changed),
            )
            response = recognised.handler(request, context)
            if self._checks_answers:
                response_checks.check_response(recognised.model, response)
            return protocol.serialise_response(recognised, response, request_id)
        except AwsError as error:
            return protocol.serialise_error(recognised, self._checked(recognised, error), request_id)
        except Exception as error:  # the boundary: one broken handler must not take the connection with it
            refused = self._not_stored(error)
            if refused is not None:
                return protocol.serialise_error(recognised, refused, request_id)
            logger.exception("%s.%s failed (request %s)", recognised.service, recognised.name, request_id)
            failure = AwsError(
                "InternalFailure",
                f"{recognised.service}.{recognised.name} failed in the local endpoint; "
                f"its log has request {request_id}",
                HTTPStatus.INTERNAL_SERVER_ERROR,
            )
            return protocol.serialise_error(recognised, failure, request_id)

    def _unexpected(
        self, error: Exception, environ: dict[str, Any], scope: CredentialScope | None, request_id: str
    ) -> HttpResponse:
        refused = self._not_stored(error)
        if refused is None:
            return _unexpected(error, environ, scope, request_id)
        return _service_error(scope, HTTPStatus(refused.status), refused.code, refused.message)

    def _not_stored(self, error: Exception) -> AwsError | None:
        """Return the answer to a request whose changes could not be stored, or None for another error.

        No client repeats a request after this status: that would not help.
        """
        if not is_no_room(error):
            return None
        message = no_room_message(error, self._endpoint.state_dir)
        logger.error("%s", message)
        return AwsError("InternalFailure", message, HTTPStatus.INSUFFICIENT_STORAGE)

    def _checked(self, recognised: Recognised, error: AwsError) -> AwsError:
        """Return the error, or another one if answers are checked and the operation does not document this one."""
        if self._checks_answers:
            try:
                response_checks.check_error(recognised.model, error)
            except AwsError as wrong:
                return wrong
        return error

    def _ask_moto(self, recognised: Recognised, environ: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
        captured: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[..., Any]:
            captured["status"], captured["headers"] = int(status.split(" ", 1)[0]), dict(headers)
            return lambda _data: None

        with self._kept(change_by(recognised.service, recognised.name)):
            body = b"".join(self._moto(protocol.moto_environ(environ, recognised, request), start_response))
        return protocol.parse_moto_response(recognised, captured["status"], captured["headers"], body)

    def _delegate(
        self, environ: dict[str, Any], start_response: StartResponse, scope: CredentialScope | None, request_id: str
    ) -> Iterable[bytes]:
        request = CurrentRequest(request_id, environ.get("REMOTE_ADDR", "127.0.0.1"), [], set(), {}, [])
        hidden: list[AwsError] = []
        start = self._with_request_id(start_response, environ, scope, request_id, hidden)
        token = current_request.set(request)
        try:
            with ExitStack() as stack:
                if _is_s3(scope) and is_upload(environ):
                    environ = stack.enter_context(received_body(environ, self._state.blobs))
                stack.enter_context(self._one_writer_per_object(environ, scope))
                change = change_of(environ, scope.signing_name if scope else None)
                stored = stack.enter_context(self._kept(change))
                if environ["PATH_INFO"] == _RESET_PATH:
                    self._state.forget()
                answer = self._moto(environ, start)
                causes = request.s3_events or request.deliveries
                deliveries = self._events.prepare(request.s3_events, request.deliveries) if causes else None
                if deliveries is not None:
                    stored |= deliveries.records
        except BrokenUploadError as error:
            return _send(_service_error(scope, HTTPStatus.BAD_REQUEST, error.code, str(error)), start_response)
        except NotImplementedError as error:
            return _send(_not_implemented(environ, scope, error), start_response)
        except Exception as error:  # noqa: BLE001 - the boundary: moto raises what it does not expect
            return _send(self._unexpected(error, environ, scope, request_id), start_response)
        else:
            if deliveries is not None:
                deliveries.start()
            if hidden:
                absence = hidden[0]
                status = HTTPStatus(absence.status)
                return _send(_service_error(scope, status, absence.code, absence.message), start_response)
            return answer
        finally:
            current_request.reset(token)

    def _with_request_id(
        self,
        start_response: StartResponse,
        environ: dict[str, Any],
        scope: CredentialScope | None,
        request_id: str,
        hidden: list[AwsError],
    ) -> StartResponse:
        """Return a ``start_response`` for moto that names our request id.

        An error that has to be answered instead is added to ``hidden``.
        """

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            kept = [(name, value) for name, value in headers if name.lower() not in _REQUEST_ID_HEADERS]
            named = ("x-amz-request-id" if _is_s3(scope) else "x-amzn-RequestId", request_id)
            if self._authorization is not None and status.startswith("404"):
                refused = self._authorization.absence(environ, scope)
                if refused is not None:
                    hidden.append(refused)
                    return lambda _data: None
            return start_response(status, [*kept, named], exc_info)

        return start

    @contextmanager
    def _kept(self, change: Change | None) -> Iterator[dict[str, bytes]]:
        """Store what moto changes in the block, and yield the dictionary of its deliveries (MotoState.recording)."""
        if change is None:
            yield {}
            return
        with self._state.recording(change) as deliveries:
            yield deliveries

    @contextmanager
    def _one_writer_per_object(self, environ: dict[str, Any], scope: CredentialScope | None) -> Iterator[None]:
        """Make moto's conditional writes atomic: it looks at the object first and writes it later."""
        writes = environ["REQUEST_METHOD"] in ("PUT", "POST", "DELETE")
        has_key = environ["PATH_INFO"].strip("/").count("/") > 0
        if not (writes and _is_s3(scope) and has_key) or "partNumber" in parse_qs(environ.get("QUERY_STRING", "")):
            yield
            return
        with self._object_locks.hold(environ["PATH_INFO"]):
            yield

    def _health(self) -> HttpResponse:
        endpoint = self._endpoint
        return _json_response(
            HTTPStatus.OK,
            {
                "status": "ready",
                "account_id": endpoint.account_id,
                "region": endpoint.region,
                "state_dir": str(endpoint.state_dir),
                "restored": str(self._state.restored),
            },
        )


class _KeyedLocks:
    """One lock per key, kept only while someone holds it or waits for it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, key: str) -> Iterator[None]:
        with self._guard:
            lock, holders = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, holders + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, holders = self._locks[key]
                if holders == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = (lock, holders - 1)


def _credential_scope(environ: dict[str, Any]) -> CredentialScope | None:
    """Return the scope from the ``Authorization`` header or a presigned URL; None for an unsigned request."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if found is None:
        presigned = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential")
        found = _CREDENTIAL.search(f"Credential={presigned[0]}") if presigned else None
    return CredentialScope(found[1], found[3], found[4].lower()) if found else None


def _scope_of_errors(environ: dict[str, Any], scope: CredentialScope | None) -> CredentialScope | None:
    """Return the scope that decides on the form of a refusal, also for an unsigned request; None for S3."""
    if "HTTP_X_AMZ_TARGET" in environ:
        return CredentialScope("", "", "json")
    is_form = str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")
    is_query = is_form or "Action=" in environ.get("QUERY_STRING", "")
    return CredentialScope("", "", "sts") if scope is None and is_query else scope


def _is_s3(scope: CredentialScope | None) -> bool:
    """Return whether S3 answers a request; unsigned ones are its, too."""
    return scope is None or scope.signing_name == "s3"


def _from_a_web_page(environ: dict[str, Any]) -> bool:
    """Return whether a browser has sent the request for a page of another site.

    Without this any site could start a job here: the endpoint needs no credentials, and moto allows every origin.
    """
    if environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site"):
        return True
    origin = environ.get("HTTP_ORIGIN")
    if origin and urlsplit(origin).hostname not in _LOOPBACK_NAMES:
        return True
    host = urlsplit(f"//{environ.get('HTTP_HOST', '127.0.0.1')}").hostname or ""
    known = host in _LOOPBACK_NAMES or host.endswith((".localhost", ".amazonaws.com", ".localhost.localstack.cloud"))
    return not known and "HTTP_SEC_FETCH_SITE" in environ


def _not_implemented(environ: dict[str, Any], scope: CredentialScope | None, error: Exception) -> HttpResponse:
    asked = environ.get("HTTP_X_AMZ_TARGET") or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    message = f"neither the local endpoint nor moto implements {asked} ({error})"
    return _service_error(scope, HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", message)


def _unexpected(
    error: Exception, environ: dict[str, Any], scope: CredentialScope | None, request_id: str
) -> HttpResponse:
    asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    if isinstance(error, sqlite3.OperationalError):
        logger.error("%s could not be stored", asked, exc_info=error)
        message = f"the local endpoint could not store what this request changes: {error}"
    else:
        logger.error("moto failed on %s", asked, exc_info=error)
        message = f"moto failed on this request; the log of the local endpoint has request {request_id}"
    return _service_error(scope, HTTPStatus.INTERNAL_SERVER_ERROR, "InternalFailure", message)


def _service_error(scope: CredentialScope | None, status: HTTPStatus, code: str, message: str) -> HttpResponse:
    if scope is not None and scope.signing_name not in XML_SERVICES:
        return _json_response(status, {"__type": code, "message": message})
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    body = f"<Error>{inner}</Error>" if _is_s3(scope) else f"<ErrorResponse><Error>{inner}</Error></ErrorResponse>"
    return HttpResponse(status, {"Content-Type": "text/xml"}, body.encode())


def _other_region(region: str, expected: str) -> HttpResponse:
    """Return S3's error for a wrong region. It names the expected region, and clients sign again for that."""
    message = f"The authorization header is malformed; the region '{region}' is wrong; expecting '{expected}'"
    code = "AuthorizationHeaderMalformed"
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message><Region>{expected}</Region></Error>"
    return HttpResponse(HTTPStatus.BAD_REQUEST, {"Content-Type": "application/xml"}, body.encode())


def _json_response(status: HTTPStatus, content: dict[str, Any]) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": "application/json"}, json.dumps(content).encode())


def _send(response: HttpResponse, start_response: StartResponse) -> Iterable[bytes]:
    headers = {**response.headers, "Content-Length": str(len(response.body))}
    start_response(f"{int(response.status)} {HTTPStatus(response.status).phrase}", list(headers.items()))
    return [response.body]
