"""A tuning job that was running when its endpoint ended, or was killed, has failed, and so have its training jobs."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from tests.services.sagemaker.tuning.conftest import Tuning

from localmaker.daemon import running_endpoint

SLEEPING = "import time\ntime.sleep(600)"


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True])
def test_a_running_tuning_job_has_failed_after_a_restart(tmp_path, image, unique, eventually, killed):
    with running_endpoint(tmp_path) as endpoint:
        tuning = Tuning(endpoint, unique, eventually)
        ended = tuning.run(jobs=1, Tags=[{"Key": "a", "Value": "1"}])
        name = tuning.start(tuning.request(SLEEPING, jobs=4, parallel=2))
        eventually(lambda: tuning.describe(name)["TrainingJobStatusCounters"]["InProgress"] == 2)
        if killed:
            os.kill(endpoint.running.pid, signal.SIGKILL)
            psutil.Process(endpoint.running.pid).wait(30)
    with running_endpoint(tmp_path) as endpoint:
        tuning = Tuning(endpoint, f"{unique}-again", eventually)
        found = tuning.describe(name)
        assert found["HyperParameterTuningJobStatus"] == "Failed"
        assert "The local endpoint stopped while this job was running" in found["FailureReason"]
        assert found["TrainingJobStatusCounters"]["NonRetryableError"] == 2
        for job in tuning.training_jobs(name):
            described = tuning.sagemaker.describe_training_job(TrainingJobName=job["TrainingJobName"])
            assert described["TrainingJobStatus"] == "Failed"
        again = tuning.describe(ended["HyperParameterTuningJobName"])
        assert again["BestTrainingJob"] == ended["BestTrainingJob"]
        tags = tuning.sagemaker.list_tags(ResourceArn=again["HyperParameterTuningJobArn"])["Tags"]
        assert tags == [{"Key": "a", "Value": "1"}]
        assert tuning.run(jobs=1)["HyperParameterTuningJobStatus"] == "Completed"
