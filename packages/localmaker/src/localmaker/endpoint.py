"""The local AWS endpoint of one process: it creates the parts and hands each what it needs."""

from __future__ import annotations

import localmaker.moto_patches.verified  # noqa: F401 - first: the imports below reach into moto

# isort: split

import importlib
import logging
import os
import threading
from pathlib import Path
from typing import Any, cast

import boto3.session
import moto
from botocore.config import Config

from localmaker.console.page import Console
from localmaker.habits.mode import Habits
from localmaker.http.gateway import Gateway
from localmaker.http.server import LoopbackServer
from localmaker.moto_patches.application import create_moto_application
from localmaker.ports import ServiceT
from localmaker.regions import Regions
from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import require_sandbox
from localmaker.services.athena.executions import AthenaQueries
from localmaker.services.athena.store import QueryStore
from localmaker.services.cloudwatch.alarms import Alarms
from localmaker.services.events.bus import EventBridge
from localmaker.services.events.timetable import Timetable
from localmaker.services.iam.acting import Acting
from localmaker.services.iam.authorization import Authorization, IamSettings
from localmaker.services.iam.sessions import answer_caller_identity
from localmaker.services.lambda_.running import RunningFunctions
from localmaker.services.sagemaker.featurestore.offline import OfflineWriter
from localmaker.services.sagemaker.featurestore.store import FeatureStore
from localmaker.services.sagemaker.jobs.service import JobService
from localmaker.services.sagemaker.notebooks.service import NotebookInstances
from localmaker.services.sagemaker.pipelines.service import PipelineService
from localmaker.services.sagemaker.pipelines.store import PipelineStore
from localmaker.services.sagemaker.registry.model_card_exports import CardExports
from localmaker.services.sagemaker.registry.state_changes import StateChanges
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.services.sagemaker.tuning.service import TuningJobs
from localmaker.state.credentials import Credentials, administrator_of
from localmaker.state.formats import set_aside_another_version
from localmaker.state.moto_state import MotoState
from localmaker.state.room import keep_reserve

logger = logging.getLogger(__name__)

ACCOUNT_ID = "123456789012"

# What the state directory holds besides moto's state.
_STORES = {
    "athena.db": QueryStore.schema_version,
    "feature-store.db": FeatureStore.schema_version,
    "resources.db": ResourceStore.schema_version,
    "regions/*/pipelines.sqlite3": PipelineStore.schema_version,
}

# Importing them registers their operations.
_OPERATION_MODULES = (
    "localmaker.services.athena.operations",
    "localmaker.services.events.operations",
    "localmaker.services.scheduler.operations",
    "localmaker.services.sagemaker.featurestore.metadata",
    "localmaker.services.sagemaker.featurestore.operations",
    "localmaker.services.sagemaker.code_repositories",
    "localmaker.services.sagemaker.endpoints",
    "localmaker.services.sagemaker.images",
    "localmaker.services.sagemaker.registry.model_card_exports",
    "localmaker.services.sagemaker.registry.model_cards",
    "localmaker.services.sagemaker.registry.model_packages",
    "localmaker.services.sagemaker.models",
    "localmaker.services.sagemaker.notebooks.instances",
    "localmaker.services.sagemaker.notebooks.lifecycle_configs",
    "localmaker.services.sagemaker.quotas",
    "localmaker.services.sagemaker.search",
    "localmaker.services.sagemaker.tags",
    "localmaker.services.sagemaker.jobs.handlers",
    "localmaker.services.sagemaker.tuning.handlers",
    "localmaker.services.sagemaker.lineage.associations",
    "localmaker.services.sagemaker.lineage.entities",
    "localmaker.services.sagemaker.lineage.trial_components",
    "localmaker.services.lambda_.functions",
    "localmaker.services.lambda_.invocations",
    "localmaker.services.sagemaker.pipelines.handlers",
    "localmaker.services.sagemaker.featurestore.groups",
)


def default_region() -> str:
    """Return the region of the endpoint's own calls; clients may use any."""
    return os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or "us-east-1"


def iam_settings(record: Path | None, *, enforce: bool) -> IamSettings:
    """Return the settings asked for, with ``LOCALMAKER_RECORD_ACTIONS`` and ``LOCALMAKER_ENFORCE_IAM`` as defaults."""
    named = os.environ.get("LOCALMAKER_RECORD_ACTIONS")
    wanted = os.environ.get("LOCALMAKER_ENFORCE_IAM", "").lower() in ("1", "true", "yes")
    return IamSettings(record or (Path(named) if named else None), enforce or wanted)


