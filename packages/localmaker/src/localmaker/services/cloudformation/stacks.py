"""A patch of moto: stacks make their resources by the endpoint's own APIs, and fail where they cannot.

- moto: a stack makes resources in moto's own backends, past what the endpoint answers itself. A type that it does not
  know makes nothing, and the stack is complete. A resource that fails leaves the stack in progress for ever.
- CloudFormation: each resource is made, or has an event ``CREATE_FAILED`` with the reason, what was made is deleted
  again, and the stack is ``ROLLBACK_COMPLETE``.
- Replaced: how moto finds the class of a type and deletes a resource; how stacks and change sets are created, updated
  and deleted.

Types that an API of the endpoint makes are in the ``KINDS`` of this package. Of the others, moto makes those that it
has and the endpoint does not answer itself. An update that fails is not rolled back: the stack is ``UPDATE_FAILED``, a
state that CloudFormation knows, too ("Stack failure options" in the user guide).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.cloudformation import models, parsing, responses
from moto.cloudformation.models import CloudFormationBackend, Event, Stack
from moto.cloudformation.parsing import ResourceMap

from localmaker.ports import AwsClients
from localmaker.services.cloudformation import buckets, functions, roles, rules, sagemaker
from localmaker.services.cloudformation.resources import ApiResource, Maker, Nothing, Refusal, ResourceFailedError

#: By type.
KINDS = {kind.type: kind for kind in (*buckets.KINDS, *functions.KINDS, *roles.KINDS, *sagemaker.KINDS, *rules.KINDS)}
NOTHING = ("AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle")
# moto has them, but not as they are here, or they would run what is not run here.
_REFUSED = ("AWS::SageMaker::", "AWS::CloudFormation::WaitCondition", "AWS::CloudFormation::CustomResource", "Custom::")
_PENDING_FAILURE = "localmaker_failure"

_moto_template = models.get_stack_from_s3_url
_moto_class = parsing.resource_class_from_type
_moto_create_resources = Stack.create_resources
_moto_update = Stack.update
_moto_delete = Stack.delete
_moto_resource = ResourceMap.__getitem__
_moto_delete_resource = ResourceMap._delete_resource  # noqa: SLF001 - moto has no hook for it
_moto_delete_stack = CloudFormationBackend.delete_stack
_moto_execute = CloudFormationBackend.execute_change_set
_moto_validate_exports = CloudFormationBackend._validate_export_uniqueness  # noqa: SLF001 - as above


def install(clients: AwsClients) -> None:
    """Put it into moto, for the whole process. Calling it again replaces what makes resources.

    Args:
        clients: of the endpoint itself.
    """
    makers: dict[str, Maker | Nothing] = {name: Maker(kind, clients) for name, kind in KINDS.items()}
    makers |= {name: Nothing() for name in NOTHING}

    def class_of(kind: str) -> Any:
        if kind in makers:
            return makers[kind]
        is_made = kind in parsing.get_model_map() and not kind.startswith(_REFUSED)
        return _moto_class(kind) if is_made else Refusal(kind)

    def name_property(kind: str) -> str | None:
        return str(class_of(kind).cloudformation_name_type()) or None

    def delete_resource(resources: Any, resource: Any, document: dict[str, Any]) -> None:
        if isinstance(resource, ApiResource):
            makers[document["Type"]].destroy(resource, resources._region_name)  # noqa: SLF001 - as above
        else:
            _moto_delete_resource(resources, resource, document)

    parsing.resource_class_from_type = class_of
    parsing.resource_name_property_from_type = name_property
    ResourceMap._delete_resource = delete_resource  # noqa: SLF001 - as above
    ResourceMap.__getitem__ = _resource
    models.get_stack_from_s3_url = responses.get_stack_from_s3_url = _template
    Stack.stack_resources = property(_stack_resources)
    Stack.create_resources = _create_resources
    Stack.update = _update
    Stack.delete = _delete
    CloudFormationBackend.delete_stack = _delete_stack
    CloudFormationBackend.execute_change_set = _execute_change_set
    CloudFormationBackend._validate_export_uniqueness = _validate_exports  # noqa: SLF001 - as above


def _template(url: str, account_id: str, partition: str) -> str:
    """Return the template at a URL of S3; this endpoint's own has the bucket in its path, too."""
    return str(_moto_template(url.replace("//127.0.0.1:", "//localhost:"), account_id, partition))


def _resource(resources: Any, key: str) -> Any:
    """Return a resource, made if need be after those that it depends on; moto forgets these in change sets."""
    if key not in resources._parsed_resources:  # noqa: SLF001 - as above
        needed = resources._resource_json_map.get(key, {}).get("DependsOn", ())  # noqa: SLF001 - as above
        for one in (needed,) if isinstance(needed, str) else needed:
            if one in resources._resource_json_map:  # noqa: SLF001 - as above
                resources[one]
        found = _moto_resource(resources, key)
        if isinstance(found, Stack) and found.status.startswith("ROLLBACK"):
            reason = f"Embedded stack {found.stack_id} was not successfully created: {found.stack_status_reason}"
            raise ResourceFailedError(key, Stack.cloudformation_type(), reason)
        return found
    return _moto_resource(resources, key)


