"""Runs notebook instances: each in a thread of its own, from its start to its stop."""

from __future__ import annotations

import base64
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localmaker.errors import LocalmakerError, NoRoomError
from localmaker.ports import EventPublisher, LocalEndpoint
from localmaker.sandbox import sandbox
from localmaker.sandbox.network import Door
from localmaker.services.iam.acting import Acting, JobIdentity, RoleRefusedError
from localmaker.services.sagemaker.code_repositories import KIND as CODE_REPOSITORY
from localmaker.services.sagemaker.jobs.data.trees import remove_tree
from localmaker.services.sagemaker.jobs.running.following import StopSignal
from localmaker.services.sagemaker.notebooks.clone import CloneError, Repository, clone
from localmaker.services.sagemaker.notebooks.machine import (
    Machine,
    MachineEnded,
    OutOfTimeError,
    Output,
    Surroundings,
)
from localmaker.services.sagemaker.notebooks.records import (
    FOLDER,
    INSTANCE,
    INTERRUPTED,
    IS_NEW,
    LIFECYCLE_CONFIG,
    Status,
    described,
    put,
    repositories,
)
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.services.sagemaker.tags import KIND as TAGS
from localmaker.state.credentials import ANY
from localmaker.state.room import until_stored

logger = logging.getLogger(__name__)

LOG_GROUP = "/aws/sagemaker/NotebookInstances"
SECONDS_VARIABLE = "LOCALMAKER_NOTEBOOK_SCRIPT_SECONDS"
_SCRIPT_SECONDS = 300.0
_UPDATE_SECONDS = 0.2


class StartError(LocalmakerError):
    """A start has failed; the message is the FailureReason."""


