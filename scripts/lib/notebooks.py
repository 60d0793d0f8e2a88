"""Notebooks, run from top to bottom by a kernel of their own."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.lib.program import ScriptError, existing_file

if TYPE_CHECKING:
    from nbformat import NotebookNode

KERNEL = "python3"
"""The kernel that notebooks name."""
_KEPT = (
    *("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "TZ", "TMPDIR"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "LOCALMAKER_CHECK_RESPONSES"),
)
"""Variables that a kernel gets of those of this process: where programs are, and nothing that a result depends on."""


class NotebookError(ScriptError):
    """A notebook did not run to its end."""


def execute(path: Path, *, variables: Mapping[str, str], timeout: float) -> NotebookNode:
    """Run all cells of a notebook in its folder, by this interpreter, and return it with its outputs.

    The kernel has an empty home, and of this process's variables those that say where programs are: no account, no
    configuration. What was downloaded for the local endpoint (in $XDG_CACHE_HOME) is used again.

    Args:
        path: of the notebook, which is not changed.
        variables: more for the kernel, such as DATASET.
        timeout: seconds that each cell may take.

    Raises:
        NotebookError: a cell failed or took longer; names notebook and cell, and says why.
    """
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook: NotebookNode = nbformat.read(existing_file(path, "The notebook"), as_version=4)
    with tempfile.TemporaryDirectory(prefix="kernel-") as directory:
        folder = Path(directory)
        (folder / "home").mkdir()
        specification = folder / KERNEL / "kernel.json"
        specification.parent.mkdir()
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        specification.write_text(json.dumps({"argv": command, "display_name": "Python 3", "language": "python"}))
        manager = AsyncKernelManager(
            kernel_name=KERNEL,
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[directory], ensure_native_kernel=False),
            connection_file=str(folder / "connection.json"),
            transport="ipc",  # sockets in this folder, which nobody else can open
        )
        place = {"metadata": {"path": str(path.resolve().parent)}}
        started: list[str] = []
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=timeout,
            resources=place,
            coalesce_streams=True,
            shutdown_kernel="immediate",
            on_cell_execute=lambda cell, **_: started.append(cell.id),
        )
        try:
            client.execute(cleanup_kc=True, env={**_environment(folder / "home"), **variables})
        except CellExecutionError as error:
            raise _failed(path, started, f"{error.ename}: {error.evalue}") from error
        except (CellTimeoutError, DeadKernelError) as error:
            raise _failed(path, started, str(error).splitlines()[0]) from error
    return notebook


def _environment(home: Path) -> dict[str, str]:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "HOME": str(home),
        "XDG_CACHE_HOME": cache,
        "IPYTHONDIR": str(home.with_name("ipython")),
    }


def _failed(path: Path, started: list[str], reason: str) -> NotebookError:
    """Name the last cell that was started; a kernel that dies at once says nothing of it."""
    where = f", cell {started[-1]}" if started else ""
    return NotebookError(f"{path.name}{where}: {reason}", f"Open it and run it up to there: {path}")
