"""Checks of a CreateHyperParameterTuningJob request, each with a message in the style of AWS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.jobs.kinds import JobKind
from localmaker.services.sagemaker.jobs.metric_definitions import metric_definitions
from localmaker.services.sagemaker.jobs.validation import check_request as check_job
from localmaker.services.sagemaker.jobs.validation import refusal
from localmaker.services.sagemaker.tuning.choosing import choose
from localmaker.services.sagemaker.tuning.definitions import Definition, definitions_of, training_request
from localmaker.services.sagemaker.tuning.ending import limit
from localmaker.services.sagemaker.tuning.ranges import Range, RangeKind

# The names of training jobs are longer by their number and a token.
_TRAINING_NAME = "{name}-001-00000000"
_MAX_RANGES = 30


def check_request(request: Mapping[str, Any]) -> Sequence[Definition]:
    """Check a Create request, and return the training job definitions in it.

    Raises:
        AwsError: ValidationException naming the field.
    """
    _check_refused(request)
    if ("TrainingJobDefinition" in request) == ("TrainingJobDefinitions" in request):
        raise refusal("Give either TrainingJobDefinition or TrainingJobDefinitions.")
    try:
        definitions = definitions_of(request)
    except ValueError as error:
        raise refusal(f"ParameterRanges: {error}.") from error
    if len(definitions) > 1 and len({definition.name for definition in definitions} - {None}) < len(definitions):
        raise refusal("Each of TrainingJobDefinitions needs a DefinitionName of its own.")
    if len({(definition.maximize, definition.metric) for definition in definitions}) > 1:
        raise refusal("TuningObjective must be the same in all of TrainingJobDefinitions: their results are compared.")
    configuration = request["HyperParameterTuningJobConfig"]
    for definition in definitions:
        _check_definition(definition, configuration["Strategy"])
        _check_job(definition, request, configuration["Strategy"])
    _check_limits(configuration, definitions)
    return definitions


def _check_refused(request: Mapping[str, Any]) -> None:
    """Refuse by name what this endpoint does not do."""
    configuration = request["HyperParameterTuningJobConfig"]
    criteria = configuration.get("TuningJobCompletionCriteria", {})
    if configuration["Strategy"] == "Hyperband":
        raise refusal(
            "Strategy Hyperband is not available on this endpoint, which does not share out epochs among training "
            "jobs; use Bayesian, Random or Grid, with TrainingJobEarlyStoppingType Auto to stop those that do badly."
        )
    if "Autotune" in request:
        raise refusal("Autotune is not available on this endpoint; give ParameterRanges.")
    if criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled":
        raise refusal(
            "ConvergenceDetected is not available on this endpoint; use BestObjectiveNotImproving or "
            "TargetObjectiveMetricValue."
        )


def _check_definition(definition: Definition, strategy: str) -> None:
    job = definition.job
    if (job.get("HyperParameterRanges") or {}).get("AutoParameters"):
        raise refusal("AutoParameters are not available on this endpoint; give ranges.")
    if definition.metric is None:
        raise refusal("A hyperparameter tuning job needs an objective: give HyperParameterTuningJobObjective.")
    given = {entry["Name"] for entry in metric_definitions(job, job.get("StaticHyperParameters", {}))}
    if definition.metric not in given:
        raise refusal(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
            f"definitions. [{definition.metric}] is not among them: {', '.join(sorted(given)) or 'there are none'}."
        )
    _check_space(definition)
    if strategy == "Grid" and any(one.kind is not RangeKind.CATEGORICAL for one in definition.space):
        raise refusal("Grid search takes categorical ranges only.")


def _check_space(definition: Definition) -> None:
    names = [one.name for one in definition.space]
    if not names:
        raise refusal("A hyperparameter tuning job needs at least one range in ParameterRanges.")
    if len(names) > _MAX_RANGES:
        raise refusal(f"ParameterRanges has {len(names)} hyperparameters; {_MAX_RANGES} are allowed.")
    for name in names:
        if names.count(name) > 1:
            raise refusal(f"Hyperparameter [{name}] has more than one range.")
        if name in definition.job.get("StaticHyperParameters", {}):
            raise refusal(f"Hyperparameter [{name}] is both static and in a range.")
    for one in definition.space:
        _check_range(one)


def _check_range(one: Range) -> None:
    if one.kind is RangeKind.CATEGORICAL:
        return
    if one.low > one.high:
        raise refusal(f"MinValue of [{one.name}] is greater than its MaxValue.")
    if one.scaling == "Logarithmic" and one.low <= 0:
        raise refusal(f"Logarithmic scaling works only for values greater than 0; [{one.name}] has MinValue {one.low}.")
    if one.scaling == "ReverseLogarithmic" and (one.kind is RangeKind.INTEGER or not 0 <= one.low <= one.high < 1):
        raise refusal(f"ReverseLogarithmic scaling works only for continuous ranges within 0<=x<1.0; see [{one.name}].")


def _check_job(definition: Definition, request: Mapping[str, Any], strategy: str) -> None:
    """Check the first training job, as its own operation would."""
    values = choose(strategy, definition.space, 0, 0)
    name = _TRAINING_NAME.format(name=request["HyperParameterTuningJobName"])
    try:
        check_job(JobKind.TRAINING, training_request(definition, name, values, request.get("Tags", [])))
    except AwsError as error:
        raise AwsError(error.code, f"TrainingJobDefinition: {error.message}", error.status) from error


def _check_limits(configuration: Mapping[str, Any], definitions: Sequence[Definition]) -> None:
    limits = configuration["ResourceLimits"]
    most = limit(configuration, definitions)
    given = limits.get("MaxNumberOfTrainingJobs")
    if configuration["Strategy"] == "Grid" and given not in (None, most):
        raise refusal(
            f"MaxNumberOfTrainingJobs {given} must be the number of combinations of a grid, {most}, or be left out."
        )
    if most is None and "MaxRuntimeInSeconds" not in limits:
        raise refusal("ResourceLimits needs MaxNumberOfTrainingJobs or MaxRuntimeInSeconds.")
    if most is not None and limits["MaxParallelTrainingJobs"] > most:
        raise refusal(
            f"MaxParallelTrainingJobs {limits['MaxParallelTrainingJobs']} is more than MaxNumberOfTrainingJobs {most}."
        )
