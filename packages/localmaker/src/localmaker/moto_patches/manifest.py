"""Every place inside moto that the endpoint replaces or relies on, and what it must look like there.

How to read a look is in :mod:`localmaker.moto_patches.places`. For another version of moto: install it, read what it
has changed in the places that the error names, adapt the patches, and only then write the new looks and the range.
"""

from __future__ import annotations

from collections.abc import Mapping

import moto

from localmaker.errors import MotoVersionError
from localmaker.moto_patches.places import ABSENT, INSTANCE_ATTRIBUTE, Place

#: The versions of moto that all places were tested with; the package requires the same.
TESTED = ">=5.2.5,<5.2.6"
#: Differences that a message names; a version that is far off has hundreds.
_NAMED = 8


def _places(
    module: str, used_by: str, why: str, looks: Mapping[str, str], *, replaced: bool = False
) -> tuple[Place, ...]:
    return tuple(Place(module, name, look, used_by, why, replaced) for name, look in looks.items())


def _replaced(module: str, used_by: str, why: str, looks: Mapping[str, str]) -> tuple[Place, ...]:
    return _places(module, used_by, why, looks, replaced=True)


_CORE = (
    *_replaced(
        "moto.core.responses",
        "moto_patches.speed",
        "caches the methods of a class",
        {"method_names_from_class": "(clazz)"},
    ),
    *_replaced(
        "moto.utilities.docker_utilities",
        "moto_patches.containment",
        "starts no containers",
        {"DockerModel.docker_client": "property"},
    ),
    *_replaced(
        "moto.core.serialize",
        "moto_patches.speed",
        "the same responses in less time",
        {
            "BaseXMLSerializer._serialize_body": "(self, body) 50b30cdd",
            "ResponseSerializer.get_value": "(self, value, key, shape) 5152cba7",
            "S3Serializer._serialize_body": "(self, body) 9c55879a",
            "TimestampSerializer._convert_timestamp_to_str": "(self, value, timestamp_format)",
        },
    ),
    *_places(
        "moto.core.serialize",
        "moto_patches.speed",
        "caches the names that a member may have",
        {
            "AttributePicker.alias_providers": INSTANCE_ATTRIBUTE,
            "AttributePicker.get_possible_keys": "(self, context) 20e1411b",
            "AttributePicker.response_transformers": INSTANCE_ATTRIBUTE,
            "AttributePickerContext": "class object",
            "DEFAULT_ALIAS_PROVIDERS": "list",
            "DefaultAttributePicker": "class object",
            "ResponseSerializer._value_picker": INSTANCE_ATTRIBUTE,
            "XFormedAttributePicker.get_possible_keys": "(self, context) a99f6a6b",
        },
    ),
    *_places(
        "moto.core.utils",
        "moto_patches.speed",
        "the value of a member",
        {"MISSING": "_Missing", "get_value": "(obj, key, default=)"},
    ),
    *_replaced(
        "moto.moto_server.werkzeug_app",
        "moto_patches.speed",
        "caches the service of a host",
        {"DomainDispatcherApplication.get_backend_for_host": "(self, host)"},
    ),
    *_places(
        "moto.moto_server.werkzeug_app",
        "moto_patches.application",
        "moto as one WSGI application",
        {"create_backend_app": "(service)"},
    ),
    *_replaced(
        "moto.core.base_backend",
        "state",
        "records which backends a request uses",
        {"AccountSpecificBackend.__getitem__": "(self, region_name)"},
    ),
    *_places(
        "moto.core.base_backend",
        "state",
        "finds backends, and the name of each",
        {
            "BackendDict._instances": "list",
            "BackendDict.iter_backends": "(self)",
            "BackendDict.reset": "classmethod (cls)",
            "BaseBackend": "class object",
            "BaseBackend.reset": "(self)",
        },
    ),
    *_places("moto.moto_api._internal", "process", "seeds identifiers anew", {"mock_random": "MotoRandom"}),
    *_places("moto.backends", "state", "finds the backends of a service", {"get_backend": "(name)"}),
    *_places(
        "moto.core.exceptions",
        "services.lambda_",
        "there is no such function",
        {"JsonRESTError": "class _RESTError"},
    ),
    *_places(
        "moto.core.parse",
        "http",
        "reads requests",
        {
            "BaseJSONParser._parse_body_as_json": "(self, body_contents)",
            "PROTOCOL_PARSERS": "dict",
            "RequestParser.parse": "(self, request_dict)",
            "RequestParserError": "class Exception",
        },
    ),
    *_places("moto.core.request", "http", "reads requests", {"Request": "class Request"}),
    *_replaced(
        "moto.core.responses",
        "moto_patches.validation",
        "refuses invalid requests before moto acts on them",
        {
            "BaseResponse.setup_class": "(self, request, full_url=, headers=, use_raw_body=)",
            "PROTOCOL_PARSERS": "dict",
        },
    ),
    *_places(
        "moto.core.responses",
        "moto_patches.validation",
        "finds the operation of a request",
        {
            "BaseResponse.PROTOCOL_PARSER_MAP_TYPE": "class object",
            "BaseResponse._get_action": "(self)",
            "BaseResponse.automated_parameter_parsing": INSTANCE_ATTRIBUTE,
            "BaseResponse.boto3_service_name": "property",
            "BaseResponse.parse_parameters": "(self, request)",
        },
    ),
    *_places(
        "moto.core.request",
        "moto_patches.validation",
        "finds the protocol of a request",
        {"determine_request_protocol": "(service_model, content_type=)"},
    ),
    *_places("moto.core.routing", "http", "finds the operation of a path", {"get_service_router": "(service_name)"}),
    *_places("moto.core.utils", "http", "botocore's models in moto's classes", {"get_service_model": "(service_name)"}),
    *_places(
        "moto.core.serialize",
        "http",
        "writes responses",
        {"SerializationContext": "class object", "get_serializer_class": "(service_name, protocol)"},
    ),
    *_places(
        "moto.core.responses",
        "services",
        "how moto reads a request and writes a response",
        {
            "ActionResult": "class object",
            "BaseResponse._get_param": "(self, param_name, if_none=)",
            "BaseResponse.serialized": "(self, action_result)",
        },
    ),
    *_places("moto.core.utils", "services", "moto's clock", {"unix_time": "(dt=)", "unix_time_millis": "(dt=)"}),
)

