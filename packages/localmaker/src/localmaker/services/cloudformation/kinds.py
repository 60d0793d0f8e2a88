"""Kinds of resources that one API call creates, and another deletes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from localmaker.services.cloudformation.fitting import UnfitError, fitted

Properties = Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """A resource that exists.

    Attributes:
        physical_id: what ``Ref`` returns.
        attributes: what ``Fn::GetAtt`` returns, by attribute.
    """

    physical_id: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class Kind:
    """A kind of resource whose properties are the parameters of the call that creates it.

    Attributes:
        type: as templates name it.
        service: botocore's name of its API.
        create, update, delete: operations; without ``update`` a change replaces the resource.
        name: the property that names it, and the parameter that the other operations want; empty if it has none.
        ref: the property or member of the answer that ``Ref`` returns.
        attributes: those of ``Fn::GetAtt``, with the property or member that they are.
        renamed: properties with the names of their parameters, where these differ.
        longest_name, underscores: of a name that is made up.
    """

    type: str
    service: str
    create: str
    delete: str
    name: str
    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    update: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    longest_name: int = 63
    underscores: bool = True

    def made(self, client: Any, name: str, properties: Properties) -> Made:
        """Create a resource.

        Args:
            client: of the service, in the stack's region.
            name: of the resource, from the template or made up.
            properties: from the template.

        Raises:
            ClientError, UnfitError: it is refused.
        """
        request = self.parameters(client, self.create, self.named(name, properties))
        return self.described(request, call(client, self.create, request))

    def changed(self, client: Any, before: Made, old: Properties, new: Properties) -> Made | None:
        """Change a resource; None if it has to be replaced instead.

        Args:
            client: as for :meth:`made`.
            before: the resource.
            old: its properties; ``new`` those that it is to have.

        Raises:
            ClientError, UnfitError: it is refused.
        """
        differing = {key for key in {*old, *new} if old.get(key) != new.get(key)}
        whole = self.parameters(client, self.create, self.named(self.name_of(before), new))
        members = _members(client, self.update) if self.update else set()
        parameters = {one for key in differing for one in self.parameters_of(key)}
        if not parameters <= members:
            return None
        request = {key: value for key, value in whole.items() if key in members}
        call(client, self.update, request)
        return before

    def gone(self, client: Any, made: Made, properties: Properties) -> None:  # noqa: ARG002 - of kinds that need them
        """Delete a resource.

        Raises:
            ClientError: it is refused.
        """
        call(client, self.delete, {self.renamed.get(self.name, self.name): self.name_of(made)})

    def name_of(self, made: Made) -> str:
        """Return the name of a resource, which may be the end of the ARN that ``Ref`` returns."""
        return made.physical_id.rpartition("/")[2]

    def named(self, name: str, properties: Properties) -> Properties:
        """Return properties with the resource's name."""
        return {self.name: name, **properties} if self.name else properties

    def parameters_of(self, key: str) -> tuple[str, ...]:
        """Return the parameters that a property becomes."""
        return (self.renamed.get(key, key),)

    def parameters(self, client: Any, operation: str, properties: Properties) -> dict[str, Any]:
        """Return the parameters of an operation.

        Raises:
            UnfitError: it has none for a property.
        """
        renamed = {self.renamed.get(key, key): value for key, value in properties.items()}
        found: dict[str, Any] = fitted(_shape(client, operation), renamed)
        return found

    def described(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> Made:
        """Return what was made of a request."""
        known = {**request, **answer}
        return Made(str(known[self.ref]), {name: str(known[source]) for name, source in self.attributes.items()})


def call(client: Any, operation: str, request: Mapping[str, Any]) -> Any:
    """Call an operation by its name."""
    return getattr(client, xform_name(operation))(**request)


def reason_of(error: Exception, kind: Kind) -> str:
    """Return why a resource was refused, as CloudFormation words it."""
    if isinstance(error, ClientError):
        found = error.response["Error"]
        message, code = found.get("Message", ""), found.get("Code", "")
        return f'Resource handler returned message: "{message}" (Service: {kind.service}, Error Code: {code})'
    if isinstance(error, UnfitError):
        return f"Properties validation failed for resource of type {kind.type} with message: {error}"
    return str(error)


def _shape(client: Any, operation: str) -> Any:
    return client.meta.service_model.operation_model(operation).input_shape


def _members(client: Any, operation: str) -> set[str]:
    return set(_shape(client, operation).members)
