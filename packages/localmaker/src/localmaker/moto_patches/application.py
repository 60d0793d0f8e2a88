"""moto as one WSGI application, with every patch installed.

What each patch replaces, and what moto must look like there, is in :mod:`localmaker.moto_patches.manifest`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from moto.events.models import Rule
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from localmaker.moto_patches import containment, speed, validation
from localmaker.ports import AwsClients
from localmaker.services.cloudformation import stacks
from localmaker.services.cloudwatch import alarms
from localmaker.services.events import archives
from localmaker.services.events.bus import EventBridge
from localmaker.services.iam import managed_policies, simulation
from localmaker.services.logs import filter_log_events, streams
from localmaker.services.s3 import buckets, keys, multipart, objects, refusals
from localmaker.services.s3 import events as s3_events
from localmaker.services.sqs import messages, queues, set_queue_attributes

# The checks of `refusals` wrap what `objects` has put in place.
_PATCHES = (
    archives.install,
    buckets.install,
    containment.install,
    filter_log_events.install,
    keys.install,
    managed_policies.install,
    messages.install,
    multipart.install,
    objects.install,
    queues.install,
    refusals.install,
    set_queue_attributes.install,
    simulation.install,
    speed.install,
    streams.install,
    validation.install,
)


def create_moto_application(
    events: EventBridge, clients: AwsClients, wake: Callable[[], None]
) -> Callable[..., Iterable[bytes]]:
    """Patch moto, and return its dispatcher over all services.

    moto's state is global to the process, so there is one endpoint in a process.

    Args:
        events: gets the events that moto would deliver itself.
        clients: make the resources of CloudFormation's stacks.
        wake: called when alarms may have to change.
    """

    def send_to_targets(rule: Any, original_event: dict[str, Any], transform_input: bool = True) -> None:  # noqa: ARG001 - moto's signature
        envelope = events.envelope(original_event)
        events.offer(rule, envelope)
        archives.archive(rule, envelope)

    Rule.send_to_targets = send_to_targets
    s3_events.install(events)
    alarms.install(wake)
    stacks.install(clients)
    for install in _PATCHES:
        install()
    application: Callable[..., Iterable[bytes]] = DomainDispatcherApplication(create_backend_app)
    return application
