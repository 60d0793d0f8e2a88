"""Who has sent a request: its signature is checked, and must be made with a key that the endpoint has given out.

This holds where IAM is enforced. A refusal has the code, the status and the words of the service that is asked:
"Error responses" in the S3 API reference, "Common errors" in the references of IAM (query) and SageMaker (JSON).
"""

from __future__ import annotations

import hmac
import io
import time
from collections.abc import Mapping
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.answers import XML_SERVICES
from localmaker.http.protocol import recognise
from localmaker.ports import CredentialScope
from localmaker.services.iam.sessions import Key, Principal, Sessions
from localmaker.services.iam.signatures import (
    MalformedSignatureError,
    Signature,
    address_by_path,
    body_hash,
    find_signature,
    is_sha256,
    sha256_of,
)
from localmaker.state.contents import is_upload
from localmaker.state.credentials import Credentials

_SKEW_SECONDS = 900
# moto decides about them by their path alone, whatever the signature is for.
_NOT_OF_AWS = ("/moto-api", "/favicon.ico", "/latest/meta-data/", "/latest/api/")
_INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a message
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method."
)
_EC2 = ("AuthFailure", 401, "AWS was not able to validate the provided access credentials")
_LATE = "Signature expired: it is more than 15 min. from the current time."
#: What is wrong → kind of service → code, HTTP status and message.
_ERRORS: Mapping[str, Mapping[str, tuple[str, int, str]]] = {
    "missing": {
        "s3": ("AccessDenied", 403, "Access Denied"),
        "query": ("MissingAuthenticationToken", 403, "Request is missing Authentication Token"),
        "json": ("MissingAuthenticationTokenException", 400, "Missing Authentication Token"),
    },
    "malformed": {
        "s3": ("AuthorizationHeaderMalformed", 400, ""),
        "query": ("IncompleteSignature", 400, ""),
        "json": ("IncompleteSignatureException", 400, ""),
    },
    "key": {
        "s3": ("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."),
        "query": ("InvalidClientTokenId", 403, _INVALID_TOKEN),
        "json": ("UnrecognizedClientException", 400, _INVALID_TOKEN),
        "ec2": _EC2,
    },
    "token": {
        "s3": ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
        "query": ("InvalidClientTokenId", 403, _INVALID_TOKEN),
        "json": ("UnrecognizedClientException", 400, _INVALID_TOKEN),
        "ec2": _EC2,
    },
    "expired": {
        "s3": ("ExpiredToken", 400, "The provided token has expired."),
        "query": ("ExpiredToken", 403, "The security token included in the request is expired"),
        "json": ("ExpiredTokenException", 400, "The security token included in the request is expired"),
    },
    "signature": {
        "s3": ("SignatureDoesNotMatch", 403, _MISMATCH),
        "query": ("SignatureDoesNotMatch", 403, _MISMATCH),
        "json": ("InvalidSignatureException", 400, _MISMATCH),
        "ec2": _EC2,
    },
    "clock": {
        "s3": (
            "RequestTimeTooSkewed",
            403,
            "The difference between the request time and the current time is too large.",
        ),
        "query": ("SignatureDoesNotMatch", 403, _LATE),
        "json": ("InvalidSignatureException", 400, _LATE),
    },
    "over": {"s3": ("AccessDenied", 403, "Request has expired")},
    "body": {
        "s3": (
            "XAmzContentSHA256Mismatch",
            400,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ),
        "query": ("SignatureDoesNotMatch", 403, _MISMATCH),
        "json": ("InvalidSignatureException", 400, _MISMATCH),
        "ec2": _EC2,
    },
}


