"""What moto keeps for the tests of those who import it, and no API gives back: it is not stored."""

from __future__ import annotations

from typing import Any

from moto.sns.models import Topic


def install() -> None:
    """Leave it out, for the whole process; doing it again changes nothing."""
    Topic.__getstate__ = _without_notifications


def _without_notifications(topic: Any) -> dict[str, Any]:
    return {**topic.__dict__, "sent_notifications": []}