_S3 = (
    *_replaced(
        "moto.s3.models",
        "services.s3.keys",
        "finds the objects whose keys have line breaks",
        {"S3Backend.url_paths": ABSENT},
    ),
    *_replaced(
        "moto.s3.models",
        "state",
        "keeps large contents in files, and objects in the state",
        {
            "FakeKey.__del__": "(self) 7d019837",
            "FakeKey.__getstate__": "(self) c5bb733c",
            "FakeKey.__setstate__": "(self, state) b6ba7bac",
            "FakeKey.dispose": "(self, garbage=) 3be435f3",
            "FakeKey.instances_tracked": "list",
            "FakeKey.value": "property fc1bf733",
            "FakeMultipart.instances_tracked": "list",
            "S3Backend.upload_part_copy": "(self, dest_bucket_name, multipart_id, part_id, src_bucket_name, "
            "src_key_name, src_version_id, start_byte, end_byte)",
            "compute_checksum": "(body, algorithm, encode_base64=) 35ec995d",
        },
    ),
    *_replaced(
        "moto.s3.responses",
        "state",
        "computes checksums without reading contents into memory",
        {"compute_checksum": "(body, algorithm, encode_base64=) 35ec995d"},
    ),
    *_places(
        "moto.s3.models",
        "state",
        "reads and restores objects, uploads and buckets",
        {
            "FakeKey._etag": INSTANCE_ATTRIBUTE,
            "FakeKey._value_buffer": INSTANCE_ATTRIBUTE,
            "FakeKey.lock": INSTANCE_ATTRIBUTE,
            "S3BackendDict.bucket_accounts": INSTANCE_ATTRIBUTE,
            "s3_backends": "S3BackendDict",
        },
    ),
    *_replaced(
        "moto.s3.models",
        "state",
        "records which buckets, objects and uploads a request uses",
        {
            "FakeBucket.__init__": "(self, name, account_id, region_name, bucket_namespace=)",
            "FakeMultipart.set_part": "(self, part_id, value)",
            "MultipartDict.__delitem__": "(self, key) 1cdbd8eb",
            "MultipartDict.__setitem__": ABSENT,
            "S3Backend.get_bucket": "(self, bucket_name)",
            "S3Backend.get_object": "(self, bucket_name, key_name, version_id=, part_number=, return_delete_marker=)",
        },
    ),
    *_places(
        "moto.s3.utils",
        "state",
        "records which keys of a bucket change",
        {
            "_VersionedKeyStore.__setitem__": "(self, key, value)",
            "_VersionedKeyStore.getlist": "(self, key, default=)",
            "_VersionedKeyStore.pop": "(self, key)",
            "_VersionedKeyStore.setlist": "(self, key, list_)",
        },
    ),
    *_replaced(
        "moto.s3.models",
        "services.s3",
        "moto treats buckets, versions and parts differently from S3",
        {
            "FakeMultipart.complete": "(self, body) fc8d65fc",
            "MultipartDict.__missing__": ABSENT,
            "S3Backend.complete_multipart_upload": "(self, bucket_name, multipart_id, body)",
            "S3Backend.copy_object": "(self, src_key, dest_bucket_name, dest_key_name, storage=, encryption=, "
            "kms_key_id=, bucket_key_enabled=, mdirective=, metadata=, website_redirect_location=, lock_mode=, "
            "lock_legal_status=, lock_until=, provided_version_id=)",
            "S3Backend.create_bucket": "(self, bucket_name, region_name, bucket_namespace=)",
            "S3Backend.delete_object": "(self, bucket_name, key_name, version_id=, bypass=) 688fba66",
            "S3Backend.delete_objects": "(self, bucket_name, objects, bypass_retention=)",
            "S3Backend.get_bucket_encryption": "(self, bucket_name)",
            "S3Backend.get_object_acl": "(self, key) b36e282d",
            "S3Backend.get_object_lock_configuration": "(self, bucket_name)",
            "S3Backend.put_object_lock_configuration": "(self, bucket_name, lock_enabled, mode=, days=, years=)",
            "S3Backend.put_object": "(self, bucket_name, key_name, value, storage=, etag=, multipart=, encryption=, "
            "kms_key_id=, bucket_key_enabled=, lock_mode=, lock_legal_status=, lock_until=, checksum_value=, "
            "request_method=, disable_notification=)",
        },
    ),
    *_replaced(
        "moto.s3.responses",
        "services.s3",
        "conditions, errors, single parts, and members that moto's responses lack",
        {
            "S3Response._complete_multipart_body": "(self, body)",
            "S3Response._key_response": "(self, request, full_url)",
            "S3Response._key_response_post": "(self, request, body, bucket_name, query, key_name)",
            "S3Response._notification_config_from_body": "(self)",
            "S3Response._tagging_from_xml": "(self)",
            "S3Response.copy_object": "(self)",
            "S3Response.get_bucket_notification": "(self)",
            "S3Response.get_object": "(self)",
            "S3Response.get_object_attributes": "(self)",
            "S3Response.head_object": "(self, bucket_name, query, key_name, headers)",
            "S3Response.list_object_versions": "(self)",
            "S3Response.list_objects": "(self)",
            "S3Response.list_objects_v2": "(self)",
            "S3Response.put_object": "(self)",
            "S3Response.upload_part_copy": "(self)",
            "get_canned_acl": "(acl)",
        },
    ),
    *_replaced(
        "moto.s3.notifications",
        "services.s3",
        "each event once, in AWS's form, to its subscribers",
        {
            "_get_s3_event": "(event_name, bucket, key, notification_id)",
            "_invoke_awslambda": "(account_id, event_body, fn_arn, region_name) 399fd448",
            "_send_event_bridge_message": "(account_id, bucket, event_name, key) 288195c1",
            "send_event": "(account_id, event_name, bucket, key)",
        },
    ),
    *_places(
        "moto.s3.notifications",
        "services.s3",
        "names of events",
        {"S3NotificationEvent": "class str, Enum", "_detail_type": "(event_name)"},
    ),
    *_places(
        "moto.s3.models",
        "services.s3",
        "fields of buckets and objects",
        {
            "FakeDeleteMarker._version_id": INSTANCE_ATTRIBUTE,
            "FakeKey._expiry": INSTANCE_ATTRIBUTE,
            "FakeTableStorageBucket": "class FakeBucket",
            "PublicAccessBlock": "class BaseModel",
            "S3_UPLOAD_PART_MIN_SIZE": "int",
            "get_canned_acl": "(acl)",
        },
    ),
    *_places(
        "moto.s3.responses",
        "services.s3",
        "finds the object of a request",
        {"S3Response._get_key": "(self, validate_storage_class=)", "S3Response.parse_key_name": "(self)"},
    ),
    *_places(
        "moto.s3.exceptions",
        "services.s3",
        "errors",
        {
            "AccessDeniedByLock": "class S3ClientError",
            "EntityTooSmall": "class S3ClientError",
            "InvalidArgumentError": "class S3ClientError",
            "InvalidPart": "class S3ClientError",
            "MalformedXML": "class S3ClientError",
            "MethodNotAllowed": "class S3ClientError",
            "NoSuchUpload": "class S3ClientError",
            "S3ClientError": "class ServiceException",
        },
    ),
    *_replaced(
        "moto.iam.access_control",
        "services.s3.buckets",
        "moto does not evaluate the conditions of a bucket policy",
        {
            "IAMPolicyStatement.is_action_permitted": "(self, action, resource=, principal=, "
            "incoming_condition_values=)",
        },
    ),
    *_places(
        "moto.iam.access_control",
        "services.s3.buckets",
        "evaluates a bucket policy",
        {"IAMPolicyStatement._statement": INSTANCE_ATTRIBUTE, "PermissionResult": "class Enum"},
    ),
    *_places(
        "moto.s3.models",
        "services.s3.buckets",
        "evaluates a bucket policy, statement by statement",
        {"FakeBucket.get_permission": "(self, action, resource) d56c169c"},
    ),
)

