"""Script mode: what the scikit-learn image's own entry point does for a training job: unpack, install, run.

Follows sagemaker-training 4.8 (the toolkit in the image): the hyperparameters ``sagemaker_program`` and
``sagemaker_submit_directory`` name the script and its archive; all others become its arguments and ``SM_HP_*``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localmaker.services.sagemaker.jobs.data import archives
from localmaker.services.sagemaker.jobs.data.objects import S3Uri, resolve_inside
from localmaker.services.sagemaker.jobs.failures import client_error
from localmaker.services.sagemaker.jobs.running.installing import after_installing
from localmaker.services.sagemaker.jobs.running.instances import Instance
from localmaker.services.sagemaker.jobs.running.running_job import RunningJob

_RESERVED = "sagemaker_"
# Consumed by the toolkit; other names with its prefix are passed on.
_TOOLKIT_PARAMETERS = (
    "sagemaker_program",
    "sagemaker_submit_directory",
    "sagemaker_enable_cloudwatch_metrics",
    "sagemaker_region",
    "sagemaker_container_log_level",
    "sagemaker_job_name",
    "default_user_module_name",
    "_tuning_objective_metric",
    "sagemaker_s3_output",
)
_LOG_LEVEL = 20
_CHANNELS = "/opt/ml/input/data/"
_REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True)
class Sources:
    """A script and its source.

    Attributes:
        program: path of the script inside the archive.
        archive_uri: the archive in S3; for jobs without a network, the path of an archive, a folder or a program in a
            channel.
        values: decoded hyperparameters without the toolkit's own.
        framework: hyperparameters of the toolkit that it only passes on.
        log_level: of Python's logging, as a number.
    """

    program: str
    archive_uri: str
    values: Mapping[str, Any]
    framework: Mapping[str, Any]
    log_level: Any


def entry_point(algorithm: Mapping[str, Any]) -> Sequence[str]:
    """Return the program that a request names instead of the image's own."""
    return [*algorithm.get("ContainerEntrypoint", []), *algorithm.get("ContainerArguments", [])]


def find_sources(hyperparameters: Mapping[str, str], environment: Mapping[str, str]) -> Sources | None:
    """Return the script that hyperparameters and variables name; None where they do not ask for script mode."""
    decoded = {name: _decode(value) for name, value in hyperparameters.items()}
    program = environment.get("SAGEMAKER_PROGRAM") or decoded.get("sagemaker_program")
    archive = decoded.get("sagemaker_submit_directory")
    if not program or not archive:
        return None
    values = {name: value for name, value in decoded.items() if not _is_reserved(name)}
    framework = {
        name: value for name, value in decoded.items() if _is_reserved(name) and name not in _TOOLKIT_PARAMETERS
    }
    log_level = decoded.get("sagemaker_container_log_level", _LOG_LEVEL)
    return Sources(str(program), str(archive), values, framework, log_level)


def _is_reserved(name: str) -> bool:
    return name.startswith(_RESERVED) or name in _TOOLKIT_PARAMETERS


