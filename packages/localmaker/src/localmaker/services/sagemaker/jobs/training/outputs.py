"""What a training job stores: model and output at its end; checkpoints and streamed output while it runs.

========================== ========================================================================================
``/opt/ml/model``          ``<S3OutputPath>/<job>/output/model.tar.gz``, or ``model/`` without compression
``/opt/ml/output/data``    ``<S3OutputPath>/<job>/output/output.tar.gz``, or ``data/``
CheckpointConfig           as they are, at its ``S3Uri``, where the next job finds them; deletions are repeated there
TensorBoardOutputConfig    as it is, at ``<S3OutputPath>/<job>/tensorboard-output``
DebugHookConfig            as it is, at ``<S3OutputPath>/<job>/debug-output``
========================== ========================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

from localmaker.services.sagemaker.jobs.data import archives
from localmaker.services.sagemaker.jobs.data.channels import below_ml
from localmaker.services.sagemaker.jobs.data.continuous import WatchedFolder
from localmaker.services.sagemaker.jobs.data.objects import S3Uri, check_outputs, has_link
from localmaker.services.sagemaker.jobs.data.trees import files_below
from localmaker.services.sagemaker.jobs.failures import JobFailure, client_error
from localmaker.services.sagemaker.jobs.records import JobRecord
from localmaker.services.sagemaker.jobs.running.instances import Instance
from localmaker.services.sagemaker.jobs.running.running_job import RunningJob

_CHECKPOINTS = "/opt/ml/checkpoints"
# Configuration, its default LocalPath, the folder below its S3OutputPath and the job's name.
_STREAMED = (
    ("TensorBoardOutputConfig", "/opt/ml/output/tensorboard", "tensorboard-output"),
    ("DebugHookConfig", "/opt/ml/output/tensors", "debug-output"),
)
_ML = PurePosixPath("/opt/ml")


def model_artifacts_uri(record: JobRecord) -> str:
    """Return the URI of a training job's model: an archive, or a folder without compression."""
    output = record.request["OutputDataConfig"]
    base = f"{output['S3OutputPath'].rstrip('/')}/{record.name}/output"
    return f"{base}/model/" if output.get("CompressionType") == "NONE" else f"{base}/model.tar.gz"


def is_available(path: str) -> bool:
    """Return whether a LocalPath is a folder of the instance's own: below ``/opt/ml``."""
    where = PurePosixPath(path)
    return where.is_relative_to(_ML) and where != _ML and ".." not in where.parts and "\0" not in path


def local_paths(request: Mapping[str, Any]) -> Sequence[str]:
    """Return the folders that are uploaded while the job runs, as the request names them."""
    checkpoints = checkpoint_configuration(request)
    streamed = [request[name].get("LocalPath", default) for name, default, _ in _STREAMED if name in request]
    return [*([checkpoints["LocalPath"]] if checkpoints else []), *streamed]


def checkpoint_configuration(request: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return CheckpointConfig with its defaults, as the container finds it; None where there is none."""
    configuration = request.get("CheckpointConfig")
    return None if configuration is None else {"LocalPath": _CHECKPOINTS, **configuration}


def prepare_folders(job: RunningJob) -> None:
    """Create the folders that are uploaded while the job runs, and download the checkpoints of earlier jobs.

    Raises:
        JobFailure: S3 refuses.
    """
    for instance, path in product(job.instances, local_paths(job.request)):
        (instance.ml / below_ml(path)).mkdir(parents=True, exist_ok=True)
    configuration = checkpoint_configuration(job.request)
    if configuration is not None:
        for instance in job.instances:
            _download_checkpoints(job, instance, configuration)


def _download_checkpoints(job: RunningJob, instance: Instance, configuration: Mapping[str, str]) -> None:
    """Download the checkpoints, if there are any."""
    try:
        job.transfer.download_prefix(
            f"{configuration['S3Uri'].rstrip('/')}/", instance.ml / below_ml(configuration["LocalPath"])
        )
    except JobFailure as failure:
        if "No S3 objects found" not in str(failure):
            raise


def watched_folders(job: RunningJob) -> Sequence[WatchedFolder]:
    """Return the folders that are uploaded while the job runs."""
    request = job.request
    destinations = [
        (request[name].get("LocalPath", default), _below(request[name]["S3OutputPath"], job.record.name, folder), False)
        for name, default, folder in _STREAMED
        if name in request
    ]
    checkpoints = checkpoint_configuration(request)
    if checkpoints is not None:
        destinations.append((checkpoints["LocalPath"], checkpoints["S3Uri"], True))
    return [
        WatchedFolder(instance.ml, below_ml(path), uri, mirrored=mirrored)
        for instance in reversed(job.instances)
        for path, uri, mirrored in destinations
    ]


def upload(job: RunningJob, *, with_model: bool) -> None:
    """Upload the model and the output. As on AWS, an empty folder gives no object.

    Raises:
        JobFailure: S3 refuses, or a folder is a link.
    """
    model_uri = model_artifacts_uri(job.record)
    output_uri = _below(model_uri.rsplit("/output/", 1)[0], "output")
    for instance, folder in product(job.instances, ("model", "output/data")):
        if has_link(instance.ml, PurePosixPath(folder)):
            raise client_error(f'"/opt/ml/{folder}" is a symbolic link; links are not followed.')
    packed = not model_uri.endswith("/")
    uris = {"model": model_uri} if with_model else {}
    uris["output/data"] = output_uri + ("/output.tar.gz" if packed else "/data/")
    for instance in job.instances:
        outputs = [(instance.ml / folder, None if packed else S3Uri.parse(uri)) for folder, uri in uris.items()]
        check_outputs(outputs, job.limits.disk_bytes)
    for folder, uri in uris.items():
        _upload_packed(job, folder, uri)


def _upload_packed(job: RunningJob, folder: str, uri: str) -> None:
    """Upload a folder of all instances. Of several files with one name, the first instance's is used."""
    folders = [instance.ml / folder for instance in job.instances]
    if not any(map(_has_files, folders)):
        return
    if uri.endswith("/"):
        for each in reversed(folders):
            job.transfer.upload_folder(each, uri)
        return
    archive = job.work / Path(uri).name
    for name in archives.pack(folders, archive):
        job.log.say(f"several instances wrote /opt/ml/{folder}/{name}; the file of the first is kept")
    job.transfer.upload(archive, S3Uri.parse(uri))


def _has_files(folder: Path) -> bool:
    for _, file in files_below(folder):
        file.close()
        return True
    return False


def _below(uri: str, *parts: str) -> str:
    return "/".join((uri.rstrip("/"), *parts))