_SQS = (
    *_replaced(
        "moto.sqs.models",
        "services.sqs.set_queue_attributes",
        "moto removes the policy of a queue whose other attributes are set",
        {"Queue._set_attributes": "(self, attributes, now=)"},
    ),
    *_places(
        "moto.sqs.models",
        "services.sqs.set_queue_attributes",
        "reads and restores the policy",
        {"Queue.policy": "property"},
    ),
    *_replaced(
        "moto.sqs.models",
        "services.sqs.queues",
        "one change of a queue at a time, and counts only on request",
        {
            "Queue.BASE_ATTRIBUTES": "list",
            "Queue.add_message": "(self, message)",
            "Queue.delete_message": "(self, receipt_handle) 9700172d",
            "SQSBackend.change_message_visibility": "(self, queue_name, receipt_handle, visibility_timeout) 5bbf1a88",
            "SQSBackend.change_message_visibility_batch": "(self, queue_name, entries)",
            "SQSBackend.get_queue_attributes": "(self, queue_name, attribute_names)",
            "SQSBackend.purge_queue": "(self, queue_name)",
            "SQSBackend.receive_message": "(self, queue_name, count, wait_seconds_timeout, visibility_timeout, "
            "message_attribute_names=) 632ee656",
        },
    ),
    *_places(
        "moto.sqs.models",
        "services.sqs.queues",
        "the message attributes that a receiver asked for",
        {"_filter_message_attributes": "(message, input_message_attributes)"},
    ),
    *_places(
        "moto.sqs.exceptions",
        "services.sqs.queues",
        "errors",
        {"InvalidParameterValue": "class SQSException", "ReceiptHandleIsInvalid": "class SQSException"},
    ),
    *_replaced(
        "moto.sqs.models",
        "services.sqs.messages",
        "stores each message separately",
        {
            "Queue.__getstate__": ABSENT,
            "Queue.__init__": "(self, name, region, account_id, **kwargs)",
            "Queue.__setstate__": ABSENT,
        },
    ),
    *_places(
        "moto.sqs.models",
        "services.sqs.messages",
        "the messages of a queue, and its lock",
        {
            "Queue._messages": INSTANCE_ATTRIBUTE,
            "Queue._messages_lock": INSTANCE_ATTRIBUTE,
            "Queue._pending_messages": INSTANCE_ATTRIBUTE,
            "Queue.deleted_messages": INSTANCE_ATTRIBUTE,
        },
    ),
)

