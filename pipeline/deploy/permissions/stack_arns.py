"""ARNs of everything that an environment consists of, for policies."""

from pipeline.settings.contract import FLOWS, JOB_LOG_GROUPS, Function
from pipeline.settings.environment import Settings


class StackArns:
    """ARNs by kind; a list where there are several, or where AWS checks an action on more than one resource."""

    def __init__(self, settings: Settings) -> None:
        arn = settings.arn
        names = (settings.raw_bucket, settings.artifacts_bucket, settings.predictions_bucket)
        self.raw, self.artifacts, self.predictions = self.buckets = [settings.bucket_arn(name) for name in names]
        #: What deployment puts there as resources.
        self.put = [f"{self.artifacts}/{folder}/*" for folder in ("code", "wheels")]
        functions = [settings.function_name(function) for function in Function]
        own_roles = (settings.execution_role_name, settings.events_role_name, *functions)
        self.roles = [settings.role_arn(name) for name in own_roles]
        self.functions = [settings.function_arn(function) for function in Function]
        rules = [settings.alarm_rule_name, settings.sweep_rule_name, *(settings.rule_name(flow) for flow in FLOWS)]
        self.rules = [settings.rule_arn(name) for name in rules]
        self.pipelines = [settings.pipeline_arn(name) for name in settings.pipeline_names]
        self.executions = [f"{pipeline}/execution/*" for pipeline in self.pipelines]
        self.feature_group = arn("sagemaker", f"feature-group/{settings.feature_group_name}")
        self.model_group = arn("sagemaker", f"model-package-group/{settings.model_package_group_name}")
        self.model_versions = arn("sagemaker", f"model-package/{settings.model_package_group_name}/*")
        self.queue = arn("sqs", settings.dead_letter_queue_name)
        self.topic = arn("sns", settings.alarm_topic_name)
        # Glue checks an action on the catalog, the database and the table alike.
        self.database = arn("glue", f"database/{settings.database_name}")
        self.catalog = [arn("glue", "catalog"), self.database]
        self.tables = [*self.catalog, arn("glue", f"table/{settings.database_name}/*")]
        # Actions on log groups take one of two forms.
        self.job_logs = [arn("logs", f"log-group:{name}{end}") for end in ("", ":*") for name in JOB_LOG_GROUPS]
        self.function_logs = [arn("logs", f"log-group:/aws/lambda/{n}{end}") for end in ("", ":*") for n in functions]
        self.log_groups = [*self.job_logs, *self.function_logs]
