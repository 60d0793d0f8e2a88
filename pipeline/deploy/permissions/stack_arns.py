"""ARNs of everything that an environment consists of, for policies."""

from analysis.card.following import card_prefix
from pipeline.deploy.offline_store import OFFLINE_DATABASE, OFFLINE_FOLDER
from pipeline.settings.contract import CALLED_BY_RULES, JOB_LOG_GROUPS, Function
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
        own_roles = (settings.execution_role_name, settings.events_role_name, settings.scheduler_role_name, *functions)
        self.roles = [settings.role_arn(name) for name in own_roles]
        #: All functions, by a pattern: policies have a size limit.
        self.functions = [arn("lambda", f"function:{settings.prefix}-*")]
        #: Likewise.
        self.rules = [settings.rule_arn(f"{settings.prefix}-*")]
        #: The group, and what is in it; policies have a size limit.
        self.schedules = arn("scheduler", f"schedule*/{settings.schedule_name}*")
        self.pipelines = [settings.pipeline_arn(name) for name in settings.pipeline_names]
        self.executions = [f"{pipeline}/execution/*" for pipeline in self.pipelines]
        groups = (settings.inputs_group_name, settings.outcomes_group_name)
        self.feature_groups = [arn("sagemaker", f"feature-group/{name}") for name in groups]
        #: The same by patterns, for the longest policy.
        self.pipeline_pattern = arn("sagemaker", f"pipeline/{settings.prefix}-*")
        self.feature_group_pattern = arn("sagemaker", f"feature-group/{settings.prefix}-*")
        self.offline_objects = f"{self.artifacts}/{OFFLINE_FOLDER}/*"
        # The database is one for the whole account. A table is called after its group, and when that was made; AWS
        # writes the hyphens in one way or another. A policy has no room for both names.
        self.offline_catalog = [arn("glue", "catalog"), arn("glue", f"database/{OFFLINE_DATABASE}")]
        # Athena looks at the database called default, whatever a query is about.
        self.catalog_to_query = [arn("glue", "catalog"), arn("glue", "database/default")]
        self.work_group = arn("athena", f"workgroup/{settings.features.athena_work_group}")
        beginning = settings.prefix.replace("-", "?")
        self.offline_tables = [*self.offline_catalog, arn("glue", f"table/{OFFLINE_DATABASE}/{beginning}?*")]
        self.model_group = arn("sagemaker", f"model-package-group/{settings.model_package_group_name}")
        self.model_versions = arn("sagemaker", f"model-package/{settings.model_package_group_name}/*")
        #: By a pattern, as functions.
        self.coverage_alarms = [arn("cloudwatch", f"alarm:{settings.prefix}-*-coverage")]
        #: Cards of the group's versions; a long name is cut before its number.
        self.model_cards = arn("sagemaker", f"model-card/{card_prefix(settings.model_package_group_name)}*")
        self.queue = arn("sqs", settings.dead_letter_queue_name)
        self.topic = arn("sns", settings.alarm_topic_name)
        # Glue checks an action on the catalog, the database and the table alike.
        self.database = arn("glue", f"database/{settings.database_name}")
        self.catalog = [arn("glue", "catalog"), self.database]
        self.tables = [*self.catalog, arn("glue", f"table/{settings.database_name}/*")]
        # Actions on log groups take one of two forms.
        self.job_logs = [arn("logs", f"log-group:{name}{end}") for end in ("", ":*") for name in JOB_LOG_GROUPS]
        self.function_logs = [arn("logs", f"log-group:/aws/lambda/{n}{end}") for end in ("", ":*") for n in functions]
        #: Of the functions that work for an execution.
        others = tuple(f"/{settings.function_name(one)}{end}" for one in CALLED_BY_RULES for end in ("", ":*"))
        self.step_logs = [one for one in self.function_logs if not one.endswith(others)]
        self.log_groups = [*self.job_logs, *self.function_logs]
        #: The same by patterns, which fit both forms; policies have a size limit.
        self.log_group_patterns = [
            arn("logs", f"log-group:{name}*") for name in (*JOB_LOG_GROUPS, f"/aws/lambda/{settings.prefix}-")
        ]