_LOGS = (
    *_replaced(
        "moto.logs.responses",
        "services.logs.filter_log_events",
        "moto ignores the prefix and the identifier, and orders events by stream",
        {"LogsResponse.filter_log_events": "(self) b17a2199"},
    ),
    *_places(
        "moto.logs.models",
        "services.logs.filter_log_events",
        "finds the events",
        {
            "LogsBackend.filter_log_events": "(self, log_group_name, log_stream_names, start_time, end_time, limit, "
            "next_token, filter_pattern, interleaved)"
        },
    ),
    *_places(
        "moto.logs.exceptions",
        "services.logs.filter_log_events",
        "errors",
        {"InvalidParameterException": "class LogsClientError"},
    ),
    *_replaced(
        "moto.logs.models",
        "services.logs.streams",
        "stores each stream separately",
        {
            "LogGroup.__getstate__": ABSENT,
            "LogGroup.create_log_stream": "(self, log_stream_name)",
            "LogGroup.delete_log_stream": "(self, log_stream_name)",
            "LogStream.put_log_events": "(self, log_events)",
        },
    ),
    *_places(
        "moto.logs.models", "services.logs.streams", "ids continue after a restart", {"LogEvent._event_id": "int"}
    ),
)

_EVENTS = (
    *_replaced(
        "moto.events.models",
        "moto_patches.application",
        "events go to the endpoint's own delivery",
        {"Rule.send_to_targets": "(self, original_event, transform_input=) cd893954"},
    ),
    *_replaced(
        "moto.events.models",
        "services.events",
        "moto replays a whole archive, whatever times the request has",
        {"Replay.replay_events": "(self, archive) 02ee271d"},
    ),
    *_places(
        "moto.events.models",
        "services.events",
        "rules, targets and replays",
        {"ReplayState": "class Enum", "events_backends": "BackendDict"},
    ),
    *_places(
        "moto.events.models",
        "services.events",
        "adds an event to an archive",
        {"Rule._send_to_events_archive": "(self, resource_id, event)"},
    ),
    *_places(
        "moto.events.models",
        "state",
        "stores the events of an archive separately",
        {"Archive.events": INSTANCE_ATTRIBUTE},
    ),
    *_places(
        "moto.scheduler.models",
        "services.scheduler.operations",
        "groups and their schedules",
        {
            "EventBridgeSchedulerBackend.schedule_groups": INSTANCE_ATTRIBUTE,
            "ScheduleGroup.schedules": INSTANCE_ATTRIBUTE,
            "scheduler_backends": "BackendDict",
        },
    ),
)

