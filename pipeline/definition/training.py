"""The training pipeline; read from top to bottom, it is the graph.

::

    ClaimInput ─→ IsNewInput ─→ ReadHistory ─→ Preprocess ─→ Train ─┬─→ Evaluate ─────────────────┬─→ QualityGate ─→ …
                                                                    └─→ CreateModel ─→ Transform ─┘

        … QualityGate ─┬─→ ConfirmClaim ─→ RegisterModel ─→ PublishPredictions ─→ IngestFeatures ─→ ScorePredictions
                       └─→ QualityGateFailed

    ClaimInput ─→ IsRegistered ─→ PublishRegistered ─→ IngestRegistered ─→ ScoreRegistered

An execution that fails before RegisterModel leaves no record, version or prediction. What fails later can be retried;
where another execution takes over instead, it publishes what the failed one has registered (the last line).
"""

from typing import get_args

from sagemaker.core.workflow.conditions import ConditionEquals, ConditionGreaterThanOrEqualTo, ConditionIn
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline

from pipeline.definition import common_steps as common
from pipeline.definition import job_steps as jobs
from pipeline.definition import model_steps as models
from pipeline.definition.bundle import Bundle
from pipeline.definition.context import StepContext
from pipeline.definition.function_steps import output
from pipeline.settings.contract import IS_REGISTERED, QUALITY_GATE, QUALITY_GATE_FAILED, TRAIN_ON, JobStep, TrainOn
from pipeline.settings.environment import Settings
from pipeline.settings.sections import ApprovalStatus, FirstLevels, Measures

#: Which rows the gate's figure is of, in words.
_GATE_ROWS: dict[str, str] = {
    "random": "the test rows of the random split",
    "chronological": "the latest rows, by a refit on the rows before them,",
    "rolling": "the latest rows, by refits on all rows before each fold (rolling origin),",
}


