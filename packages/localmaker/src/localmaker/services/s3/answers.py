"""What S3's answers say beside what moto's say: kinds of checksums, and in lists what was asked for.

Every object is encrypted (``x-amz-server-side-encryption``). A checksum comes with its kind (``x-amz-checksum-type``).
Lists repeat where they begin; an owner has no name any more.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from moto.core.responses import ActionResult
from moto.s3.responses import S3Response

from localmaker.services.s3 import parts as s3_parts

# Answers about an object itself carry it, those about its tags, rights and the like do not.
_OF_THE_OBJECT = {"partNumber", "uploadId", "uploads", "versionId", "x-id"}
_IN_SIGNED_URLS = ("X-Amz-", "AWSAccessKeyId", "Signature", "Expires", "response-")
_CHECKSUM = "x-amz-checksum-"
_ANSWERS: dict[str, dict[str, tuple[str, str | None]]] = {
    # Member of the answer, parameter of the request, and what stands there without one; None leaves it out.
    "list_objects": {"Marker": ("marker", ""), "Prefix": ("prefix", "")},
    "list_objects_v2": {"ContinuationToken": ("continuation-token", None)},
    "list_object_versions": {"EncodingType": ("encoding-type", None)},
    "copy_object": {},
    "get_object_attributes": {},
}


def install() -> None:
    """Put it into moto, for the whole process; doing it again changes nothing."""
    S3Response._key_response = _key_response  # noqa: SLF001 - moto has no hook for it
    for name, function in _moto_answers.items():
        setattr(S3Response, name, _saying_more(function, _ANSWERS[name]))


_moto_key_response = S3Response._key_response  # noqa: SLF001 - as above
_moto_answers = {name: getattr(S3Response, name) for name in _ANSWERS}
_moto_answers["get_object_attributes"] = s3_parts.get_object_attributes


def _key_response(response: Any, request: Any, full_url: str) -> Any:
    answer = _moto_key_response(response, request, full_url)
    query = parse_qs(urlsplit(full_url).query, keep_blank_values=True)
    about_it = all(name in _OF_THE_OBJECT or name.startswith(_IN_SIGNED_URLS) for name in query)
    if (
        isinstance(answer, tuple)
        and request.method != "DELETE"
        and about_it
        and answer[0] < HTTPStatus.MULTIPLE_CHOICES
    ):
        answer[1].setdefault("x-amz-server-side-encryption", "AES256")
        if "partNumber" not in query:
            _say_kind_of_checksum(answer[1])
    return answer


def _say_kind_of_checksum(headers: dict[str, Any]) -> None:
    values = [value for name, value in headers.items() if name.lower().startswith(_CHECKSUM)]
    if values and f"{_CHECKSUM}type" not in {name.lower() for name in headers}:
        headers[f"{_CHECKSUM}type"] = _kind_of_checksum(values)


def _kind_of_checksum(values: list[Any]) -> str:
    # Those of an upload in parts end with the number of parts, unless they are of the whole object.
    return "COMPOSITE" if any("-" in str(value) for value in values) else "FULL_OBJECT"


def _saying_more(function: Callable[..., Any], repeated: dict[str, tuple[str, str | None]]) -> Callable[..., Any]:
    def saying_more(response: Any) -> Any:
        serialized = response.serialized

        def with_more(answer: Any) -> Any:
            return serialized(ActionResult(_completed(response, answer.result, repeated)))

        response.serialized = with_more
        return function(response)

    return saying_more


def _completed(response: Any, result: Any, repeated: dict[str, tuple[str, str | None]]) -> Any:
    if not isinstance(result, dict):
        return result
    for member, (parameter, default) in repeated.items():
        value = response.querystring.get(parameter, [default])[0]
        if value is not None:
            result.setdefault(member, value)
    for name in ("Contents", "Versions"):
        for entry in result.get(name) or ():
            _complete_entry(response, entry, is_encoded=result.get("EncodingType") == "url")
    for entry in result.get("DeleteMarkers") or ():
        (entry.get("Owner") or {}).pop("DisplayName", None)
    for name in ("CopyObjectResult", "Checksum"):
        if isinstance(result.get(name), dict):
            _complete_checksum(result[name])
    return result


def _complete_entry(response: Any, entry: dict[str, Any], *, is_encoded: bool) -> None:
    (entry.get("Owner") or {}).pop("DisplayName", None)
    if "ChecksumAlgorithm" not in entry:
        key = unquote(entry["Key"]) if is_encoded else entry["Key"]
        versions = response.backend.get_bucket(response.bucket_name).keys.getlist(key, [])
        wanted = [one for one in versions if entry.get("VersionId") in (None, one.version_id)]
        algorithm = getattr(wanted[-1], "checksum_algorithm", None) if wanted else None
        if algorithm is None:
            return
        entry["ChecksumAlgorithm"] = [algorithm]
    entry.setdefault("ChecksumType", "FULL_OBJECT")


def _complete_checksum(result: dict[str, Any]) -> None:
    values = [
        value for name, value in result.items() if name.startswith("Checksum") and name != "ChecksumType" and value
    ]
    if values and not result.get("ChecksumType"):
        result["ChecksumType"] = _kind_of_checksum(values)
