"""The WSGI application of the endpoint: our own operations first, moto for the rest."""

from __future__ import annotations

import io
import logging
import posixpath
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from localmaker.errors import AwsError
from localmaker.http import answers, browsers, clock, protocol, response_checks
from localmaker.http.answers import is_s3, json_response, send
from localmaker.http.bounds import Memory, Reserve, unzipped, with_body
from localmaker.http.documents import require_document, require_page
from localmaker.http.operations import RequestContext
from localmaker.http.protocol import HttpResponse, Recognised
from localmaker.ports import (
    Authorizer,
    CredentialScope,
    CurrentRequest,
    EventMatcher,
    Interceptor,
    LocalEndpoint,
    MovableClock,
    current_request,
)
from localmaker.state.changes import Change, change_by, change_of
from localmaker.state.contents import is_upload, received_body
from localmaker.state.moto_state import MotoState

logger = logging.getLogger(__name__)

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request")
# Such as signature version 2.
_OTHER_SCHEME = re.compile(r"(?!AWS4-)\S+ \S")
HEALTH_PATH = "/_local/health"
CONSOLE_PATH = "/_console"
_RESET_PATH = "/moto-api/reset"
# It writes every request to a file, and sends requests from one; moto's own authorization would refuse everybody.
_REFUSED = (("/moto-api/recorder", "moto's recorder"), ("/moto-api/reset-auth", "moto's own authorization"))
_REQUEST_ID_HEADERS = {"x-amzn-requestid", "x-amz-request-id"}

StartResponse = Callable[..., Any]


