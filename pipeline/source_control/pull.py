"""The script that a notebook instance runs at every start: this repository and branch put into ``pull_on_start.sh``."""

from __future__ import annotations

import shlex
from pathlib import Path

from pipeline.settings.environment import Settings
from pipeline.source_control.names import Names
from pipeline.source_control.repository import RESCUE, Repository

#: ``Content`` of SageMaker's NotebookInstanceLifecycleHook: 16,384 characters of base64.
LARGEST_SCRIPT = 16384 // 4 * 3
_TEMPLATE = Path(__file__).with_name("pull_on_start.sh")
_PLACE = "# @settings@\n"


def pull_script(settings: Settings, repository: Repository, notebook: str) -> str:
    """Return the script for one notebook instance; it has the secret's name, and nothing of the credential."""
    values = {
        "URL": repository.url,
        "PROTOCOL": repository.protocol,
        "SERVER": repository.server,
        "BRANCH": repository.branch,
        "FOLDER": repository.folder,
        "RESCUE": f"{RESCUE}/{notebook}",
        "SECRET": Names(settings).secret,
        "REGION": settings.region,
    }
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
    script = _TEMPLATE.read_text(encoding="utf-8").replace(_PLACE, lines, 1)
    size = len(script.encode())
    if size > LARGEST_SCRIPT:
        raise AssertionError(f"pull_on_start.sh has {size} bytes; SageMaker takes {LARGEST_SCRIPT}")
    return script