def without_egress(wanted: bool) -> bool:
    """Return whether VpcConfig takes effect, with ``LOCALMAKER_NO_EGRESS`` as the default.

    Raises:
        SandboxError: it is asked for, and cannot take effect here.
    """
    wanted = wanted or os.environ.get("LOCALMAKER_NO_EGRESS", "").lower() in ("1", "true", "yes")
    if wanted:
        require_sandbox()
    return wanted


def import_operations() -> None:
    """Register the operations that the endpoint answers itself."""
    for module in _OPERATION_MODULES:
        importlib.import_module(module)


class Endpoint:
    """All AWS APIs on one loopback port, from :meth:`start` until :meth:`close`.

    There can be one in a process: moto's state is global.

    Args:
        state_dir: where the state is kept; created if missing.
        host: a loopback address.
        port: TCP port; 0 picks a free one.
        iam: whether actions under roles are recorded or refused; neither by default.
        habits: seed of AWS's habits; None has none of them.
        no_egress: jobs and functions with a VpcConfig reach nothing but this endpoint.

    Attributes:
        url: what clients take as ``AWS_ENDPOINT_URL``.
        account_id, region, state_dir: of the endpoint.
        events: publishes to EventBridge.
        alarms: follow their metrics.
        timetable: starts scheduled rules and schedules when they are due.
        feature_store: feature groups and their records.
        offline_store: writes records to S3.
        resources: documents of the control-plane resources that have no store of their own.
        card_exports: writes model cards as PDFs.
        notebooks: runs notebook instances.
        state_changes: publishes what has happened to model packages and cards.
        queries, query_store: run Athena's queries, and know of those that ran.
        moto_state: keeps moto's state on disk; knows what was restored at the start.
        regions: pipelines and jobs of each region.
        authorization: records and decides every action under a role.
        acting: gives EventBridge clients that act under roles.
        stop_writer: a file descriptor; a byte in it makes :meth:`wait` return, as :meth:`shutdown` does.

    Raises:
        NotLoopbackError: ``host`` is not the loopback interface.
        PortInUseError: ``port`` is taken.
    """

    def __init__(
        self,
        state_dir: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        iam: IamSettings | None = None,
        *,
        no_egress: bool = False,
        habits: int | None = None,
    ) -> None:
        self.state_dir = state_dir
        keep_reserve(state_dir)
        self.account_id = ACCOUNT_ID
        self.region = default_region()
        self._clients: dict[tuple[str, str], Any] = {}
        self._clients_lock = threading.RLock()
        self._session: boto3.session.Session | None = None
        iam = iam or IamSettings()
        self.authorization = Authorization(iam, self.region, administrator_of(state_dir) if iam.enforce else None)
        self.acting = self.acting_in(self.region)
        answer_caller_identity(self.authorization.sessions)
        self._stop_reader, self.stop_writer = os.pipe()
        os.set_blocking(self.stop_writer, False)
        functions = RunningFunctions()
        self.no_egress = no_egress
        self.events = EventBridge(self, self.acting, functions, lambda: self.moto_state)
        self.alarms = Alarms(self.events, lambda: self.moto_state)
        self.timetable = Timetable(self.events, self, copies=1 if habits is None else 2, others=self.alarms.fire)
        aside = set_aside_another_version(state_dir, _STORES, moto.__version__)
        if aside:
            logger.warning("%s", aside)
        self.feature_store = FeatureStore(state_dir / "feature-store.db")
        self.offline_store = OfflineWriter(self.feature_store, self)
        self.resources = ResourceStore(state_dir / "resources.db")
        self.card_exports = CardExports(self.resources, self)
        self.card_exports.fail_interrupted()
        self.state_changes = StateChanges(self.resources, self.events)
        self.query_store = QueryStore(state_dir / "athena.db")
        self.queries = AthenaQueries(self.query_store, self.acting, state_dir / "athena")
        import_operations()
        moto_application = create_moto_application(self.events, self, self.timetable.wake_others)
        self.moto_state: MotoState = MotoState(state_dir)
        gateway = Gateway(
            self,
            moto_application,
            self.moto_state,
            authorization=self.authorization if self.authorization.enabled else None,
            events=self.events,
            movable_clock=self.timetable,
            forget=self.forget,
            console=Console(self, enforced=iam.enforce).answer,
            habits=None if habits is None else Habits(habits, self.account_id),
        )
        self._server = LoopbackServer(gateway, host, port)
        self._server_thread = threading.Thread(target=self._server.serve_forever, name="server", daemon=True)
        self.url = self._server.url
        functions.door = Door(self._server.server_address[1], self._server.serve_also) if no_egress else None
        self.notebooks = NotebookInstances(self, self.resources, self.events, self.acting_in, functions.door)
        self.regions = Regions(self, self.events, self.acting_in, functions)
        parts: tuple[object, ...] = (
            functions,
            self.acting,
            self.timetable,
            self.feature_store,
            self.offline_store,
            self.resources,
            self.card_exports,
            self.notebooks,
            self.state_changes,
            self.query_store,
            self.queries,
        )
        self._services: dict[type, object] = {type(part): part for part in parts}

    def service(self, kind: type[ServiceT], region: str) -> ServiceT:
        """Return the service of a class: the region's own of jobs, tuning jobs and pipelines, else the endpoint's.

        Raises:
            LookupError: the endpoint has no such service.
            AwsError: the region's name is invalid.
        """
        if kind is JobService:
            return cast("ServiceT", self.regions.at(region).jobs)
        if kind is TuningJobs:
            return cast("ServiceT", self.regions.at(region).tuning)
        if kind is PipelineService:
            return cast("ServiceT", self.regions.at(region).pipelines)
        return cast("ServiceT", self._services[kind])

    def acting_in(self, region: str) -> Acting:
        """Return what gives a region's services clients that act under roles."""
        return Acting(self.authorization, self._client_of, region, self.account_id)

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client of this endpoint itself, over HTTP; shared between threads."""
        key = (service, region or self.region)
        with self._clients_lock:
            if key not in self._clients:
                self._clients[key] = self._new_client(*key, self.authorization.own)
            return self._clients[key]

    def _client_of(self, service: str, region: str, credentials: Credentials | None) -> Any:
        """Return a new client with the given credentials, or the endpoint's shared one without any."""
        if credentials is None:
            return self.client(service, region)
        with self._clients_lock:
            return self._new_client(service, region, credentials)

    def _new_client(self, service: str, region: str, credentials: Credentials) -> Any:
        # One session for all: it reads the service models once.
        self._session = self._session or boto3.session.Session()
        config = Config(
            max_pool_connections=32,
            retries={"total_max_attempts": 2, "mode": "standard"},
            s3={"addressing_style": "path"},
            proxies={},
            user_agent_extra="local-endpoint",
        )
        new_client: Any = self._session.client  # its type is an overload per service
        return new_client(
            service,
            region_name=region,
            endpoint_url=self.url,
            config=config,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            aws_session_token=credentials.token,
        )

    def start(self) -> None:
        """Start to answer requests, in other threads."""
        self.notebooks.resume()
        self._server_thread.start()
        self.events.resume()
        self.state_changes.publish()
        if self.feature_store.groups_with_offline_rows():
            self.offline_store.wake()
        self.regions.resume()
        self.timetable.wake()
        if self.alarms.exist():
            self.timetable.wake_others()

    def wait(self) -> None:
        """Block until :meth:`shutdown`."""
        os.read(self._stop_reader, 1)

    def shutdown(self) -> None:
        """Make :meth:`wait` return; may be called from any thread."""
        os.write(self.stop_writer, b"x")

    def forget(self) -> None:
        """Stop what runs, and forget everything that is stored; moto's state is the caller's to clear.

        Credentials, tables of images and functions, environments and log files remain: they are the user's and the
        machine's.
        """
        self.queries.forget()
        self.notebooks.forget()
        self.regions.forget()
        self.card_exports.finish()
        self.offline_store.forget()
        self.resources.clear()
        self.timetable.forget()
        self.events.forget()

    def close(self) -> None:
        """Stop schedules, executions, jobs and deliveries while requests are still answered; then the server."""
        self.timetable.close()
        self.queries.close()
        self.notebooks.close()
        self.regions.close()
        self.card_exports.close()
        self.offline_store.close()
        self.events.close()
        self._server.shutdown()
        self._server_thread.join()
        self._server.server_close()
        self.acting.close()
        self.authorization.close()
        self.moto_state.close()
        self.feature_store.close()
        self.resources.close()
        self.query_store.close()
        os.close(self._stop_reader)
        os.close(self.stop_writer)