def _stack_resources(stack: Any) -> list[Any]:
    """Return the resources of a stack without those whose condition is false, for which moto has None."""
    return [one for one in stack.resource_map.values() if one is not None]


def _validate_exports(backend: Any, stack: Any) -> None:
    """Find out the names of exports, for which moto makes resources already."""
    try:
        _moto_validate_exports(backend, stack)
    except ResourceFailedError as failure:
        setattr(stack, _PENDING_FAILURE, failure)
        _forget_outputs(stack)


def _create_resources(stack: Any) -> None:
    failure: ResourceFailedError | None = stack.__dict__.pop(_PENDING_FAILURE, None)
    if failure is None:
        try:
            _moto_create_resources(stack)
        except ResourceFailedError as failed:
            failure = failed
    if failure is not None:
        _roll_back(stack, failure)


def _roll_back(stack: Any, failure: ResourceFailedError) -> None:
    """Delete what a stack has made, after one of its resources has failed."""
    reason = f"The following resource(s) failed to create: [{failure.logical_id}]. Rollback requested by user."
    _add_event(stack, failure, "CREATE_FAILED")
    _turn(stack, "ROLLBACK_IN_PROGRESS", reason)
    _forget_unmade(stack)
    _forget_outputs(stack)
    try:
        stack.resource_map.delete()
    except ResourceFailedError as another:
        _add_event(stack, another, "DELETE_FAILED")
        _turn(stack, "ROLLBACK_FAILED", f"The following resource(s) failed to delete: [{another.logical_id}].")
        return
    _forget_unmade(stack)
    _turn(stack, "ROLLBACK_COMPLETE", reason)


def _update(stack: Any, *args: Any, **kwargs: Any) -> None:
    _failing_update(stack, lambda: _moto_update(stack, *args, **kwargs))


def _failing_update(stack: Any, update: Callable[[], None]) -> bool:
    try:
        update()
    except ResourceFailedError as failure:
        _add_event(stack, failure, "UPDATE_FAILED")
        _forget_unmade(stack)
        _turn(stack, "UPDATE_FAILED", f"The following resource(s) failed to update: [{failure.logical_id}].")
        return False
    return True


def _delete(stack: Any) -> None:
    try:
        _moto_delete(stack)
    except ResourceFailedError as failure:
        _add_event(stack, failure, "DELETE_FAILED")
        _forget_unmade(stack)
        _turn(stack, "DELETE_FAILED", f"The following resource(s) failed to delete: [{failure.logical_id}].")


def _delete_stack(backend: Any, name_or_id: str) -> None:
    _moto_delete_stack(backend, name_or_id)
    for stack in [one for one in backend.deleted_stacks.values() if one.status == "DELETE_FAILED"]:
        # moto has put it away before it was deleted.
        backend.stacks[stack.stack_id] = backend.deleted_stacks.pop(stack.stack_id)


def _execute_change_set(backend: Any, change_set_name: str, stack_name: str | None = None) -> None:
    change_set = backend.describe_change_set(change_set_name)
    stack = backend.stacks[change_set.stack_id]

    def execute() -> None:
        _moto_execute(backend, change_set_name, stack_name)

    if change_set.change_set_type == "CREATE":
        try:
            execute()
        except ResourceFailedError as failure:
            change_set.execution_status = "EXECUTE_FAILED"
            _roll_back(stack, failure)
            return
    elif not _failing_update(stack, execute):
        change_set.execution_status = "EXECUTE_FAILED"
        return
    # moto leaves a stack that a change set has made without outputs.
    stack._parse_template()  # noqa: SLF001 - as above
    stack.output_map = stack._create_output_map()  # noqa: SLF001 - as above


def _add_event(stack: Any, failure: ResourceFailedError, status: str) -> None:
    made = stack.resource_map._parsed_resources.get(failure.logical_id)  # noqa: SLF001 - as above
    event = Event(
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_resource_id=failure.logical_id,
        physical_resource_id=str(getattr(made, "physical_resource_id", "")),
        resource_type=failure.kind,
        resource_status=status,
        resource_status_reason=str(failure),
        resource_properties=None,
    )
    event.sendToSns(stack.account_id, stack.region_name, stack.notification_arns)
    stack.events.append(event)


def _turn(stack: Any, status: str, reason: str) -> None:
    stack.status, stack.stack_status_reason = status, reason
    stack._add_stack_event(status, resource_status_reason=reason)  # noqa: SLF001 - as above


def _forget_unmade(stack: Any) -> None:
    """Take resources that were not made out of a stack, or moto would make them as soon as somebody looks at them."""
    resources = stack.resource_map
    made, documents = resources._parsed_resources, resources._resource_json_map  # noqa: SLF001 - as above
    resources._resource_json_map = {key: one for key, one in documents.items() if key in made}  # noqa: SLF001 - as above


def _forget_outputs(stack: Any) -> None:
    stack.output_map._output_json_map = None  # noqa: SLF001 - as above