def _decode(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def fetch_sources(job: RunningJob, instance: Instance, sources: Sources) -> None:
    """Put the sources, from S3 or from a channel, into ``/opt/ml/code``.

    Raises:
        JobFailure: there are none, their archive is unsafe, or they do not contain the program.
    """
    code = instance.ml / "code"
    if sources.archive_uri.startswith("s3://"):
        found = instance.work / "sourcedir.tar.gz"
        job.transfer.download_object(str(S3Uri.parse(sources.archive_uri)), found)
    else:
        inside = sources.archive_uri.startswith(_CHANNELS)
        found = resolve_inside(instance.ml, sources.archive_uri.removeprefix("/opt/ml/"))
        if not inside or not found.exists():
            raise client_error(
                f'sagemaker_submit_directory "{sources.archive_uri}" is neither an S3 URI nor a file in a channel.'
            )
    if found.is_dir():
        shutil.copytree(found, code, dirs_exist_ok=True)
    elif found.suffix == ".py":
        shutil.copy2(found, code)
    else:
        archives.unpack(found, code, job.limits.disk_bytes)
    program = resolve_inside(code, sources.program)
    if not program.is_file():
        raise client_error(f'"{sources.archive_uri}" does not contain the program "{sources.program}".')
    if not _is_python(sources.program):
        program.chmod(0o777)


def command(code: Path, sources: Sources) -> Sequence[str]:
    """Return the command that installs what the sources require, then runs the program.

    A folder with a ``setup.py`` is a package: it is installed, and the program run as one of its modules.
    """
    arguments = to_arguments(sources.values)
    wanted = [f"-r {_REQUIREMENTS}"] if (code / _REQUIREMENTS).is_file() else []
    if not _is_python(sources.program):
        program = ["/bin/sh", "-c", f'./{sources.program} "$@"', "sh", *arguments]
    elif (code / "setup.py").is_file():
        program = ["python3", "-m", sources.program.replace(".py", ""), *arguments]
        wanted.insert(0, ".")
    else:
        program = ["python3", sources.program, *arguments]
    return after_installing(wanted, program)


def _is_python(program: str) -> bool:
    return program.endswith(".py")


def to_arguments(values: Mapping[str, Any]) -> list[str]:
    """Return hyperparameters as command-line arguments by name: ``--name value``, ``-n value`` for one letter."""
    arguments: list[str] = []
    for name in sorted(values):
        value = values[name]
        if isinstance(value, dict):
            value = ",".join(f"{key}={value[key]}" for key in sorted(value))
        arguments += [f"--{name}" if len(name) > 1 else f"-{name}", "" if value is None else str(value)]
    return arguments


def variables(job: RunningJob, instance: Instance, sources: Sources) -> Mapping[str, str]:
    """Return the ``SM_*`` variables."""
    inputs, resources = (
        json.loads((instance.ml / "input" / "config" / f"{name}.json").read_text())
        for name in ("inputdataconfig", "resourceconfig")
    )
    channels = {name: f"{_CHANNELS}{name}" for name in inputs}
    groups = {group["instance_group_name"]: group for group in resources["instance_groups"]}
    common: dict[str, Any] = {
        "current_host": instance.host,
        "current_instance_type": resources["current_instance_type"],
        "current_instance_group": resources["current_group_name"],
        "current_instance_group_hosts": list(job.hosts),
        "instance_groups": list(groups),
        "instance_groups_dict": groups,
        "distribution_instance_groups": [],
        "is_hetero": False,
        "hosts": list(job.hosts),
        "network_interface_name": resources["network_interface_name"],
        "user_entry_point": sources.program,
        "module_name": sources.program.removesuffix(".py"),
        "module_dir": sources.archive_uri,
        "framework_module": _framework(job),
        "resource_config": resources,
        "input_data_config": inputs,
        "input_dir": "/opt/ml/input",
        "input_config_dir": "/opt/ml/input/config",
        "output_dir": "/opt/ml/output",
        "output_data_dir": "/opt/ml/output/data",
        "output_intermediate_dir": "/opt/ml/output/intermediate",
        "model_dir": "/opt/ml/model",
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": 0,
        "num_neurons": 0,
        "log_level": sources.log_level,
    }
    plain = {
        **common,
        "hps": dict(sources.values),
        "user_args": to_arguments(sources.values),
        "framework_params": dict(sources.framework),
        "channels": sorted(channels),
        **{f"channel_{name}": path for name, path in channels.items()},
        **{f"hp_{name}": value for name, value in sources.values.items()},
        "training_env": {
            **common,
            "hyperparameters": dict(sources.values),
            "additional_framework_parameters": dict(sources.framework),
            "channel_input_dirs": channels,
            "distribution_hosts": [],
            "master_hostname": job.hosts[0],
            "is_master": instance.host == job.hosts[0],
            "job_name": job.record.name,
        },
    }
    encoded = {f"SM_{name.upper()}": _encode(value) for name, value in plain.items()}
    encoded["PYTHONPATH"] = "/opt/ml/code"
    return {re.sub(r"[=\0]", "_", name): value for name, value in encoded.items()}


def _framework(job: RunningJob) -> str:
    """Return what the image sets, or the scikit-learn image's."""
    found = job.environment.variables if job.environment is not None else {}
    return found.get("SAGEMAKER_TRAINING_MODULE", "sagemaker_sklearn_container.training:main")


def _encode(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
