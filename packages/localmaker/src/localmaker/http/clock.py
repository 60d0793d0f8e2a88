"""The control request for the clock of schedules: ``POST /_local/clock`` with ``{"now": "2026-12-01T03:00:00Z"}``.

It moves the clock, starts what has become due, and answers with the time and with when something is due next. With
``"deliveries": 2`` each call is delivered twice, as EventBridge Scheduler may do. GET only tells the time.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from localmaker.http.answers import json_response
from localmaker.http.protocol import HttpResponse
from localmaker.ports import MovableClock

CLOCK_PATH = "/_local/clock"
_MOST_DELIVERIES = 10
_FIRST_YEAR, _LAST_YEAR = 1970, 2199  # of cron expressions


def answer(environ: dict[str, Any], clock: MovableClock) -> HttpResponse:
    """Answer a control request.

    Args:
        environ: WSGI environment, with the body.
        clock: of schedules.
    """
    if environ["REQUEST_METHOD"] == "GET":
        return json_response(HTTPStatus.OK, {"now": _text(clock.now())})
    try:
        to, deliveries = _asked(environ["wsgi.input"].read())
    except ValueError as error:
        message = f'{error}; send a document such as {{"now": "2026-12-01T03:00:00Z", "deliveries": 2}}'
        return json_response(HTTPStatus.BAD_REQUEST, {"message": message})
    following = clock.move_clock(to, deliveries)
    return json_response(HTTPStatus.OK, {"now": _text(to), "next": following and _text(following)})


def _asked(body: bytes) -> tuple[datetime, int]:
    document = json.loads(body)
    if not isinstance(document, dict) or document.keys() - {"now", "deliveries"}:
        raise ValueError("not a document with now and deliveries")
    to = datetime.fromisoformat(str(document.get("now")))
    deliveries = document.get("deliveries", 1)
    if to.tzinfo is None or not _FIRST_YEAR <= to.year <= _LAST_YEAR:
        raise ValueError(f"{document['now']!r} is not a time with an offset from UTC")
    if not isinstance(deliveries, int) or not 1 <= deliveries <= _MOST_DELIVERIES:
        raise ValueError(f"deliveries is not a number from 1 to {_MOST_DELIVERIES}")
    return to.astimezone(UTC), deliveries


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
