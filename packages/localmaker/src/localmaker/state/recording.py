"""Which requests to moto may change something."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

_READS = (
    "Get", "List", "Describe", "Head", "BatchGet", "Lookup", "Search", "Filter", "Query", "Scan", "Select", "Test",
    "Validate", "Simulate", "Estimate", "Preview", "Check",
)  # fmt: skip
#: Operations of SQS that change messages and nothing else.
MESSAGE_OPERATIONS = {
    *("SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch"),
    *("ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "PurgeQueue"),
}
# Each queue does one thing at a time by itself; the others wait for something that another request brings.
_NOT_ALONE = MESSAGE_OPERATIONS | {"Invoke", "StartSyncExecution"}
_LARGEST_FORM = 1 << 24


@dataclass(frozen=True)
class Change:
    """A request that may change moto's state.

    Attributes:
        service: the signing name; empty where there is none.
        operation: its name; empty where the protocol does not say it.
        alone: whether no other change may run beside it.
    """

    service: str
    operation: str
    alone: bool


def change_of(environ: dict[str, Any], signing_name: str | None) -> Change | None:
    """What a request may change; None when it only reads.

    Args:
        environ: the WSGI environment; the body of a form is read and put back.
        signing_name: the service; None for an unsigned request, which is S3's.
    """
    if environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS"):
        return None
    if signing_name in (None, "s3") and not environ.get("HTTP_X_AMZ_TARGET"):
        return Change("s3", "", alone=False)
    operation: str = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2] or _form_action(environ)
    if operation.startswith(_READS):
        return None
    return Change(signing_name or "", operation, alone=operation not in _NOT_ALONE)


def _form_action(environ: dict[str, Any]) -> str:
    query = parse_qs(environ.get("QUERY_STRING", ""))
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded") and length < _LARGEST_FORM:
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        query |= parse_qs(body.decode("utf-8", "replace"))
    return str(query.get("Action", [""])[0])
