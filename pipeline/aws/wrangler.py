"""awswrangler, which creates clients of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.aws.clients import Aws

#: What it calls in the course of a query.
_SERVICES = ("athena", "glue", "s3", "sts")


@contextmanager
def configured_wrangler(aws: Aws) -> Iterator[Any]:
    """Give awswrangler, which is told of our endpoint for as long as we use it: the caller may use it for another."""
    import awswrangler as wrangler

    names = [f"{service}_endpoint_url" for service in _SERVICES] if aws.endpoint_url is not None else []
    before = {name: getattr(wrangler.config, name) for name in names}
    try:
        for name in names:
            setattr(wrangler.config, name, aws.endpoint_url)
        yield wrangler
    finally:
        for name, value in before.items():
            setattr(wrangler.config, name, value)
