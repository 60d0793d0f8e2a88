"""Lifecycle configurations: the scripts that a notebook instance runs when it is made, and at each start."""

from __future__ import annotations

import base64
from typing import Any

from localmaker.errors import AwsError
from localmaker.http.operations import RequestContext, operation
from localmaker.services.sagemaker.documents import arn_of, now, of_region
from localmaker.services.sagemaker.listing import only, order, page, select
from localmaker.services.sagemaker.notebooks.records import INSTANCE, LIFECYCLE_CONFIG
from localmaker.services.sagemaker.store import ResourceStore
from localmaker.services.sagemaker.tags import forget_tags, whole

HOOKS = ("OnCreate", "OnStart")
_ARN = "NotebookInstanceLifecycleConfigArn"
_NAME = "NotebookInstanceLifecycleConfigName"
_SORTED_BY = {"Name": _NAME, "CreationTime": "CreationTime", "LastModifiedTime": "LastModifiedTime"}
_SUMMARY = (_NAME, _ARN, "CreationTime", "LastModifiedTime")


@operation("sagemaker", "CreateNotebookInstanceLifecycleConfig")
@whole()
def create_config(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Create a configuration."""
    arn, moment = config_arn(request[_NAME], context), now()
    document = {_NAME: request[_NAME], _ARN: arn, "CreationTime": moment, "LastModifiedTime": moment}
    document |= _hooks(request, "create", arn)
    if not context.service(ResourceStore).add(LIFECYCLE_CONFIG, arn, document):
        raise _refusal("create", arn, "already exists")
    return {_ARN: arn}


@operation("sagemaker", "DescribeNotebookInstanceLifecycleConfig")
def describe_config(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Describe a configuration, with its scripts."""
    return existing_config(request[_NAME], context, "describe")


@operation("sagemaker", "ListNotebookInstanceLifecycleConfigs")
def list_configs(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """List a page of configurations, without their scripts."""
    found = select(of_region(LIFECYCLE_CONFIG, _ARN, context), request, _NAME)
    order(found, request, _SORTED_BY, "CreationTime")
    return page([only(one, _SUMMARY) for one in found], request, "NotebookInstanceLifecycleConfigs")


@operation("sagemaker", "UpdateNotebookInstanceLifecycleConfig")
@whole()
def update_config(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Replace scripts; instances run them at their next start. A list without an entry removes a script."""
    document = existing_config(request[_NAME], context, "update")
    document |= _hooks(request, "update", document[_ARN])
    document = {key: value for key, value in document.items() if value != []}
    document["LastModifiedTime"] = now()
    context.service(ResourceStore).put(LIFECYCLE_CONFIG, document[_ARN], document)
    return {}


@operation("sagemaker", "DeleteNotebookInstanceLifecycleConfig")
@whole(releases=True)
def delete_config(request: dict[str, Any], context: RequestContext) -> dict[str, Any]:
    """Delete a configuration that no instance has."""
    arn = existing_config(request[_NAME], context, "delete")[_ARN]
    for instance in of_region(INSTANCE, "NotebookInstanceArn", context):
        if config_arn(instance.get(_NAME, ""), context) == arn:
            raise _refusal("delete", arn, f"is in use by Notebook Instance {instance['NotebookInstanceArn']}")
    context.service(ResourceStore).remove(LIFECYCLE_CONFIG, arn)
    forget_tags(arn, context)
    return {}


def config_arn(name: str, context: RequestContext) -> str:
    """Return the ARN of a configuration; as in AWS it is in lower case, whatever the name is."""
    return arn_of(LIFECYCLE_CONFIG, name.lower(), context)


def existing_config(name: str, context: RequestContext, verb: str) -> dict[str, Any]:
    """Return a configuration.

    Args:
        name: of it.
        context: of the request.
        verb: what is to be done with it.

    Raises:
        AwsError: there is none.
    """
    arn = config_arn(name, context)
    document: dict[str, Any] | None = context.service(ResourceStore).get(LIFECYCLE_CONFIG, arn)
    if document is None:
        raise _refusal(verb, f"'{arn}'", "does not exist")
    return document


def _hooks(request: dict[str, Any], verb: str, arn: str) -> dict[str, Any]:
    """Return the scripts of a request, as they are stored.

    Raises:
        AwsError: one is no base64.
    """
    found = {hook: request[hook] for hook in HOOKS if hook in request}
    for hook, scripts in found.items():
        for script in scripts:
            try:
                text = base64.b64decode(script.get("Content", ""), validate=True)
            except ValueError as error:
                details = f"The content of {hook} is not a base64-encoded string."
                raise AwsError("ValidationException", f"{_unable(verb, arn)} (Details: {details})") from error
            if not text:
                raise AwsError("ValidationException", f"{_unable(verb, arn)} (Details: {hook} has no content.)")
    return {hook: scripts for hook, scripts in found.items() if scripts or verb == "update"}


def _refusal(verb: str, arn: str, why: str) -> AwsError:
    message = f"{_unable(verb, arn)} (Details: Notebook Instance Lifecycle Config {why}.)"
    return AwsError("ValidationException", message)


def _unable(verb: str, arn: str) -> str:
    return f"Unable to {verb} Notebook Instance Lifecycle Config {arn}."
