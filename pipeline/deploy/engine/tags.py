"""Tags as the services spell them: a list of Key and Value here, a mapping there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.deploy.engine.resource import Difference


def tag_list(tags: Mapping[str, str]) -> Any:
    """Tags in the request form of most services."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_map(tags: Any) -> dict[str, str]:
    """Tags as a mapping, from the response form of most services, without those of AWS itself."""
    return own_tags({tag["Key"]: tag["Value"] for tag in tags})


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that an account can set and remove; AWS keeps some of its own, which begin with ``aws:``."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def surplus(tags: Mapping[str, str], difference: Difference) -> list[str]:
    """Keys that are there and are not wanted."""
    return sorted(set(difference.current or {}) - set(tags))
