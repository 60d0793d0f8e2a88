"""Keep a program at the local endpoint where it names one of AWS's own addresses.

Python imports this at its start, because ``localmaker run`` puts its folder on ``PYTHONPATH``. The SageMaker SDK asks
STS at ``https://sts.<region>.amazonaws.com`` for the account and the role, whatever ``AWS_ENDPOINT_URL`` says; without
an account that call fails. It runs in any program's environment, of any Python from 3.7 on, so it needs the standard
library alone, and imports nothing of the program's before the program does.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

_HERE = Path(__file__).resolve().parent
_REDIRECTED = "botocore.session"
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def _redirect(session_class: Any) -> None:
    """Let ``AWS_ENDPOINT_URL`` decide where a client names an address of AWS."""
    create = session_class.create_client

    @functools.wraps(create)
    def create_client(self: Any, *arguments: Any, **options: Any) -> Any:
        host = urlsplit(options.get("endpoint_url") or "").hostname or ""
        here = os.environ.get("AWS_ENDPOINT_URL")
        if here and host.endswith(_AWS):
            options["endpoint_url"] = here
        return create(self, *arguments, **options)

    session_class.create_client = create_client


class _Botocore:
    """A finder of modules that redirects botocore's sessions as soon as the program imports them."""

    def find_spec(self, name: str, *_: Any) -> importlib.machinery.ModuleSpec | None:
        if name != _REDIRECTED:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
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
    others = [folder for folder in sys.path if Path(folder).resolve() != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.meta_path.insert(0, _Botocore())
_run_the_environments_own()
