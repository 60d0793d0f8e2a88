"""Run escapes.py in a sandbox as the user that runs this program, and print as JSON what it managed to do.

``python hostile_job.py <folder> [weakened]``: the folder is empty and the user's own. ``weakened`` leaves out what the
sandbox takes away, to see that the attempts are able to succeed.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from localmaker.sandbox import bubblewrap
from localmaker.sandbox.network import Door
from localmaker.sandbox.sandbox import Isolation, SandboxRequest, start

ADD_KEY = {"x86_64": 248, "aarch64": 217}
SESSION_KEYRING = -3
SCRIPT = "/opt/ml/escapes.py"


def plant(folder: Path) -> dict:
    """Put what a job may not reach where such things are: files, a process, a port, a socket, a key, a variable."""
    secrets = [
        Path.home() / ".aws" / "credentials",
        folder / "state" / "admin.json",
        folder / "another-job" / "ml" / "model",
    ]
    for secret in secrets:
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("secret")
    add_key = ctypes.CDLL(None, use_errno=True).syscall
    add_key(ADD_KEY[os.uname().machine], b"user", b"machine-secret", b"1", 1, SESSION_KEYRING)
    os.environ["MACHINE_SECRET"] = "1"
    return {
        "secrets": [str(secret) for secret in secrets],
        "read_only": ["/opt/ml/fixed", sysconfig.get_path("stdlib")],
    }


def weaken() -> None:
    """Leave out what bubblewrap takes away."""
    arguments = bubblewrap.arguments
    gone = {"--disable-userns", "--die-with-parent"}

    def weakened(view):
        words = arguments(view)
        position = words.index("--cap-drop")
        del words[position : position + 2]
        position = words.index("/proc/sys") - 1
        del words[position : position + 3]
        return [word for word in words if word not in gone]

    bubblewrap.arguments = weakened


def answer(listener: socket.socket) -> Callable[[], None]:
    """Answer the first client of the only way out."""

    def accept() -> None:
        with suppress(OSError):
            listener.accept()[0].close()

    threading.Thread(target=accept, daemon=True).start()
    return listener.close


def run(folder: Path, *, network: bool | Door) -> dict:
    facts = plant(folder) | {"door": network.port if isinstance(network, Door) else 0}
    work = folder / {True: "job-with-network", False: "job"}.get(network, "job-with-a-door")
    (work / "ml" / "fixed").mkdir(parents=True)
    (work / "ml" / "escapes.py").write_text(Path(__file__).with_name("escapes.py").read_text())
    name = f"localmaker-escape-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        facts |= {"port": port.getsockname()[1], "socket": name}
        canary = subprocess.Popen(["sleep", "600"])
        facts["pid"] = canary.pid
        process = start(
            SandboxRequest(
                [str(bubblewrap.interpreter()[0]), "-I", "-S", SCRIPT, json.dumps(facts)],
                {},
                "/opt/ml",
                work,
                read_only=["/opt/ml/fixed"],
                network=network,
                isolation=Isolation.BUBBLEWRAP,
            )
        )
        with os.fdopen(os.dup(process.output())) as output:
            text = output.read()
        code = process.wait()
        alive = canary.poll() is None
        canary.kill()
        canary.wait()
    if code:
        raise SystemExit(text)
    kept = all(Path(secret).read_text() == "secret" for secret in facts["secrets"])
    return {**json.loads(text.splitlines()[-1]), "canary": alive, "kept": kept, "printed": text.splitlines()[:-1]}


if __name__ == "__main__":
    if "weakened" in sys.argv:
        weaken()
    here = Path(sys.argv[1])
    print(json.dumps([run(here, network=network) for network in (False, True, Door(4566, answer))]))
