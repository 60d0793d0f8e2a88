"""Answers requests for the page: ``GET /_console``, and its style sheet. Nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from localmaker.console.drawing import HEIGHT, WIDTH
from localmaker.console.reading import RUNNING, Reader, found_or_none
from localmaker.http.gateway import CONSOLE_PATH as PATH
from localmaker.http.protocol import HttpResponse, is_region_name
from localmaker.ports import LocalEndpoint

_STYLE_PATH = f"{PATH}/console.css"
_WHILE_RUNNING, _OTHERWISE = 2, 10
"""Seconds after which the page loads itself again."""
_MINUTE = 60
_HEADERS = {
    # No script, no form, nothing from elsewhere; and requests for the style sheet must not look like a foreign page's.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Console:
    """The page of an endpoint.

    Attributes:
        endpoint: whose.
        enforced: roles are enforced, so the page, which is shown to everybody on this machine, is not.
    """

    endpoint: LocalEndpoint
    enforced: bool = False

    def answer(self, environ: dict[str, Any]) -> HttpResponse:
        """Answer a request for a path that begins with PATH."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _text(HTTPStatus.METHOD_NOT_ALLOWED, "The console only shows: it answers GET.")
        if self.enforced:
            return _text(
                HTTPStatus.FORBIDDEN, "IAM is enforced here, and the console would show what roles may not see."
            )
        if environ["PATH_INFO"] == _STYLE_PATH:
            return _response(HTTPStatus.OK, "text/css", (Path(__file__).parent / "console.css").read_bytes())
        if environ["PATH_INFO"].rstrip("/") != PATH:
            return _text(HTTPStatus.NOT_FOUND, f"There is nothing here; the console is at {PATH}.")
        asked = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        if not is_region_name(asked.get("region", self.endpoint.region)):
            return _text(HTTPStatus.BAD_REQUEST, "That is not the name of a region.")
        body = self._template.render(**self._found(asked))
        return _response(HTTPStatus.OK, "text/html; charset=utf-8", body.encode("utf-8", "replace"))

    @cached_property
    def _template(self) -> Any:
        loader = PackageLoader("localmaker.console", "")
        environment = Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters |= {"time": _time, "seconds": _seconds}
        return environment.get_template("console.html")

    def _found(self, asked: dict[str, str]) -> dict[str, Any]:
        region = asked.get("region", self.endpoint.region)
        reader = Reader(self.endpoint, region)
        pipelines = reader.pipelines()
        pipeline = asked.get("pipeline", pipelines[0]["PipelineName"] if pipelines else "")
        executions = (found_or_none(lambda: reader.executions(pipeline)) or []) if pipeline else []
        arn = asked.get("execution", executions[0]["PipelineExecutionArn"] if executions else "")
        execution = found_or_none(lambda: reader.execution(arn)) if arn else None
        steps = execution.steps if execution else []
        failed = next((one.name for one in steps if one.status == "Failed"), "")
        step = next((one for one in steps if one.name == asked.get("step", failed)), None)
        bucket, prefix = asked.get("bucket", ""), asked.get("prefix", "")

        def link(**changed: str) -> str:
            """Return the address of this page with other choices; an empty one is taken back."""
            return f"?{urlencode({name: value for name, value in (asked | changed).items() if value})}"

        return {
            "endpoint": self.endpoint,
            "region": region,
            "now": datetime.now(UTC),
            "refresh": _WHILE_RUNNING if execution and execution.status in RUNNING else _OTHERWISE,
            "link": link,
            "pipelines": pipelines,
            "pipeline": pipeline,
            "executions": executions,
            "arn": arn,
            "execution": execution,
            "views": {one.name: one for one in steps},
            "step": found_or_none(lambda: reader.step(step)) if step else None,
            "buckets": reader.buckets(),
            "bucket": found_or_none(lambda: reader.bucket(bucket, prefix)) if bucket else None,
            "groups": reader.feature_groups(),
            "registry": reader.registry(),
            "box": (WIDTH, HEIGHT),
        }


def _response(status: HTTPStatus, kind: str, body: bytes) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": kind, **_HEADERS}, body)


def _text(status: HTTPStatus, sentence: str) -> HttpResponse:
    return _response(status, "text/plain; charset=utf-8", f"{sentence}\n".encode())


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _seconds(value: float | None) -> str:
    return (
        ""
        if value is None
        else f"{value:.1f} s"
        if value < _MINUTE
        else f"{value // _MINUTE:.0f} min {value % _MINUTE:02.0f} s"
    )
