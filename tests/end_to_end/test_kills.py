"""The endpoint killed while an execution runs: the next delivery of the event finishes what was begun, once."""

from __future__ import annotations

import os
import random
import signal
import time
from unittest import mock

import pytest

from localmaker.daemon import running_endpoint
from pipeline.aws.clients import Aws
from pipeline.executions.view import view
from pipeline.settings.environment import load_settings
from tests.end_to_end.conftest import Deployed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("leftovers"), pytest.mark.timeout(600)]

KEY = "raw/training/killed.csv"
#: About what an execution takes.
_LONGEST_SECONDS = 8.0


@pytest.mark.randomised("seeds")
def test_a_file_is_processed_once_whenever_the_machine_dies(seed, deployed_state, sample_csv):
    state = deployed_state("bike_sharing")
    moment = random.Random(seed).uniform(0.1, _LONGEST_SECONDS)
    with running_endpoint(state) as endpoint, mock.patch.dict(os.environ, endpoint.environment()):
        settings = load_settings("local")
        deployed = Deployed(endpoint, settings, Aws(settings))
        version = deployed.put(KEY, sample_csv)
        first = deployed.started(KEY, version)
        time.sleep(moment)
        os.kill(endpoint.running.pid, signal.SIGKILL)
    with running_endpoint(state) as endpoint, mock.patch.dict(os.environ, endpoint.environment()):
        deployed = Deployed(endpoint, settings, Aws(settings))
        assert view(deployed.aws, first).is_final
        known = [first]
        deployed.send_event(KEY, version)
        known.append(deployed.started(KEY, version, known=known))
        assert deployed.finished(known[-1]).status == "Succeeded", view(deployed.aws, known[-1]).explanation
        _done_once(deployed)


def _done_once(deployed: Deployed) -> None:
    (text,) = deployed.predictions().values()
    assert len(text.splitlines()) == 731
    assert len(deployed.model_packages()) == 1
    for day in ("2018-01-01", "2019-12-31"):
        assert {"temp", "cnt"} <= deployed.stored(day).keys()
    deployed.sweep()
    assert deployed.models() == []
