"""The scoring pipeline; read from top to bottom, it is the graph.

::

    ClaimInput ─→ IsNewInput ─→ SelectModel ─┬─→ Preprocess ─┬─→ IngestFeatures
                                             └─→ CreateModel ┴─→ Transform ─→ PublishPredictions

Nothing is fitted here: the newest approved version of the model brings all that was learned.
"""

from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.mlops.workflow.pipeline import Pipeline

from pipeline.definition import common_steps as common
from pipeline.definition import job_steps as jobs
from pipeline.definition import model_steps as models
from pipeline.definition.bundle import Bundle
from pipeline.definition.context import StepContext
from pipeline.settings.contract import JobStep
from pipeline.settings.environment import Settings


def scoring_pipeline(settings: Settings, bundle: Bundle) -> Pipeline:
    """Build the scoring pipeline."""
    context = StepContext(settings, bundle)
    requested_arn = ParameterString("ModelPackageArn", default_value="")

    claim = common.claim_input(context)

    select_model = jobs.processing_step(
        context,
        JobStep.SELECT_MODEL,
        "select_model.py",
        description="Takes the newest approved version of the model, or the one that is named",
        arguments={"model-package-group-name": settings.model_package_group_name, "model-package-arn": requested_arn},
        report="model",
    )
    model_package_arn = jobs.report_value(select_model, "model_package_arn")

    preprocess = common.preprocess_input(
        context, claim, purpose="scoring", profile=jobs.report_value(select_model, "profile")
    )

    ingest = common.ingest_features(context, preprocess, claim)

    create_model = models.create_model_from_package_step(context, model_package_arn=model_package_arn)

    transform = common.transform_rows(context, create_model, preprocess)

    publish = common.publish_predictions(context, transform, preprocess, claim, model_package_arn=model_package_arn)

    return context.pipeline(
        settings.scoring_pipeline_name,
        [requested_arn, context.processing_instance_type, context.transform_instance_type],
        [claim, common.is_new_input(claim, [select_model, preprocess, ingest, create_model, transform, publish])],
    )
