"""What moto's stacks know of a resource that an API has made, and the classes that moto makes resources with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException

from localmaker.errors import LocalmakerError
from localmaker.ports import AwsClients
from localmaker.services.cloudformation.fitting import UnfitError
from localmaker.services.cloudformation.kinds import Kind, Made, reason_of

_REPLACED = (
    "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {} and update the "
    "stack again."
)
_SUFFIX_CHARACTERS = 13


class ResourceFailedError(LocalmakerError):
    """A resource of a stack cannot be made, changed or deleted; the message is its ResourceStatusReason.

    Args:
        logical_id: in the template.
        kind: the resource's type.
        reason: the message.
    """

    def __init__(self, logical_id: str, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.logical_id, self.kind = logical_id, kind


class ApiResource:
    """A resource of a stack that an API has made; the state stores it.

    moto sets the attributes ``cf_resource_type`` and ``logical_resource_id``.

    Args:
        made: the resource.
        properties: what it was made with.
    """

    def __init__(self, made: Made, properties: Mapping[str, Any]) -> None:
        self.physical_resource_id = made.physical_id
        self.attributes = dict(made.attributes)
        self.properties = dict(properties)

    def made(self) -> Made:
        """Return the resource."""
        return Made(self.physical_resource_id, self.attributes)

    def is_created(self) -> bool:
        """Say that it exists."""
        return True

    def get_cfn_attribute(self, name: str) -> str:
        """Return what ``Fn::GetAtt`` wants."""
        if name not in self.attributes:
            raise UnformattedGetAttTemplateException
        return self.attributes[name]


class Maker:
    """Makes resources of a kind: what moto sees of it, in the place of a class of its own.

    Args:
        kind: of the resources.
        clients: of the endpoint itself.
    """

    def __init__(self, kind: Kind, clients: AwsClients) -> None:
        self._kind, self._clients = kind, clients

    def cloudformation_name_type(self) -> str:
        """Return the property that names a resource."""
        return self._kind.name

    def has_cfn_attr(self, attribute: str) -> bool:
        """Return whether ``Fn::GetAtt`` knows an attribute."""
        return attribute in self._kind.attributes

    def create_from_cloudformation_json(
        self, name: str, document: Mapping[str, Any], _account: str, region: str, **about: str
    ) -> ApiResource:
        """Create a resource.

        Raises:
            ResourceFailedError: it cannot be made.
        """
        try:
            return self._create(name, _properties(document), region)
        except (ClientError, BotoCoreError, UnfitError) as error:
            raise self._failed(about.get("LogicalId", name), error) from error

    def update_from_cloudformation_json(
        self,
        *,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> ApiResource:
        """Change a resource, or replace it.

        Raises:
            ResourceFailedError: it cannot be changed.
        """
        del account_id
        client = self._clients.client(self._kind.service, region_name)
        old, new = original_resource.properties, _properties(cloudformation_json)
        try:
            is_same = old.get(self._kind.name) == new.get(self._kind.name)
            changed = self._kind.changed(client, original_resource.made(), old, new) if is_same else None
            if changed is not None:
                return ApiResource(changed, new)
            if is_same and old.get(self._kind.name):
                raise UnfitError(_REPLACED.format(old[self._kind.name]))
            replacement = self._create(new_resource_name, new, region_name)
            self._kind.gone(client, original_resource.made(), old)
        except (ClientError, BotoCoreError, UnfitError) as error:
            raise self._failed(original_resource.logical_resource_id, error) from error
        return replacement

    def destroy(self, resource: ApiResource, region: str) -> None:
        """Delete a resource; one that is gone already is no error.

        Raises:
            ResourceFailedError: it cannot be deleted.
        """
        logical_id: str = vars(resource).get("logical_resource_id", resource.physical_resource_id)
        try:
            self._kind.gone(self._clients.client(self._kind.service, region), resource.made(), resource.properties)
        except ClientError as error:
            if not _is_missing(error):
                raise self._failed(logical_id, error) from error
        except BotoCoreError as error:
            raise self._failed(logical_id, error) from error

    def _create(self, name: str, properties: Mapping[str, Any], region: str) -> ApiResource:
        if properties.get(self._kind.name) is None:
            name = _made_up(name if self._kind.underscores else name.replace("_", "-"), self._kind.longest_name)
        made = self._kind.made(self._clients.client(self._kind.service, region), name, properties)
        return ApiResource(made, properties)

    def _failed(self, logical_id: str, error: Exception) -> ResourceFailedError:
        return ResourceFailedError(logical_id, self._kind.type, reason_of(error, self._kind))


class Nothing:
    """Stands for a type of resource that does nothing on AWS, either, that a program could notice here."""

    def cloudformation_name_type(self) -> str:
        """Return that its resources have no names."""
        return ""

    def has_cfn_attr(self, _attribute: str) -> bool:
        """Return that it has no attributes."""
        return False

    def create_from_cloudformation_json(
        self, name: str, document: Mapping[str, Any], *_: Any, **_about: str
    ) -> ApiResource:
        """Return a resource that is only listed."""
        return ApiResource(Made(name, {}), _properties(document))

    def update_from_cloudformation_json(self, *, original_resource: Any, **_: Any) -> Any:
        """Return the same resource."""
        return original_resource

    def destroy(self, _resource: ApiResource, _region: str) -> None:
        """Do nothing."""


class Refusal:
    """Stands for a type of resource that cannot be made here.

    Args:
        kind: the type.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def cloudformation_name_type(self) -> str:
        """Return that its resources have no names."""
        return ""

    def has_cfn_attr(self, _attribute: str) -> bool:
        """Accept every attribute: the resource fails, and not the template."""
        return True

    def create_from_cloudformation_json(self, name: str, *_: Any, **about: str) -> Any:
        """Refuse.

        Raises:
            ResourceFailedError: always.
        """
        reason = (
            f"The local endpoint does not make resources of type {self._kind}. Create it with its own API, and take "
            "the resource out of the template that is used here."
        )
        raise ResourceFailedError(about.get("LogicalId", name), self._kind, reason)

    def update_from_cloudformation_json(self, *, original_resource: Any, **_: Any) -> Any:
        """Refuse.

        Raises:
            ResourceFailedError: always.
        """
        return self.create_from_cloudformation_json(original_resource.logical_resource_id)


def _made_up(name: str, longest: int) -> str:
    """Return moto's name for a resource, which may be too long; its end makes it unique."""
    return name if len(name) <= longest else name[: longest - _SUFFIX_CHARACTERS] + name[-_SUFFIX_CHARACTERS:]


def _properties(document: Mapping[str, Any]) -> dict[str, Any]:
    return dict(document.get("Properties") or {})


def _is_missing(error: ClientError) -> bool:
    code, message = (str(error.response["Error"].get(name, "")) for name in ("Code", "Message"))
    return any(word in code for word in ("NotFound", "NoSuch", "NonExistent")) or (
        code == "ValidationException" and ("does not exist" in message or "Could not find" in message)
    )
