"""Requests that S3 refuses, or takes, and that moto's S3 fails on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.parsers.expat import ExpatError

from moto.s3 import responses
from moto.s3.exceptions import InvalidArgumentError, MalformedXML, NoSuchUpload, S3ClientError
from moto.s3.models import MultipartDict, get_canned_acl
from moto.s3.responses import S3Response


def install() -> None:
    """Put the answers into moto, for the whole process; doing it again changes nothing."""
    MultipartDict.__missing__ = _no_such_upload
    S3Response.copy_object = _with_a_source(S3Response.copy_object)
    S3Response.upload_part_copy = _with_a_source(S3Response.upload_part_copy)
    S3Response._complete_multipart_body = _complete_multipart_body  # noqa: SLF001 - moto has no hook for it
    S3Response._tagging_from_xml = _tagging_from_xml  # noqa: SLF001 - as above
    responses.get_canned_acl = _canned_acl


_moto_complete_multipart_body = S3Response._complete_multipart_body  # noqa: SLF001 - as above

_moto_tagging_from_xml = S3Response._tagging_from_xml  # noqa: SLF001 - as above


def _no_such_upload(_uploads: Any, upload_id: str) -> Any:
    raise NoSuchUpload(upload_id)


def _with_a_source(function: Callable[..., Any]) -> Callable[..., Any]:
    if hasattr(function, "has_a_source"):
        return function

    @functools.wraps(function)
    def with_a_source(response: Any, *args: Any, **kwargs: Any) -> Any:
        source = unquote(urlsplit(str(response.headers.get("x-amz-copy-source"))).path).lstrip("/")
        if not all(source.partition("/")[::2]):
            name = "x-amz-copy-source"
            raise InvalidArgumentError("Invalid copy source object key", name, name)
        return function(response, *args, **kwargs)

    vars(with_a_source)["has_a_source"] = True
    return with_a_source


def _complete_multipart_body(response: Any, body: bytes) -> Iterator[tuple[int, str]]:
    try:
        parts = list(_moto_complete_multipart_body(response, body))
    except (ExpatError, IndexError, ValueError) as error:
        raise (MalformedXML() if body else _no_parts()) from error
    if not parts:
        raise _no_parts()
    return iter(parts)


def _no_parts() -> S3ClientError:
    return S3ClientError("InvalidRequest", "You must specify at least one part")


def _tagging_from_xml(response: Any) -> dict[str, str]:
    try:
        tags: dict[str, str] = _moto_tagging_from_xml(response)
    except TypeError:  # moto looks into the set of tags, and there are none
        return {}
    return tags


def _canned_acl(name: str) -> Any:
    try:
        return get_canned_acl(name)
    except AssertionError as error:
        raise InvalidArgumentError("", "x-amz-acl", name) from error
