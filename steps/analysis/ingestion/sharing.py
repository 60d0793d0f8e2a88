"""Which rows are those of this instance, where a job has several: they need not talk to each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.runtime.container import CONTAINER_ROOT
from analysis.runtime.errors import SettingsError
from analysis.runtime.files import read_json

RESOURCES = CONTAINER_ROOT / "config" / "resourceconfig.json"


@dataclass(frozen=True)
class Share:
    """Every `of`-th row from the one at `index` (0 for the first); name: what this instance is called."""

    index: int = 0
    of: int = 1
    name: str = ""

    def has(self, position: int) -> bool:
        """Say whether the row at a position (0 for the first) is this instance's."""
        return position % self.of == self.index


def read_share(path: Path = RESOURCES) -> Share:
    """Return this instance's share of the rows: all of them where there is no such file, as outside a job.

    Raises SettingsError where the file does not say which of the hosts this one is.
    """
    if not path.is_file():
        return Share()
    document = read_json(path)
    hosts, host = document.get("hosts"), document.get("current_host")
    if not isinstance(hosts, list) or host not in hosts:
        raise SettingsError(f"{path} does not name this host ({host}) among the job's hosts ({hosts}).")
    return Share(sorted(hosts).index(host), len(hosts), str(host))
