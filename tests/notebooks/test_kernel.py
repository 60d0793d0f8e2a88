"""The kernel of this environment, installed as docs/notebooks.md says, finds the project from anywhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from tests.notebooks.executed import ROOT


def test_it_is_installed_by_the_documented_line(tmp_path):
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    line = re.search(r"^\.venv/bin/python (-m ipykernel install .*?) +#", page, re.MULTILINE)
    assert line is not None
    home = {**os.environ, "HOME": str(tmp_path), "JUPYTER_DATA_DIR": str(tmp_path / "jupyter")}
    subprocess.run([sys.executable, *shlex.split(line[1])], env=home, check=True, capture_output=True)
    kernels = tmp_path / "jupyter" / "kernels"
    assert json.loads((kernels / "bikeshare" / "kernel.json").read_text())["argv"][0] == sys.executable

    specifications = KernelSpecManager(kernel_dirs=[str(kernels)], ensure_native_kernel=False)
    manager = KernelManager(
        kernel_name="bikeshare", kernel_spec_manager=specifications, connection_file=str(tmp_path / "connection.json")
    )
    manager.start_kernel(env={**home, "IPYTHONDIR": str(tmp_path / "ipython")}, cwd=str(tmp_path))
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=120)
        code = "import pipeline.exploration.session, scripts.register_model"
        assert client.execute(code, reply=True, timeout=120)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
