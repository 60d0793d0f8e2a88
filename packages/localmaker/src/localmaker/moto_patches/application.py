"""moto, as one WSGI application, with the two places changed where its events leave it.

Everything that depends on moto's internals for this stands here; :func:`create_moto_application` checks that they
are what they are expected to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import moto
from moto import backends
from moto.events.models import Rule
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3 import notifications

from localmaker.errors import MotoVersionError
from localmaker.moto_patches import speed
from localmaker.services.events import archives
from localmaker.services.events.bus import EventBridge
from localmaker.services.iam.policies import load_managed_policies_when_named
from localmaker.services.iam.simulation import answer_policy_simulations
from localmaker.services.logs.repairs import repair_logs
from localmaker.services.s3 import notifications as s3_notifications
from localmaker.services.s3.repairs import repair_s3
from localmaker.services.sqs import queues as sqs_queues
from localmaker.services.sqs.repairs import repair_sqs


def create_moto_application(events: EventBridge) -> Callable[..., Iterable[bytes]]:
    """moto's dispatcher over all services; events go to ``events`` instead of moto's own delivery.

    moto's state is global to the process, so there is one endpoint per process.

    Raises:
        MotoVersionError: moto has no such internals.
    """
    for owner, name in (
        (notifications, "_send_event_bridge_message"),
        (notifications, "_invoke_awslambda"),
        (notifications, "_get_s3_event"),
        (Rule, "send_to_targets"),
        (backends, "list_of_moto_modules"),
    ):
        if not hasattr(owner, name):
            raise MotoVersionError(
                f"moto {moto.__version__} has no {owner.__name__}.{name}, which the local endpoint replaces; "
                "install the version in requirements.lock"
            )

    def send_to_targets(rule: Any, original_event: dict[str, Any], transform_input: bool = True) -> None:  # noqa: ARG001 - moto's signature
        envelope = events.envelope(original_event)
        events.offer(rule, envelope)
        archives.archive(rule, envelope)

    Rule.send_to_targets = send_to_targets
    speed.install()
    s3_notifications.install(events)
    archives.install()
    repair_s3()
    repair_sqs()
    repair_logs()
    sqs_queues.install()
    answer_policy_simulations()
    load_managed_policies_when_named()
    application: Callable[..., Iterable[bytes]] = DomainDispatcherApplication(create_backend_app)
    return application
