from __future__ import annotations

import pytest

from localmaker.coverage import PAGE, Answer, answer, page


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        ("sagemaker", "StartPipelineExecution", Answer.REAL),
        ("sagemaker-featurestore-runtime", "PutRecord", Answer.REAL),
        ("s3", "PutObject", Answer.MOTO),
        ("sagemaker", "CreateCluster", Answer.MOTO),
        ("sagemaker", "ListLineageGroups", Answer.REFUSED),
    ],
)
def test_who_answers(service: str, operation: str, expected: Answer) -> None:
    assert answer(service, operation) is expected


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m localmaker.coverage"
