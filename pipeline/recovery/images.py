"""Which container image serves a restored version: the same one, of the other account or region."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.definition.images import pinned_image
from pipeline.recovery.manifest import Manifest
from pipeline.settings.environment import Settings

_OF_REGISTRY = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.(?P<rest>amazonaws\.com(\.cn)?/.+)")


def images_here(manifest: Manifest | None, settings: Settings) -> tuple[dict[str, str], list[str]]:
    """Return the image of here by the one of there, and what has to be known of them."""
    found: dict[str, str] = {}
    notes: list[str] = []
    if manifest is None:
        return found, notes
    origin = manifest.origin
    for image in sorted({image for version in manifest.versions for image in _images(version.registration)}):
        parts = _OF_REGISTRY.fullmatch(image)
        if parts is None or (parts["account"] != origin.account_id and origin.region == settings.region):
            continue
        if parts["account"] == origin.account_id:
            found[image] = f"{settings.account_id}.dkr.ecr.{settings.region}.{parts['rest']}"
            if found[image] != image:
                notes.append(f"Image: {found[image]} has to be pushed; it was {image}")
        elif image == pinned_image(origin.region):
            found[image] = pinned_image(settings.region)
        else:
            notes.append(f"Image: {image} is of {parts['region']}, and may not be pulled from {settings.region}")
    return found, notes


def _images(registration: Mapping[str, Any]) -> Iterator[str]:
    for specification in (
        registration.get("InferenceSpecification", {}),
        *registration.get("AdditionalInferenceSpecifications", ()),
    ):
        yield from (one["Image"] for one in specification.get("Containers", ()) if "Image" in one)
