"""What the scikit-learn image's own entry point does for a training job: unpack, install, run a script.

Follows sagemaker-training 4.8 (the toolkit in the image): the hyperparameters ``sagemaker_program`` and
``sagemaker_submit_directory`` name the script and its archive; all others become its arguments and ``SM_HP_*``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.local.jobs import archives
from pipeline.local.jobs.failures import client_error
from pipeline.local.jobs.objects import S3Uri, resolve_inside
from pipeline.local.jobs.running import Instance, RunningJob

_RESERVED = "sagemaker_"
_CHANNELS = "/opt/ml/input/data/"
_INSTALL = 'python3 -m pip install -q --no-input -r requirements.txt || exit 1; exec "$@"'


@dataclass(frozen=True)
class Sources:
    """The script and where it comes from.

    Attributes:
        program: path of the script inside the archive.
        archive_uri: the archive in S3, or its path in a channel, for jobs without a network.
        values: decoded hyperparameters but for the toolkit's own.
    """

    program: str
    archive_uri: str
    values: Mapping[str, Any]


def find_sources(hyperparameters: Mapping[str, str]) -> Sources | None:
    """What the hyperparameters ask for, or None where they do not ask for script mode."""
    decoded = {name: _decode(value) for name, value in hyperparameters.items()}
    program, archive = decoded.get("sagemaker_program"), decoded.get("sagemaker_submit_directory")
    if not program or not archive:
        return None
    values = {name: value for name, value in decoded.items() if not name.startswith(_RESERVED)}
    return Sources(str(program), str(archive), values)


def _decode(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def fetch_sources(job: RunningJob, instance: Instance, sources: Sources) -> None:
    """Unpack the archive, from S3 or from a channel, into ``/opt/ml/code``.

    Raises:
        JobFailure: there is no such archive, it is hostile, or it does not hold the program.
    """
    if sources.archive_uri.startswith("s3://"):
        archive = instance.work / "sourcedir.tar.gz"
        job.transfer.download_object(str(S3Uri.parse(sources.archive_uri)), archive)
    else:
        inside = sources.archive_uri.startswith(_CHANNELS)
        archive = resolve_inside(instance.ml, sources.archive_uri.removeprefix("/opt/ml/"))
        if not inside or not archive.is_file():
            raise client_error(
                f'sagemaker_submit_directory "{sources.archive_uri}" is neither an S3 URI nor a file of a channel.'
            )
    archives.unpack(archive, instance.ml / "code")
    if not resolve_inside(instance.ml / "code", sources.program).is_file():
        raise client_error(f'"{sources.archive_uri}" does not hold the program "{sources.program}".')


def command(code: Path, sources: Sources) -> Sequence[str]:
    """Install the requirements, if there are any in the folder of the sources, then run the program."""
    arguments = to_arguments(sources.values)
    if sources.program.endswith(".py"):
        program = ["python3", sources.program, *arguments]
    else:
        program = ["/bin/sh", "-c", f'./{sources.program} "$@"', "sh", *arguments]
    if (code / "requirements.txt").is_file():
        return ["/bin/sh", "-c", _INSTALL, "sh", *program]
    return program


def user_command(whole: Sequence[str]) -> Sequence[str]:
    """The program and its arguments without the installation before it."""
    return whole[4:] if _INSTALL in whole else whole


def to_arguments(values: Mapping[str, Any]) -> list[str]:
    """Hyperparameters as command-line arguments, sorted by name: ``--name value``, ``-n value`` for one letter."""
    arguments: list[str] = []
    for name in sorted(values):
        value = values[name]
        if isinstance(value, dict):
            value = ",".join(f"{key}={value[key]}" for key in sorted(value))
        arguments += [f"--{name}" if len(name) > 1 else f"-{name}", str(value)]
    return arguments


def variables(job: RunningJob, instance: Instance, sources: Sources) -> Mapping[str, str]:
    """The ``SM_*`` variables."""
    request = job.request
    channels = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    configuration = {
        name: json.loads((instance.ml / "input" / "config" / f"{name}.json").read_text())
        for name in ("inputdataconfig", "resourceconfig")
    }
    plain: dict[str, Any] = {
        "HOSTS": list(job.hosts),
        "CURRENT_HOST": instance.host,
        "CURRENT_INSTANCE_TYPE": configuration["resourceconfig"]["current_instance_type"],
        "NETWORK_INTERFACE_NAME": "lo",
        "HPS": dict(sources.values),
        "USER_ENTRY_POINT": sources.program,
        "USER_ARGS": to_arguments(sources.values),
        "MODULE_NAME": PurePosixPath(sources.program).stem,
        "MODULE_DIR": sources.archive_uri,
        "FRAMEWORK_MODULE": "sagemaker_sklearn_container.training:main",
        "FRAMEWORK_PARAMS": {},
        "RESOURCE_CONFIG": configuration["resourceconfig"],
        "INPUT_DATA_CONFIG": configuration["inputdataconfig"],
        "CHANNELS": sorted(channels),
        "INPUT_DIR": "/opt/ml/input",
        "INPUT_CONFIG_DIR": "/opt/ml/input/config",
        "OUTPUT_DIR": "/opt/ml/output",
        "OUTPUT_DATA_DIR": "/opt/ml/output/data",
        "OUTPUT_INTERMEDIATE_DIR": "/opt/ml/output/intermediate",
        "MODEL_DIR": "/opt/ml/model",
        "NUM_CPUS": os.cpu_count() or 1,
        "NUM_GPUS": 0,
        "LOG_LEVEL": 20,
    }
    plain |= {f"CHANNEL_{name.upper()}": f"/opt/ml/input/data/{name}" for name in channels}
    plain |= {f"HP_{name.upper()}": value for name, value in sources.values.items()}
    encoded = {f"SM_{name}": _encode(value) for name, value in plain.items()}
    encoded["SM_TRAINING_ENV"] = json.dumps({name.lower(): value for name, value in plain.items()}, sort_keys=True)
    encoded["PYTHONPATH"] = "/opt/ml/code"
    return {re.sub(r"[=\0]", "_", name): value for name, value in encoded.items()}


def _encode(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
