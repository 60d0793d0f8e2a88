"""What an environment has that its image has not: other versions of Python and of packages."""

from __future__ import annotations

import re

from localmaker.images.environments import JobEnvironment
from localmaker.images.table import ImageMapping

_DISTRIBUTION = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)\.dist-info")
# Distributions of the same package without the libraries for accelerators.
_SMALLER = "-cpu"


def differences(image: ImageMapping, environment: JobEnvironment) -> str | None:
    """Return a sentence for the job's log; None where everything that the table names is as in the image."""
    if not image.original:
        return None
    found = {"python": environment.interpreter.version}
    for folder in environment.site_packages.glob("*.dist-info"):
        match = _DISTRIBUTION.fullmatch(folder.name)
        if match is not None:
            found[re.sub(r"[-_.]+", "-", match["name"]).lower().removesuffix(_SMALLER)] = match["version"]
    others = [
        f"{name} {found.get(name, 'is missing')} ({version} in the image)"
        for name, version in image.original.items()
        if not f"{found.get(name)}.".startswith(f"{version}.")
    ]
    return f"not the image's versions, but the nearest that can be had here: {', '.join(others)}" if others else None
