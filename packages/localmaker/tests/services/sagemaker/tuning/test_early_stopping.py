"""Training jobs of a tuning job that are stopped early, because others did better up to the same epoch."""

from __future__ import annotations

import pytest

from localmaker.services.sagemaker.tuning.early_stopping import is_hopeless

# The second of the grid prints one bad value, and would go on for ten minutes.
BAD_AFTER_GOOD = """
import os, time
kind = os.environ["SM_HP_KIND"]
for epoch in range(3):
    print("error=1;" if kind == "1-good" else "error=9;", flush=True)
    if kind == "2-bad":
        time.sleep(600)
"""
GRID = {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["1-good", "2-bad"]}]}


@pytest.mark.parametrize(
    ("values", "completed", "hopeless"),
    [
        ([3.0], [[1.0], [2.0], [9.0]], True),
        ([2.0], [[1.0], [2.0], [9.0]], False),
        # The running averages of the first two epochs are 5 and 2; later epochs do not count.
        ([9.0, 3.6], [[9.0, 1.0, 0.0], [2.0, 2.0, 0.0]], True),
        ([9.0, 3.4], [[9.0, 1.0, 0.0], [2.0, 2.0, 0.0]], False),
        # One that ended earlier counts with all that it has.
        ([1.0, 1.0, 3.0], [[2.0]], True),
        ([9.0], [], False),
        ([9.0], [[]], False),
        ([float("nan")], [[1.0]], False),
    ],
)
def test_the_last_value_is_compared_with_the_median_of_running_averages(values, completed, hopeless):
    assert is_hopeless(values, completed, maximize=False) is hopeless
    opposite = [[-value for value in others] for others in completed]
    assert is_hopeless([-value for value in values], opposite, maximize=True) is hopeless


def test_a_training_job_that_does_worse_is_stopped_and_keeps_its_objective(tuning):
    early = {"TrainingJobEarlyStoppingType": "Auto"}
    found = tuning.run(BAD_AFTER_GOOD, strategy="Grid", jobs=None, ranges=GRID, configuration=early)
    assert found["HyperParameterTuningJobStatus"] == "Completed"
    assert found["BestTrainingJob"]["TunedHyperParameters"] == {"kind": "1-good"}
    good, bad = tuning.training_jobs(found["HyperParameterTuningJobName"])
    assert (good["TrainingJobStatus"], bad["TrainingJobStatus"]) == ("Completed", "Stopped")
    assert bad["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 9
