"""Keep a program at the local endpoint where it names one of AWS's own addresses.

Python imports this at its start: ``localmaker run`` puts its folder on ``PYTHONPATH``, and jobs have a copy of it in
their environment, under another name. The SageMaker SDK asks STS at ``https://sts.<region>.amazonaws.com`` for the
account and the role, whatever ``AWS_ENDPOINT_URL`` says; without an account that call fails. This runs in any program's
environment, of any Python from 3.7 on, so it needs the standard library alone, and imports nothing that costs time
before the program imports botocore.
"""

# ruff: noqa: PTH100, PTH120 - pathlib takes longer to import than all of this

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_REDIRECTED = "botocore.session"
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def _redirect(session_class: Any) -> None:
    """Let ``AWS_ENDPOINT_URL`` decide where a client names an address of AWS."""
    from functools import wraps
    from urllib.parse import urlsplit

    create = session_class.create_client

    @wraps(create)
    def create_client(self: Any, *arguments: Any, **options: Any) -> Any:
        host = urlsplit(options.get("endpoint_url") or "").hostname or ""
        here = os.environ.get("AWS_ENDPOINT_URL")
        if here and host.endswith(_AWS):
            options["endpoint_url"] = here
        return create(self, *arguments, **options)

    session_class.create_client = create_client


class _Botocore:
    """A finder of modules that redirects botocore's sessions as soon as the program imports them."""

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        if name != _REDIRECTED:
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _redirect(module.Session)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _run_the_environments_own() -> None:
    """Import the sitecustomize that stands behind this one, if there is one: Python imports the first only."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("sitecustomize", [folder for folder in sys.path if os.path.abspath(folder) != _HERE])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


sys.meta_path.insert(0, _Botocore())
if __name__ == "sitecustomize":
    _run_the_environments_own()