_IAM = (
    *_replaced(
        "moto.iam.models",
        "services.iam.managed_policies",
        "an AWS managed policy is known as soon as a request names it",
        {
            "IAMBackend.attach_group_policy": "(self, policy_arn, group_name)",
            "IAMBackend.attach_role_policy": "(self, policy_arn, role_name)",
            "IAMBackend.attach_user_policy": "(self, policy_arn, user_name)",
            "IAMBackend.detach_group_policy": "(self, policy_arn, group_name)",
            "IAMBackend.detach_role_policy": "(self, policy_arn, role_name)",
            "IAMBackend.detach_user_policy": "(self, policy_arn, user_name)",
            "IAMBackend.get_policy": "(self, policy_arn)",
            "IAMBackend.get_policy_version": "(self, policy_arn, version_id)",
            "IAMBackend.list_policy_versions": "(self, policy_arn)",
        },
    ),
    *_places(
        "moto.iam.models",
        "services.iam.managed_policies",
        "makes moto's object of an AWS managed policy",
        {"AWSManagedPolicy.from_data": "classmethod (cls, name, account_id, region_name, data)"},
    ),
    *_places(
        "moto.iam.aws_managed_policies",
        "services.iam.managed_policies",
        "the AWS managed policies",
        {"aws_managed_policies_data": "str"},
    ),
    *_replaced(
        "moto.iam.responses",
        "services.iam.simulation",
        "moto has no policy simulator",
        {"IamResponse.simulate_custom_policy": ABSENT, "IamResponse.simulate_principal_policy": ABSENT},
    ),
    *_places(
        "moto.iam.models",
        "services.iam",
        "the policies of roles, users and groups",
        {
            "IAMBackend.get_group": "(self, group_name)",
            "IAMBackend.get_groups_for_user": "(self, user_name)",
            "IAMBackend.get_role": "(self, role_name)",
            "IAMBackend.get_user": "(self, name)",
            "iam_backends": "BackendDict",
        },
    ),
    *_places(
        "moto.iam.models",
        "services.iam.sessions",
        "the access keys of users",
        {
            "AccessKey.access_key_id": INSTANCE_ATTRIBUTE,
            "AccessKey.secret_access_key": INSTANCE_ATTRIBUTE,
            "AccessKey.status": INSTANCE_ATTRIBUTE,
            "IAMBackend.users": INSTANCE_ATTRIBUTE,
            "User.access_keys": INSTANCE_ATTRIBUTE,
            "User.arn": "property",
        },
    ),
    *_places(
        "moto.iam.models",
        "services.iam.policies",
        "the identifiers that IAM gives",
        {"Role.id": INSTANCE_ATTRIBUTE, "User.id": INSTANCE_ATTRIBUTE},
    ),
    *_places(
        "moto.iam.exceptions",
        "services.iam",
        "errors",
        {"InvalidInput": "class IAMException", "NotFoundException": "class IAMException"},
    ),
    *_places("moto.kms.models", "services.iam", "the policies of keys", {"kms_backends": "BackendDict"}),
    *_replaced(
        "moto.sts.models",
        "services.iam.sessions",
        "GetCallerIdentity knows the credentials of jobs",
        {"STSBackend.get_assumed_role_from_access_key": "(self, access_key_id)"},
    ),
    *_places(
        "moto.sts.models",
        "services.iam.sessions",
        "the credentials that STS issued",
        {
            "AssumedRole": "class BaseModel",
            "AssumedRole.expiration": INSTANCE_ATTRIBUTE,
            "AssumedRole.secret_access_key": INSTANCE_ATTRIBUTE,
            "AssumedRole.session_token": INSTANCE_ATTRIBUTE,
            "sts_backends": "BackendDict",
        },
    ),
)

