"""The scoring pipeline; read from top to bottom, it is the graph.

::

    ClaimInput ─→ IsNewInput ─→ SelectModel ─┬─→ Preprocess ──┬─→ Transform ─→ PublishPredictions ─→ IngestFeatures
                                             └─→ CreateModel ─┘

Nothing is fitted here: the version of the model that is in use brings all that was learned.
"""

from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.mlops.workflow.pipeline import Pipeline

from pipeline.definition import common_steps as common
from pipeline.definition import job_steps as jobs
from pipeline.definition import model_steps as models
from pipeline.definition.bundle import Bundle
from pipeline.definition.context import StepContext
from pipeline.definition.function_steps import function_step, output
from pipeline.settings.contract import IN_USE, SELECT_MODEL, Function, JobStep
from pipeline.settings.environment import Settings


def scoring_pipeline(settings: Settings, bundle: Bundle) -> Pipeline:
    """Build the scoring pipeline."""
    context = StepContext(settings, bundle)
    requested_arn = ParameterString("ModelPackageArn", default_value=IN_USE)

    claim = common.claim_input(context)

    select_model = function_step(
        context,
        SELECT_MODEL,
        Function.SELECT_MODEL,
        description="Takes the version of the model that is in use, or the one that is named",
        inputs={"model-package-group-name": settings.model_package_group_name, "model-package-arn": requested_arn},
        outputs=["model_package_arn", "model_data_url", "version", "profile", "reason"],
    )
    model_package_arn = output(select_model, "model_package_arn")

    profile = output(select_model, "profile")
    past = any(one.past for one in settings.declared.profiles.values())
    history = [common.read_history(context, claim, profile=profile)] if past else []

    # The model says how rows have to be prepared for it, and what it has seen.
    preprocess = common.preprocess_input(
        context, claim, *history, purpose="scoring", inputs={"model": output(select_model, "model_data_url")}
    )

    create_model = models.create_model_from_package_step(context, model_package_arn=model_package_arn)

    transform = common.transform_rows(context, create_model, preprocess)

    sources = common.publishable(transform, preprocess)
    publish = common.publish_predictions(
        context,
        JobStep.PUBLISH_PREDICTIONS,
        claim,
        sources,
        profile=profile,
        model_package_arn=model_package_arn,
        model_name=create_model.properties.ModelName,
    )

    features_uri = jobs.output_uri(preprocess, "feature_store")
    ingest = common.ingest_features(context, JobStep.INGEST_FEATURES, claim, features_uri, after=publish)
    score = common.score_predictions(context, JobStep.SCORE_PREDICTIONS, claim, sources["rows-uri"], after=ingest)

    return context.pipeline(
        settings.scoring_pipeline_name,
        [requested_arn, context.processing_instance_type, context.transform_instance_type],
        [
            claim,
            common.is_new_input(
                claim, [select_model, *history, preprocess, create_model, transform, publish, ingest, score]
            ),
        ],
    )