class Authentication:
    """Finds out who has sent a request, and refuses it if that is nobody who was given credentials.

    Args:
        sessions: knows the access keys.
        administrator: may do everything.
        region: of the endpoint.
    """

    def __init__(self, sessions: Sessions, administrator: Credentials, region: str) -> None:
        self._sessions = sessions
        self._administrator = Key(administrator, None)
        self._region = region

    def principal(self, environ: dict[str, Any], scope: CredentialScope | None) -> Principal | None:
        """Return who has sent a request; None for the administrator.

        Args:
            environ: WSGI environment. A body that was read is put back; a bucket in the host is moved into the path,
                and a signature in the URL into a header, so that whoever answers finds the service that it is for.
            scope: what the gateway takes the request to be signed for.

        Raises:
            AwsError: the request is not signed with a key that the endpoint has given out.
        """
        kind = _kind(environ, scope.signing_name if scope is not None else None)
        try:
            signature = find_signature(environ, self._region)
        except MalformedSignatureError as error:
            raise _error("malformed", kind, str(error)) from error
        if signature is None:
            raise _error("missing", kind)
        signed_for = CredentialScope(signature.access_key, signature.region, signature.service)
        # Only S3's URLs can be presigned here: of another service, nobody would know which one it is.
        if scope not in (None, signed_for) or (signature.expires is not None and signature.service != "s3"):
            raise _error("malformed", kind, "The authentication parameters are ambiguous.")
        # Operations of the endpoint's own are found by their target alone.
        recognised = recognise(environ, signed_for) if "HTTP_X_AMZ_TARGET" in environ else None
        if recognised is not None and recognised.model.service_model.signing_name != signature.service:
            raise _error("malformed", kind, "Credential should be scoped to the service that the request is for.")
        key = self._verified(environ, signature, kind)
        if key.principal is not None and environ["PATH_INFO"].startswith(_NOT_OF_AWS):
            raise AwsError("AccessDenied", "only the endpoint's administrator may ask for this", 403)
        if signature.service == "s3":
            address_by_path(environ)
        if signature.expires is not None:
            environ["HTTP_AUTHORIZATION"] = signature.header()
        return key.principal

    def _verified(self, environ: dict[str, Any], signature: Signature, kind: str) -> Key:
        """Return the key of a request with a valid signature."""
        known = self._administrator.credentials.access_key == signature.access_key
        key = self._administrator if known else self._sessions.key(signature.access_key)
        if key is None:
            raise _error("key", kind)
        token = key.credentials.token or ""
        if not hmac.compare_digest(token.encode(), (signature.token or "").encode()):
            raise _error("token", kind)
        declared = body_hash(environ, signature)
        if declared is None and signature.service == "s3":
            raise AwsError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
        # The content of an object is read where it is written, and its checksums are compared there.
        is_read = declared is None or (is_sha256(declared) and not (signature.service == "s3" and is_upload(environ)))
        actual = sha256_of(_body(environ)) if is_read else declared
        expected = signature.expected(environ, key.credentials.secret_key, declared or actual or "")
        if not hmac.compare_digest(expected.encode(), signature.value.encode()) or signature.leaves_out(environ):
            raise _error("signature", kind)
        if declared not in (None, actual):
            raise _error("body", kind)
        now = time.time()
        if signature.expires is not None and signature.expires < now:
            raise _error("over", kind)
        made = signature.at.timestamp()
        if made > now + _SKEW_SECONDS or (signature.expires is None and made < now - _SKEW_SECONDS):
            raise _error("clock", kind)
        if key.expired:
            raise _error("expired", kind)
        return key


def _kind(environ: Mapping[str, Any], service: str | None) -> str:
    """Return which service's words a refusal has to have."""
    if "HTTP_X_AMZ_TARGET" in environ:
        return "json"
    if service is None:
        is_form = str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")
        return "query" if is_form or "Action=" in environ.get("QUERY_STRING", "") else "s3"
    return service if service in ("s3", "ec2") else "query" if service in XML_SERVICES else "json"


def _error(what: str, kind: str, message: str = "") -> AwsError:
    words = _ERRORS[what]
    code, status, text = words[kind] if kind in words else words["query"]
    return AwsError(code, message or text, status)


def _body(environ: dict[str, Any]) -> bytes:
    """Return the body, and put it back."""
    if environ.get("wsgi.input_terminated"):
        body = environ["wsgi.input"].read()
    else:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return bytes(body)