_OTHERS = (
    *_places(
        "moto.sns.models",
        "state",
        "does not store the messages that moto keeps for tests",
        {"Topic.sent_notifications": INSTANCE_ATTRIBUTE},
    ),
    *_places(
        "moto.sagemaker.models",
        "services.sagemaker.models",
        "whether a model exists",
        {
            "SageMakerModelBackend._models": INSTANCE_ATTRIBUTE,
            "SageMakerModelBackend.delete_tags": "(self, arn, tag_keys)",
            "sagemaker_backends": "BackendDict",
        },
    ),
    *_places(
        "moto.sagemaker.models",
        "services.sagemaker.lineage",
        "endpoints with their models, trials, and the trial components that users have created",
        {
            "FakeEndpoint.arn": INSTANCE_ATTRIBUTE,
            "FakeEndpoint.creation_time": INSTANCE_ATTRIBUTE,
            "FakeEndpoint.endpoint_config_name": INSTANCE_ATTRIBUTE,
            "FakeEndpoint.endpoint_name": INSTANCE_ATTRIBUTE,
            "FakeEndpointConfig.production_variants": INSTANCE_ATTRIBUTE,
            "FakeTrialComponent.arn": INSTANCE_ATTRIBUTE,
            "FakeTrialComponent.creation_time": INSTANCE_ATTRIBUTE,
            "FakeTrialComponent.last_modified_time": INSTANCE_ATTRIBUTE,
            "FakeTrialComponent.trial_component_name": INSTANCE_ATTRIBUTE,
            "FakeTrial.experiment_name": INSTANCE_ATTRIBUTE,
            "FakeTrial.trial_name": INSTANCE_ATTRIBUTE,
            "Model.containers": INSTANCE_ATTRIBUTE,
            "Model.primary_container": INSTANCE_ATTRIBUTE,
            "SageMakerModelBackend.endpoint_configs": INSTANCE_ATTRIBUTE,
            "SageMakerModelBackend.endpoints": INSTANCE_ATTRIBUTE,
            "SageMakerModelBackend.trial_components": INSTANCE_ATTRIBUTE,
            "SageMakerModelBackend.trials": INSTANCE_ATTRIBUTE,
        },
    ),
    *_places(
        "moto.sagemaker.exceptions",
        "services.sagemaker.tags",
        "errors",
        {"ValidationError": "class SagemakerClientError"},
    ),
    *_places(
        "moto.sagemakerruntime.models",
        "services.sagemaker.endpoints",
        "responses that a test has prepared",
        {"sagemakerruntime_backends": "BackendDict"},
    ),
)