class NotebookInstances:
    """Runs notebook instances.

    Args:
        endpoint: whose state directory, address and clients they use.
        resources: stores the documents of instances.
        events: publishes changes of their state.
        acting_in: returns what gives clients and credentials of roles in a region.
        door: the only way out of the network of instances without direct internet access, if there is one.
    """

    def __init__(
        self,
        endpoint: LocalEndpoint,
        resources: ResourceStore,
        events: EventPublisher,
        acting_in: Callable[[str], Acting],
        door: Door | None,
    ) -> None:
        self._endpoint = endpoint
        self._resources = resources
        self._events = events
        self._acting_in = acting_in
        self._door = door
        self._actings: dict[str, Acting] = {}
        self._folder = endpoint.state_dir / "notebook-instances"
        self._lock = threading.Lock()
        self._stops: dict[str, StopSignal] = {}
        self._threads: set[threading.Thread] = set()
        self._closing = threading.Event()

    def resume(self) -> None:
        """Bring every instance out of the state in which the last endpoint has left it."""
        for document in self._resources.all(INSTANCE):
            status = document["NotebookInstanceStatus"]
            if status in (Status.PENDING, Status.IN_SERVICE):
                self._set(document["NotebookInstanceArn"], Status.FAILED, INTERRUPTED)
            elif status == Status.STOPPING:
                self._set(document["NotebookInstanceArn"], Status.STOPPED)
            elif status in (Status.UPDATING, Status.DELETING):
                self.finish(document["NotebookInstanceArn"])

    def start(self, arn: str) -> None:
        """Start an instance that is Pending; return at once."""
        with self._lock:
            self._stops[arn] = StopSignal()
        self._report(arn)
        self._in_thread(arn, self._run)

    def stop(self, arn: str) -> None:
        """End an instance that is Stopping; return at once."""
        self._report(arn)
        with self._lock:
            if arn in self._stops:
                self._stops[arn].request(at_once=True)

    def finish(self, arn: str) -> None:
        """Do what is left to do of an instance that is Updating or Deleting; return at once."""
        self._report(arn)
        self._in_thread(arn, self._finish)

    def forget(self) -> None:
        """End every instance, and remove what is on their volumes; their documents are the caller's to remove."""
        self._end_all()
        if self._folder.exists():
            remove_tree(self._folder)

    def close(self) -> None:
        """End every instance, and wait for that."""
        self._closing.set()
        self._end_all()
        for acting in self._actings.values():
            acting.close()

    def _end_all(self) -> None:
        with self._lock:
            threads = list(self._threads)
            for stop in self._stops.values():
                stop.request(at_once=True)
        for thread in threads:
            thread.join()

    def _in_thread(self, arn: str, work: Callable[[str], None]) -> None:
        def run() -> None:
            try:
                work(arn)
            except NoRoomError as error:
                logger.warning("%s; the next start of the endpoint deals with it", error)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name=f"notebook-{arn.rpartition('/')[2]}", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _finish(self, arn: str) -> None:
        document = self._resources.get(INSTANCE, arn)
        if document["NotebookInstanceStatus"] == Status.UPDATING:
            time.sleep(_UPDATE_SECONDS)
            self._set(arn, Status.STOPPED)
            return
        folder = self._folder / document[FOLDER]
        if folder.exists():
            remove_tree(folder)
        self._resources.whole(lambda: self._forget(arn), releases=True)

    def _forget(self, arn: str) -> None:
        self._resources.remove(INSTANCE, arn)
        self._resources.remove(TAGS, arn)

    def _run(self, arn: str) -> None:
        document, stop = self._resources.get(INSTANCE, arn), self._stops[arn]
        reason = ""
        try:
            with self._identity(document) as identity:
                self._serve(document, identity, stop)
        except (StartError, CloneError, MachineEnded) as end:
            reason = str(end)
        except RoleRefusedError as error:
            reason = f"ClientError: {error}"
        except Exception as error:  # otherwise it would stay Pending for ever
            logger.exception("%s", arn)
            reason = f"InternalServerError: {type(error).__name__}: {error}"
        with self._lock:
            asked = self._stops.pop(arn).requested
        stop.close()
        self._set(arn, Status.FAILED, INTERRUPTED if asked and self._closing.is_set() else reason)

    def _identity(self, document: Mapping[str, Any]) -> Any:
        arn, role = document["NotebookInstanceArn"], document["RoleArn"]
        return self._acting(arn).job(LOG_GROUP, arn, role, None, document)

    def _serve(self, document: dict[str, Any], identity: JobIdentity, stop: StopSignal) -> None:
        """Do what a start does, then wait for the end of the instance.

        Raises:
            MachineEnded: at last.
        """
        isolation = sandbox.why_not_isolated()
        if isolation is not None:
            raise StartError(f"ClientError: notebook instances run in a sandbox, and there is none here. {isolation}")
        arn, name = document["NotebookInstanceArn"], document["NotebookInstanceName"]
        region = arn.split(":")[3]
        variables = {
            "AWS_ENDPOINT_URL": self._endpoint.url,
            "AWS_DEFAULT_REGION": region,
            "AWS_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
            **ANY.variables(),
            **identity.variables,
        }
        surroundings = Surroundings(variables, identity.logs, self._door, self._endpoint.state_dir)
        machine = Machine(document, self._folder / document[FOLDER], surroundings, stop)
        scripts = self._scripts(document)
        outputs = {hook: Output(identity.logs, LOG_GROUP, f"{name}/LifecycleConfig{hook}") for hook in scripts}
        try:
            for repository in self._repositories(document):
                clone(machine, repository, self._secrets(document), _seconds())
            machine.start(outputs, scripts)
            self._run_scripts(document, machine, outputs)
            self._set(arn, Status.IN_SERVICE)
            machine.serve()
        finally:
            machine.close()
            for output in outputs.values():
                output.close()

    def _run_scripts(self, document: Mapping[str, Any], machine: Machine, outputs: Mapping[str, Output]) -> None:
        """Run the scripts of a start.

        Raises:
            StartError: one fails or takes too long, which AWS does not tell apart.
        """
        seconds = _seconds()
        deadline = time.monotonic() + seconds
        for hook, output in outputs.items():
            try:
                status = machine.run(hook, output, deadline)
            except OutOfTimeError:
                output.log.say(f"[localmaker] {hook} was ended: the scripts of a start have {seconds:g} seconds")
                raise StartError(_too_long(document)) from None
            if status != 0:
                output.log.say(f"[localmaker] {hook} has ended with status {status}")
                raise StartError(_too_long(document))
            if hook == "OnCreate":
                self._change(document["NotebookInstanceArn"], lambda one: {**one, IS_NEW: False})

    def _scripts(self, document: Mapping[str, Any]) -> dict[str, bytes]:
        """Return the scripts that a start runs, in their order."""
        name = document.get("NotebookInstanceLifecycleConfigName")
        if name is None:
            return {}
        arn = self._beside(document, LIFECYCLE_CONFIG, name.lower())
        config = self._resources.get(LIFECYCLE_CONFIG, arn) or {}
        hooks = ("OnCreate", "OnStart") if document[IS_NEW] else ("OnStart",)
        return {hook: base64.b64decode(config[hook][0]["Content"]) for hook in hooks if config.get(hook)}

    def _repositories(self, document: Mapping[str, Any]) -> list[Repository]:
        """Return the repositories of an instance.

        Raises:
            CloneError: one was deleted.
        """
        found = []
        for name in repositories(document):
            if "://" in name:
                found.append(Repository(name))
                continue
            arn = self._beside(document, CODE_REPOSITORY, name)
            known = self._resources.get(CODE_REPOSITORY, arn)
            if known is None:
                raise CloneError(f"Cannot find CodeRepository {arn}.")
            git = known["GitConfig"]
            found.append(Repository(git["RepositoryUrl"], git.get("Branch", ""), git.get("SecretArn", "")))
        return found

    def _secrets(self, document: Mapping[str, Any]) -> Any:
        arn = document["NotebookInstanceArn"]
        return self._acting(arn).client("secretsmanager", document["RoleArn"], arn, "SageMaker")

    def _acting(self, arn: str) -> Acting:
        region = arn.split(":")[3]
        with self._lock:
            if region not in self._actings:
                self._actings[region] = self._acting_in(region)
            return self._actings[region]

    def _beside(self, document: Mapping[str, Any], kind: str, name: str) -> str:
        """Return the ARN of a resource of an instance's account and region."""
        return f"{document['NotebookInstanceArn'].rpartition(':')[0]}:{kind}/{name}"

    def _change(self, arn: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._store(lambda: self._resources.put(INSTANCE, arn, change(self._resources.get(INSTANCE, arn))), arn)

    def _set(self, arn: str, status: Status, reason: str = "") -> None:
        """Store the state that an instance has come to, and report it. One that is Stopping comes to be Stopped."""

        def stored() -> None:
            document = self._resources.get(INSTANCE, arn)
            if document["NotebookInstanceStatus"] == Status.STOPPING:
                put(self._resources, document, Status.STOPPED)
                return
            if status is Status.IN_SERVICE:
                document[IS_NEW] = False
            put(self._resources, document, status, reason)

        self._store(stored, arn)
        self._report(arn)

    def _store(self, action: Callable[[], None], arn: str) -> None:
        until_stored(lambda: self._resources.whole(action), self._closing.wait, f"the state of {arn}")

    def _report(self, arn: str) -> None:
        """Publish the state of an instance, in the shape of the events that AWS sends."""
        document = self._resources.get(INSTANCE, arn)
        if document is None:
            return
        event = {
            "detail-type": "SageMaker Notebook Instance State Change",
            "source": "aws.sagemaker",
            "region": arn.split(":")[3],
            "resources": [arn],
            "detail": {
                **described(document),
                **{field: int(document[field] * 1000) for field in ("CreationTime", "LastModifiedTime")},
                "Tags": self._resources.get(TAGS, arn) or {},
            },
        }
        try:
            self._events.publish(event)
        except (BotoCoreError, ClientError, NoRoomError):
            logger.exception("the state of %s could not be reported", arn)


def _seconds() -> float:
    """Return how long the scripts of a start may take, and a clone."""
    return float(os.environ.get(SECONDS_VARIABLE) or _SCRIPT_SECONDS)


def _too_long(document: Mapping[str, Any]) -> str:
    arn = document["NotebookInstanceArn"]
    config = f"{arn.rpartition(':')[0]}:{LIFECYCLE_CONFIG}/{document['NotebookInstanceLifecycleConfigName'].lower()}"
    return (
        f"Notebook Instance Lifecycle Config '{config}' for Notebook Instance '{arn}' took longer than 5 minutes. "
        "Please check your CloudWatch logs for more details if your Notebook Instance has Internet access."
    )