class Gateway:
    """Answers every request that arrives at the endpoint.

    Args:
        endpoint: handed to our own operations.
        moto: moto's WSGI application.
        state: keeps what moto's answers change.
        authorization: is asked about every request; None allows all.
        events: is given what happens in S3.
        movable_clock: of schedules, which a control request moves.
        forget: forgets everything but moto's state; called before that is reset.
        console: answers requests for the page that people read.
        habits: answers instead, with the services at hand; None lets these answer.
    """

    def __init__(
        self,
        endpoint: LocalEndpoint,
        moto: Callable[..., Iterable[bytes]],
        state: MotoState,
        *,
        authorization: Authorizer | None,
        events: EventMatcher,
        movable_clock: MovableClock,
        forget: Callable[[], None],
        console: Callable[[dict[str, Any]], HttpResponse],
        habits: Interceptor | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._moto = moto
        self._state = state
        self._authorization = authorization
        self._events = events
        self._clock = movable_clock
        self._forget = forget
        self._console = console
        self._habits = habits
        self._memory = Memory()
        self._object_locks = _KeyedLocks()
        self._checks_answers = response_checks.are_on()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one WSGI request."""
        request_id = str(uuid.uuid4())
        unguarded, start_response = start_response, browsers.guarded(start_response)
        foreign = browsers.refusal(environ)
        if foreign is not None:
            refusal = {"__type": "AccessDeniedException", "message": foreign}
            return send(json_response(HTTPStatus.FORBIDDEN, refusal), start_response)
        if environ["PATH_INFO"] == HEALTH_PATH:
            return send(self._health(), start_response)
        if f"{environ['PATH_INFO']}/".startswith(f"{CONSOLE_PATH}/"):
            # The one thing here that browsers may show; it has guards of its own.
            return send(self._console(environ), unguarded)
        with self._memory.share() as reserve:
            return self._served(environ, start_response, request_id, reserve)

    def _served(
        self, environ: dict[str, Any], start_response: StartResponse, request_id: str, reserve: Reserve
    ) -> Iterable[bytes]:
        scope = _credential_scope(environ)
        try:
            environ = self._admitted(environ, scope, reserve)
        except AwsError as error:
            return send(answers.refusal(error, environ, scope), start_response)
        if environ["PATH_INFO"] == clock.CLOCK_PATH:
            return send(clock.answer(environ, self._clock), start_response)
        # A signature in the URL may be in a header now.
        scope = _credential_scope(environ)

        def perform(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            return self._performed(environ, start_response, scope, request_id)

        if self._habits is not None and scope is not None:
            return self._habits.answer(environ, start_response, scope, perform)
        return perform(environ, start_response)

    def _performed(
        self, environ: dict[str, Any], start_response: StartResponse, scope: CredentialScope | None, request_id: str
    ) -> Iterable[bytes]:
        if is_s3(scope):
            region = scope.region if scope is not None else self._endpoint.region
            if region != self._endpoint.region and not protocol.is_region_name(region):
                return send(answers.other_region(region, self._endpoint.region), start_response)
        if not is_s3(scope) or "HTTP_X_AMZ_TARGET" in environ:
            recognised = protocol.recognise(environ, scope)
            if recognised is not None:
                return send(self._answer(recognised, environ, scope, request_id), start_response)
        return self._delegate(environ, start_response, scope, request_id)

    def _admitted(self, environ: dict[str, Any], scope: CredentialScope | None, reserve: Reserve) -> dict[str, Any]:
        """Return a request with its body, if it is one that a service would look at.

        Raises:
            AwsError: it is not signed for a service, too large, not allowed, or for what is not available here.
        """
        environ = with_body(environ, scope, reserve)
        denied = self._authorization.refusal(environ, scope) if self._authorization is not None else None
        if denied is not None:
            raise denied
        scope = _credential_scope(environ)
        _require_signature(environ, scope)
        _require_available(environ["PATH_INFO"])
        if "HTTP_X_AMZ_TARGET" in environ and environ["REQUEST_METHOD"] != "POST":
            raise AwsError("UnknownOperationException", "an operation that X-Amz-Target names is sent by POST")
        if is_s3(scope):
            _require_owner(environ, self._endpoint.account_id)
        if is_s3(scope) and isinstance(environ["wsgi.input"], io.BytesIO):
            require_document(environ)
        if is_s3(scope) and environ["REQUEST_METHOD"] == "GET":
            require_page(environ)
        return unzipped(environ, scope, reserve)

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
        except Exception as error:  # noqa: BLE001 - the boundary: one broken handler must not take the connection with it
            failure = answers.error_of(error, environ, scope, request_id, self._endpoint.state_dir)
            return protocol.serialise_error(recognised, failure, request_id)

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
        resets = environ["PATH_INFO"] == _RESET_PATH and environ["REQUEST_METHOD"] == "POST"
        start = self._with_request_id(start_response, environ, scope, request_id, hidden)
        token = current_request.set(request)
        try:
            if resets:
                # What it stops still makes requests, so it cannot be a part of this one.
                self._forget()
            with ExitStack() as stack:
                if is_s3(scope) and is_upload(environ):
                    environ = stack.enter_context(received_body(environ, self._state.blobs))
                stack.enter_context(self._one_writer_per_object(environ, scope))
                change = change_of(environ, scope.signing_name if scope else None)
                stored = stack.enter_context(self._kept(change))
                if resets:
                    self._state.forget()
                answer = self._moto(environ, start)
                causes = request.s3_events or request.deliveries
                deliveries = self._events.prepare(request.s3_events, request.deliveries) if causes else None
                if deliveries is not None:
                    stored |= deliveries.records
        except Exception as error:  # noqa: BLE001 - the boundary: moto raises what it does not expect
            failure = answers.error_of(error, environ, scope, request_id, self._endpoint.state_dir)
            return send(answers.refusal(failure, environ, scope), start_response)
        else:
            if deliveries is not None:
                deliveries.start()
            if hidden:
                return send(answers.refusal(hidden[0], environ, scope), start_response)
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
            named = ("x-amz-request-id" if is_s3(scope) else "x-amzn-RequestId", request_id)
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
        if not (writes and is_s3(scope) and has_key) or "partNumber" in parse_qs(environ.get("QUERY_STRING", "")):
            yield
            return
        with self._object_locks.hold(environ["PATH_INFO"]):
            yield

    def _health(self) -> HttpResponse:
        endpoint = self._endpoint
        return json_response(
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


def _require_signature(environ: dict[str, Any], scope: CredentialScope | None) -> None:
    """Refuse an ``Authorization`` header that does not say for which service the request is signed.

    Raises:
        AwsError: IncompleteSignature.
    """
    header = environ.get("HTTP_AUTHORIZATION")
    if header is None or (scope is None and _OTHER_SCHEME.match(header) is not None):
        return
    if scope is None:
        raise AwsError("IncompleteSignature", "the Authorization header names no key, region and service")
    if not is_s3(scope) and not protocol.is_region_name(scope.region):
        raise AwsError(
            "IncompleteSignature", f"{scope.region!r} in the Authorization header is not the name of a region"
        )


def _require_available(path: str) -> None:
    """Refuse what moto offers besides AWS and may not do here.

    Raises:
        AwsError: AccessDenied.
    """
    # However it is written.
    whole = posixpath.normpath(f"/{path.lstrip('/')}")
    for prefix, name in _REFUSED:
        if whole.startswith(prefix):
            raise AwsError("AccessDenied", f"{name} is not available in the local endpoint", HTTPStatus.FORBIDDEN)


def _require_owner(environ: dict[str, Any], account_id: str) -> None:
    """Refuse a request to S3 that expects a bucket to be another account's: all are of the endpoint's.

    Raises:
        AwsError: AccessDenied, as on AWS; or the header names no account.
    """
    for name in ("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER", "HTTP_X_AMZ_SOURCE_EXPECTED_BUCKET_OWNER"):
        expected = environ.get(name, account_id)
        if not re.fullmatch("[0-9]{12}", expected):
            message = "The value of the expected bucket owner parameter must be an AWS Account ID... [0-9]{12}"
            raise AwsError("InvalidBucketOwnerAWSAccountID", message, HTTPStatus.BAD_REQUEST)
        if expected != account_id:
            raise AwsError("AccessDenied", "Access Denied", HTTPStatus.FORBIDDEN)
