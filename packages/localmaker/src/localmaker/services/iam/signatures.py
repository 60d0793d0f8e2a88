"""The signature of an HTTP request: found in it, and computed again with botocore's own signers.

Sources: "Signature Version 4 for API requests" in the IAM user guide; "Authenticating requests" in the S3 API
reference, also for presigned URLs of version 2, which boto3 still makes by default.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote_to_bytes, urlsplit

from botocore.auth import HmacV1QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from botocore.utils import normalize_url_path

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_SCOPE = r"(?P<access_key>\w+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request"
_HEADER = re.compile(
    rf"AWS4-HMAC-SHA256 Credential={_SCOPE}, *"
    r"SignedHeaders=(?P<headers>[^,\s]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
_PRESIGNED = {"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"}
_PRESIGNED_2 = ("AWSAccessKeyId", "Signature", "Expires")
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_UNRESERVED = "-_.~"
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Version 2 covers these headers and all that begin with x-amz-.
_HEADERS_2 = ("content-md5", "content-type")
_BUCKET_IN_HOST = re.compile(
    r"(?!s3\.localhost)(?P<bucket>[a-z0-9][a-z0-9.-]*)\.(s3([.-][a-z0-9.-]+)?\.amazonaws\.com(\.cn)?|(s3\.)?localhost(\.localstack\.cloud)?)"
)


class MalformedSignatureError(Exception):
    """A request has a signature that cannot be read."""


@dataclass(frozen=True)
class Signature:
    """The signature of a request, and what it says about itself.

    Attributes:
        access_key, region, service: its scope.
        at: when it was made.
        expires: seconds since 1970 at which a presigned URL expires; None for a signature in headers.
        token: the session token.
        headers: names of the headers that it covers.
        value: the signature itself.
        version: 4, or 2 for presigned URLs of S3.
    """

    access_key: str
    region: str
    service: str
    at: datetime
    expires: int | None
    token: str | None
    headers: tuple[str, ...]
    value: str
    version: int = 4

    def expected(self, environ: Mapping[str, Any], secret_key: str, body_sha256: str) -> str:
        """Return the signature that the holder of a secret key makes for a request.

        Args:
            environ: WSGI environment.
            secret_key: of the access key.
            body_sha256: hexadecimal, or what stands for it.
        """
        credentials = Credentials(self.access_key, secret_key)
        if self.version == 2:  # noqa: PLR2004 - the version's own number
            return _expected_2(self, environ, credentials)
        auth = SigV4Auth(credentials, self.service, self.region)
        request = AWSRequest()
        request.context["timestamp"] = self.at.strftime(_TIMESTAMP)
        text = auth.string_to_sign(request, self._canonical_request(environ, body_sha256))
        return str(auth.signature(text, request))

    def _canonical_request(self, environ: Mapping[str, Any], body_sha256: str) -> str:
        path, query = _raw_path(environ), environ.get("QUERY_STRING", "")
        # Every service but S3 encodes the path that is sent once more.
        canonical_path = (
            "/".join(_encoded(one) for one in path.split("/"))
            if self.service == "s3"
            else quote(normalize_url_path(path), safe="/~")
        )
        pairs = sorted((_encoded(name), _encoded(value)) for name, value in _pairs(query))
        parameters = "&".join(f"{name}={value}" for name, value in pairs if name != "X-Amz-Signature")
        headers = "".join(f"{name}:{' '.join(_header(environ, name).split())}\n" for name in self.headers)
        lines = (environ["REQUEST_METHOD"], canonical_path, parameters, headers, ";".join(self.headers), body_sha256)
        return "\n".join(lines)

    def header(self) -> str:
        """Return the header of a request that is signed in its URL, for readers of scopes: it verifies nothing."""
        scope = f"{self.access_key}/{self.at:%Y%m%d}/{self.region}/{self.service}/aws4_request"
        return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={self.value}"

    def leaves_out(self, environ: Mapping[str, Any]) -> bool:
        """Return whether the request has headers that change its meaning and that the signature does not cover."""
        if self.version == 2:  # noqa: PLR2004 - as above
            return False
        covered = {_key(name) for name in self.headers}
        of_aws = {name for name in environ if name.startswith("HTTP_X_AMZ_")}
        if self.expires is not None:
            of_aws.discard("HTTP_X_AMZ_CONTENT_SHA256")
        return not ({"HTTP_HOST"} | of_aws) <= covered


def find_signature(environ: Mapping[str, Any], region: str) -> Signature | None:
    """Return the signature of a request; None for an unsigned one.

    Args:
        environ: WSGI environment.
        region: of the endpoint; version 2 does not name one.

    Raises:
        MalformedSignatureError: there are several, or one that is incomplete.
    """
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    header = environ.get("HTTP_AUTHORIZATION")
    found = [header is not None, "X-Amz-Signature" in query or "X-Amz-Credential" in query, "Signature" in query]
    if not any(found):
        return None
    repeated = [name for name in query if len(query[name]) > 1 and name.startswith(("X-Amz-", *_PRESIGNED_2))]
    if sum(found) > 1 or repeated:
        raise MalformedSignatureError("Only one authentication mechanism is allowed.")
    once = {name: values[0] for name, values in query.items()}
    try:
        if header is not None:
            return _in_headers(environ, header)
        return _presigned(once) if found[1] else _presigned_2(once, environ, region)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MalformedSignatureError("The authentication parameters are incomplete or malformed.") from error


def body_hash(environ: Mapping[str, Any], signature: Signature) -> str | None:
    """Return what a request declares as the SHA-256 of its body, or instead of it; None if it declares nothing."""
    declared: str | None = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if declared is not None and "x-amz-content-sha256" in signature.headers:
        return declared
    return UNSIGNED_PAYLOAD if signature.expires is not None else declared


def is_sha256(text: str) -> bool:
    """Return whether a declared hash is one, and not the name of what stands for it."""
    return _SHA256.fullmatch(text) is not None


def sha256_of(body: bytes) -> str:
    """Return the hexadecimal SHA-256."""
    return hashlib.sha256(body).hexdigest()


def address_by_path(environ: dict[str, Any]) -> None:
    """Move the bucket from the host into the path, so that everybody who looks finds the same one."""
    bucket = _bucket_in_host(environ)
    if bucket is not None:
        raw = urlsplit(environ["RAW_URI"])
        uri = f"/{bucket}{_raw_path(environ)}" + (f"?{raw.query}" if raw.query else "")
        environ.update(PATH_INFO=f"/{bucket}{environ['PATH_INFO']}", RAW_URI=uri, REQUEST_URI=uri)
    environ["HTTP_HOST"] = f"127.0.0.1:{environ.get('SERVER_PORT', '')}"


def _in_headers(environ: Mapping[str, Any], header: str) -> Signature:
    found = _HEADER.fullmatch(header)
    if found is None:
        raise MalformedSignatureError(
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        )
    date = environ.get("HTTP_X_AMZ_DATE")
    at = _time(date) if date is not None else parsedate_to_datetime(environ["HTTP_DATE"]).astimezone(UTC)
    _check_date(found, at)
    return Signature(
        found["access_key"],
        found["region"],
        found["service"],
        at=at,
        expires=None,
        token=environ.get("HTTP_X_AMZ_SECURITY_TOKEN"),
        headers=tuple(found["headers"].split(";")),
        value=found["signature"],
    )


def _presigned(query: Mapping[str, str]) -> Signature:
    values = {name: query[f"X-Amz-{name}"] for name in _PRESIGNED}
    at, seconds = _time(values["Date"]), int(values["Expires"])
    found = re.fullmatch(_SCOPE, values["Credential"])
    if found is None or values["Algorithm"] != "AWS4-HMAC-SHA256" or not 0 < seconds <= 7 * 24 * 3600:
        raise ValueError(values["Credential"])
    _check_date(found, at)
    return Signature(
        found["access_key"],
        found["region"],
        found["service"],
        at=at,
        expires=int(at.timestamp()) + seconds,
        token=query.get("X-Amz-Security-Token"),
        headers=tuple(values["SignedHeaders"].split(";")),
        value=values["Signature"],
    )


def _check_date(found: re.Match[str], at: datetime) -> None:
    if at.strftime("%Y%m%d") != found["date"]:
        raise MalformedSignatureError("The date of the credential scope is not that of the request.")


def _presigned_2(query: Mapping[str, str], environ: Mapping[str, Any], region: str) -> Signature:
    key, value, expires = (query[name] for name in _PRESIGNED_2)
    token = query.get("x-amz-security-token") or environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
    return Signature(key, region, "s3", datetime.now(UTC), int(expires), token, (), value, version=2)


class _Version2(HmacV1QueryAuth):
    """The signer of presigned URLs, for a URL that has its time of expiry already."""

    def __init__(self, credentials: Credentials, at: int | None) -> None:
        super().__init__(credentials)
        self._at = at

    def _get_date(self) -> str:
        return str(self._at)


def _expected_2(signature: Signature, environ: Mapping[str, Any], credentials: Credentials) -> str:
    query = environ.get("QUERY_STRING", "")
    headers: Any = HTTPHeaders()  # its type is that of the standard library's messages
    sent = {name[5:].lower().replace("_", "-"): environ[name] for name in environ if name.startswith("HTTP_X_AMZ_")}
    sent |= {name: _header(environ, name) for name in _HEADERS_2 if _header(environ, name)}
    # Clients move headers into the query; botocore signs them as headers nevertheless.
    moved = {name: values[0] for name, values in parse_qs(query).items() if name.startswith(("x-amz-", *_HEADERS_2))}
    for name, value in (sent | moved).items():
        headers[name] = value
    bucket = _bucket_in_host(environ)
    path = _raw_path(environ)
    return str(
        _Version2(credentials, signature.expires).get_signature(
            environ["REQUEST_METHOD"],
            SplitResult("", "", path, query, ""),
            headers,
            auth_path=f"/{bucket}{path}" if bucket else path,
        )
    )


def _time(text: str) -> datetime:
    return datetime.strptime(text, _TIMESTAMP).replace(tzinfo=UTC)


def _raw_path(environ: Mapping[str, Any]) -> str:
    raw = str(environ["RAW_URI"]).partition("?")[0]
    return raw if raw.startswith("/") else urlsplit(raw).path or "/"


def _bucket_in_host(environ: Mapping[str, Any]) -> str | None:
    host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
    found = _BUCKET_IN_HOST.fullmatch(host)
    return found["bucket"] if found else None


def _pairs(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (one.partition("=") for one in query.split("&") if one)]


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe=_UNRESERVED)


def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _header(environ: Mapping[str, Any], name: str) -> str:
    return str(environ.get(_key(name), ""))
