"""What moto would do on this machine for anybody who asks: read objects out of YAML, and start containers.

The endpoint answers jobs, whose programs are not trusted. moto reads templates of CloudFormation with the loader of
PyYAML that calls any function (``!!python/object/apply:os.system``), and AWS Batch, SNS and others run containers with
whatever the request mounts, wherever Docker is to be had.
"""

from __future__ import annotations

from typing import Any

import yaml
from moto.utilities.docker_utilities import DockerModel

from localmaker.errors import AwsError

_MOTOS_LOADER: Any = yaml.Loader


class _TemplateLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Reads a template: plain data, and tags such as ``!Ref`` as moto has them."""


def _construct(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> Any:
    if not tag.startswith("!"):
        raise AwsError("ValidationError", f"Template format error: a template cannot have the tag {tag}")
    # moto registers how it reads tags before it reads a template, with the loader that it would use.
    return _MOTOS_LOADER.yaml_multi_constructors[""](loader, tag, node)


def _no_docker(_model: Any) -> Any:
    import docker.errors  # few endpoints are asked for it

    raise docker.errors.DockerException("the local endpoint starts no containers")


def install() -> None:
    """Take both away from moto, for the whole process."""
    _TemplateLoader.add_multi_constructor("", _construct)
    # moto looks them up at each call.
    yaml.Loader = yaml.FullLoader = yaml.UnsafeLoader = _TemplateLoader
    DockerModel.docker_client = property(_no_docker)
