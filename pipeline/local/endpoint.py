"""The local AWS endpoint of one process: its parts, and how they reach each other."""

from __future__ import annotations

import importlib
import os
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.local.events.bus import EventBridge
from pipeline.local.featurestore.store import FeatureStore
from pipeline.local.gateway import Gateway
from pipeline.local.moto_app import create_moto_application
from pipeline.local.server import LoopbackServer

if TYPE_CHECKING:
    from pipeline.local.jobs.service import JobService
    from pipeline.local.pipelines.service import PipelineService

ACCOUNT_ID = "123456789012"
# Any credentials do; these are what the endpoint itself and its jobs sign with.
ACCESS_KEY_ID = "local"
SECRET_ACCESS_KEY = "local"  # noqa: S105 - nothing checks it

# Importing them registers their operations.
_OPERATION_MODULES = (
    "pipeline.local.events.operations",
    "pipeline.local.featurestore.operations",
    "pipeline.local.featurestore.groups",
)


def default_region() -> str:
    """The region of the endpoint's own calls; clients may use any."""
    return os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or "us-east-1"


class Endpoint:
    """All AWS APIs on one loopback port, from :meth:`serve_forever` until :meth:`shutdown`.

    There can be one in a process: moto's state is global.

    Args:
        state_dir: where everything that is kept lives; created if missing.
        host: a loopback address.
        port: TCP port; 0 takes a free one.

    Attributes:
        url: what clients take as ``AWS_ENDPOINT_URL``.
        account_id, region, state_dir: as they are.
        events: publishes to EventBridge.
        feature_store: records of feature groups.
        jobs, pipelines: the services that run them.

    Raises:
        NotLoopbackError: ``host`` is not the loopback interface.
        PortInUseError: ``port`` is taken.
    """

    def __init__(self, state_dir: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.state_dir = state_dir
        state_dir.mkdir(parents=True, exist_ok=True)
        self.account_id = ACCOUNT_ID
        self.region = default_region()
        self._clients: dict[tuple[str, str], Any] = {}
        self._clients_lock = threading.Lock()
        self.events = EventBridge(self)
        self.feature_store = FeatureStore(state_dir / "feature-store.db")
        for module in _OPERATION_MODULES:
            importlib.import_module(module)
        gateway = Gateway(self, create_moto_application(self.events))
        self._server = LoopbackServer(gateway, host, port)
        self.url = self._server.url

    @cached_property
    def jobs(self) -> JobService:
        """Processing, training and transform jobs."""
        from pipeline.local.jobs.service import JobService

        return JobService(self)

    @cached_property
    def pipelines(self) -> PipelineService:
        """Pipelines and their executions."""
        from pipeline.local.pipelines.service import PipelineService

        return PipelineService(self)

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client of this endpoint itself, over HTTP; shared between threads."""
        key = (service, region or self.region)
        with self._clients_lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key)
            return self._clients[key]

    def _new_client(self, service: str, region: str) -> Any:
        import boto3
        from botocore.config import Config

        session = boto3.session.Session(
            aws_access_key_id=ACCESS_KEY_ID, aws_secret_access_key=SECRET_ACCESS_KEY, region_name=region
        )
        config = Config(
            max_pool_connections=32,
            retries={"total_max_attempts": 2, "mode": "standard"},
            s3={"addressing_style": "path"},
            proxies={},
            user_agent_extra="local-endpoint",
        )
        return session.client(service, endpoint_url=self.url, config=config)

    def serve_forever(self) -> None:
        """Answer requests until :meth:`shutdown`, then stop what runs and close the stores."""
        try:
            self._server.serve_forever()
        finally:
            self.close()

    def shutdown(self) -> None:
        """Make :meth:`serve_forever` return; may be called from a signal handler."""
        self._server.shutdown()

    def close(self) -> None:
        """Stop executions and jobs, then deliveries; free the port."""
        for name in ("pipelines", "jobs"):
            if name in self.__dict__:
                self.__dict__[name].close()
        self._server.server_close()
        self.events.close()
        self.feature_store.close()