_CLOUDWATCH = (
    *_replaced(
        "moto.cloudwatch.models",
        "services.cloudwatch.alarms",
        "alarms follow their metrics, and tell others",
        {
            "Alarm.update_state": "(self, reason, reason_data, state_value) 037fc8fe",
            "CloudWatchBackend.put_metric_alarm": "(self, name, namespace, metric_name, "
            "comparison_operator, evaluation_periods, period, "
            "threshold, statistic, description, dimensions, alarm_actions, metric_data_queries=, "
            "datapoints_to_alarm=, extended_statistic=, ok_actions=, insufficient_data_actions=, unit=, "
            "actions_enabled=, treat_missing_data=, evaluate_low_sample_count_percentile=, "
            "threshold_metric_id=, rule=, tags=)",
            "CloudWatchBackend.put_metric_data": "(self, namespace, metric_data)",
        },
    ),
    *_replaced(
        "moto.cloudwatch.responses",
        "services.cloudwatch.alarms",
        "the history of alarms",
        {"CloudWatchResponse.describe_alarm_history": ABSENT},
    ),
    *_places(
        "moto.cloudwatch.models",
        "services.cloudwatch.alarms",
        "alarms and the data of metrics",
        {
            "Alarm.history": INSTANCE_ATTRIBUTE,
            "Alarm.rule": INSTANCE_ATTRIBUTE,
            "Alarm.state_value": INSTANCE_ATTRIBUTE,
            "CloudWatchBackend.alarms": INSTANCE_ATTRIBUTE,
            "CloudWatchBackend.metric_data": INSTANCE_ATTRIBUTE,
            "cloudwatch_backends": "BackendDict",
        },
    ),
    *_places(
        "moto.cloudwatch.exceptions",
        "services.cloudwatch.alarms",
        "errors",
        {"ValidationError": "class CloudWatchException"},
    ),
)