def training_pipeline(settings: Settings, bundle: Bundle) -> Pipeline:
    """Build the training pipeline."""
    context = StepContext(settings, bundle)
    dataset, analysis = settings.declared, settings.analysis
    profile = ParameterString("Profile", default_value=settings.profile, enum_values=list(dataset.profiles))
    measures = ParameterString("Measures", default_value=analysis.measures, enum_values=list(get_args(Measures)))
    first_levels = ParameterString(
        "FirstLevels", default_value=analysis.first_levels, enum_values=list(get_args(FirstLevels))
    )
    train_on = ParameterString(TRAIN_ON, default_value=analysis.train_on, enum_values=list(get_args(TrainOn)))
    train_fraction = ParameterFloat("TrainFraction", default_value=analysis.train_fraction)
    random_state = ParameterInteger("RandomState", default_value=analysis.random_state)
    # 0: as many as the profile declares.
    feature_count = ParameterInteger("FeatureCount", default_value=analysis.feature_count or 0)
    minimum_r_squared = ParameterFloat("MinimumRSquared", default_value=settings.gate.minimum_r_squared)
    approval_status = ParameterString(
        "ModelApprovalStatus",
        default_value=settings.registry.approval_status,
        enum_values=list(get_args(ApprovalStatus)),
    )

    group = settings.model_package_group_name
    claim = common.claim_input(context, **{"model-package-group-name": group, "code-uri": context.archive_uri})

    history = common.read_history(context, claim, profile=profile, train_on=train_on)

    preprocess = common.preprocess_input(
        context,
        claim,
        history,
        purpose="training",
        arguments={
            "profile": profile,
            "measures": measures,
            "first-levels": first_levels,
            "train-on": train_on,
            "train-fraction": train_fraction.to_string(),
            "random-state": random_state.to_string(),
        },
    )

    train = jobs.training_step(
        context,
        JobStep.TRAIN,
        "train.py",
        description="Fits the linear regression on the training rows",
        arguments={"profile": profile, "feature-count": feature_count.to_string()},
        channels={"train": jobs.output_uri(preprocess, "train")},
        metrics={"train:r2": r"train:r2=([-+0-9.eE]+);", "train:rmse": r"train:rmse=([-+0-9.eE]+);"},
    )
    model_data = train.properties.ModelArtifacts.S3ModelArtifacts

    to_come = f", and on {dataset.words.row.many} to come" if dataset.time is not None else ""
    # Not cached: which model is in use changes without any argument changing.
    evaluate = jobs.processing_step(
        context,
        JobStep.EVALUATE,
        "evaluate.py",
        description=f"Measures the model on rows that it has not seen{to_come}, beside the one in use",
        arguments={
            "model-package-group-name": group,
            "leakage-threshold": str(settings.gate.leakage),
            "gate-figure": str(settings.gate.figure),
            "drift-threshold": str(settings.quality.drift_threshold),
            # For the model card.
            "environment": settings.environment,
            "project": settings.system,
            "execution-arn": context.execution_arn,
            "training-job-arn": train.properties.TrainingJobArn,
            "model-data-uri": model_data,
            "image-uri": context.image_uri,
            "git-commit": output(claim, "git_commit"),
        },
        inputs={
            "model": model_data,
            "train": jobs.output_uri(preprocess, "train"),
            "test": jobs.output_uri(preprocess, "test"),
            "scoring": jobs.output_uri(preprocess, "scoring"),
            "rows": jobs.output_uri(preprocess, "rows"),
            "quality": jobs.output_uri(preprocess, "quality"),
        },
        report="evaluation",
        texts=["card"],
    )
    evaluation_uri = Join(on="/", values=[jobs.output_uri(evaluate, "evaluation"), "evaluation.json"])
    r_squared = jobs.report_value(evaluate, f"validation.{settings.gate.figure}.r2")
    leakage_verdict = jobs.report_value(evaluate, "leakage.verdict")

    create_model = models.create_model_step(context, model_data=model_data)

    transform = common.transform_rows(context, create_model, preprocess)

    sources = common.publishable(transform, preprocess, evaluation_uri)
    features_uri = jobs.output_uri(preprocess, "feature_store")
    confirm = common.confirm_claim(context, claim)

    register = models.register_model_step(
        context,
        after=confirm,
        description="New version in the model registry, with metrics and model card",
        model_data=model_data,
        approval_status=approval_status,
        evaluation=jobs.output_uri(evaluate, "evaluation"),
        card_content=jobs.report_value(evaluate, "content", file=1),
        properties={
            "profile": profile,
            "train-on": train_on,
            **{
                name: jobs.report_value(evaluate, f"registration.{name.replace('-', '_')}")
                for name in ("scores-new-rows", "data-sha256", "declaration-sha256")
            },
            "code-sha256": bundle.sha256,
            "git-commit": output(claim, "git_commit"),
            "input-identity": output(claim, "identity"),
            "pipeline-execution": context.execution_arn,
            # For an execution that takes over from this one.
            "claim": output(claim, "name"),
            "features-uri": features_uri,
            **sources,
        },
    )

    publish = common.publish_predictions(
        context,
        JobStep.PUBLISH_PREDICTIONS,
        claim,
        sources,
        profile=profile,
        model_package_arn=register.properties.ModelPackageArn,
        model_name=create_model.properties.ModelName,
    )
    ingest = common.ingest_features(context, JobStep.INGEST_FEATURES, claim, features_uri, after=publish)
    score = common.score_predictions(context, JobStep.SCORE_PREDICTIONS, claim, sources["rows-uri"], after=ingest)

    gate_failed = FailStep(
        QUALITY_GATE_FAILED,
        description="The model is not good enough, or too good to be true",
        error_message=Join(
            on="",
            values=[
                f"The quality gate refused the model: R-squared on {_GATE_ROWS[settings.gate.figure]} is ",
                r_squared,
                " and must be at least ",
                minimum_r_squared.to_string(),
                "; the leakage verdict is ",
                leakage_verdict,
                " (pass or known is needed). Details: ",
                evaluation_uri,
            ],
        ),
    )

    quality_gate = ConditionStep(
        QUALITY_GATE,
        description="R-squared high enough, and no feature gives the answer away",
        conditions=[
            ConditionGreaterThanOrEqualTo(left=r_squared, right=minimum_r_squared),
            # "known": the profile declares the leak (the published analysis does).
            ConditionIn(value=leakage_verdict, in_values=["pass", "known"]),
        ],
        if_steps=[confirm, register, publish, ingest, score],
        else_steps=[gate_failed],
        # So that a transform that fails leaves no version behind.
        depends_on=[transform],
    )

    registered = {f"{name}-uri": output(claim, f"{name}_uri") for name in ("rows", "transform", "drift")}
    publish_registered = common.publish_predictions(
        context,
        JobStep.PUBLISH_REGISTERED,
        claim,
        registered,
        # Of the registered version, whatever this execution would train.
        profile=output(claim, "profile"),
        model_package_arn=output(claim, "model_package_arn"),
    )
    ingest_registered = common.ingest_features(
        context, JobStep.INGEST_REGISTERED, claim, output(claim, "features_uri"), after=publish_registered
    )
    score_registered = common.score_predictions(
        context, JobStep.SCORE_REGISTERED, claim, output(claim, "rows_uri"), after=ingest_registered
    )
    is_registered = ConditionStep(
        IS_REGISTERED,
        description="The execution before has registered a model for this version, and failed afterwards",
        conditions=[ConditionEquals(left=output(claim, "decision"), right="publish")],
        if_steps=[publish_registered, ingest_registered, score_registered],
        else_steps=[],
    )

    return context.pipeline(
        settings.training_pipeline_name,
        [
            profile,
            measures,
            first_levels,
            train_on,
            train_fraction,
            random_state,
            feature_count,
            minimum_r_squared,
            approval_status,
            context.processing_instance_type,
            context.training_instance_type,
            context.transform_instance_type,
        ],
        # The gate stands beside the first condition, not in it: SageMaker takes no condition inside another. Where
        # nothing is new, Evaluate does not run, and so neither does the gate that reads its result.
        [
            claim,
            common.is_new_input(claim, [history, preprocess, train, evaluate, create_model, transform]),
            quality_gate,
            is_registered,
        ],
    )