_CLOUDFORMATION = (
    *_replaced(
        "moto.cloudformation.parsing",
        "services.cloudformation.stacks",
        "resources are made by the endpoint's own APIs, or refused",
        {
            "ResourceMap.__getitem__": "(self, key)",
            "ResourceMap._delete_resource": "(self, parsed_resource, resource_json)",
            "resource_class_from_type": "(resource_type)",
            "resource_name_property_from_type": "(resource_type) e66ebbea",
        },
    ),
    *_replaced(
        "moto.cloudformation.models",
        "services.cloudformation.stacks",
        "a stack whose resource fails is rolled back, and says why",
        {
            "CloudFormationBackend._validate_export_uniqueness": "(self, stack)",
            "CloudFormationBackend.delete_stack": "(self, name_or_stack_id)",
            "CloudFormationBackend.execute_change_set": "(self, change_set_name, stack_name=)",
            "Stack.create_resources": "(self)",
            "Stack.delete": "(self)",
            "Stack.stack_resources": "property",
            "Stack.update": "(self, template, role_arn=, parameters=, tags=)",
            "get_stack_from_s3_url": "(template_url, account_id, partition)",
        },
    ),
    *_replaced(
        "moto.cloudformation.responses",
        "services.cloudformation.stacks",
        "finds templates at the endpoint's own address",
        {"get_stack_from_s3_url": "(template_url, account_id, partition)"},
    ),
    *_places(
        "moto.cloudformation.models",
        "services.cloudformation.stacks",
        "what a stack has made, its outputs and events",
        {
            "CloudFormationBackend.deleted_stacks": INSTANCE_ATTRIBUTE,
            "CloudFormationBackend.describe_change_set": "(self, change_set_name)",
            "CloudFormationBackend.stacks": INSTANCE_ATTRIBUTE,
            "Event": "class BaseModel",
            "Stack._add_stack_event": "(self, resource_status, resource_status_reason=, resource_properties=)",
            "Stack._create_output_map": "(self)",
            "Stack._parse_template": "(self)",
            "Stack.output_map": INSTANCE_ATTRIBUTE,
            "Stack.resource_map": INSTANCE_ATTRIBUTE,
        },
    ),
    *_places(
        "moto.cloudformation.parsing",
        "services.cloudformation.stacks",
        "what a stack has made, and its outputs",
        {
            "OutputMap._output_json_map": INSTANCE_ATTRIBUTE,
            "ResourceMap._parsed_resources": INSTANCE_ATTRIBUTE,
            "ResourceMap._region_name": INSTANCE_ATTRIBUTE,
            "ResourceMap._resource_json_map": INSTANCE_ATTRIBUTE,
            "ResourceMap.delete": "(self)",
            "get_model_map": "()",
        },
    ),
    *_places(
        "moto.cloudformation.exceptions",
        "services.cloudformation.resources",
        "errors",
        {"UnformattedGetAttTemplateException": "class Exception"},
    ),
)

PLACES = (*_CORE, *_CLOUDFORMATION, *_CLOUDWATCH, *_S3, *_SQS, *_LOGS, *_EVENTS, *_IAM, *_OTHERS)


def verify_version() -> None:
    """Verify the installed moto unless its version is the tested one; this takes no time then.

    Raises:
        MotoVersionError: as :func:`verify`.
    """
    if not TESTED.startswith(f">={moto.__version__},"):
        verify()


def verify() -> None:
    """Compare the installed moto with the manifest; before anything is replaced in it.

    Raises:
        MotoVersionError: it differs; the message names each place where it does.
    """
    differences = [found for found in (place.difference() for place in PLACES) if found is not None]
    if differences:
        named = "; ".join(differences[:_NAMED])
        more = f"; and {len(differences) - _NAMED} more" if len(differences) > _NAMED else ""
        raise MotoVersionError(
            f"moto {moto.__version__} is not a version that the local endpoint was tested with. "
            f"Install one: pip install 'moto[server]{TESTED}'. What differs: {named}{more}."
        )
