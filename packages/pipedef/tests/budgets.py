"""A pytest plugin: how much the randomised tests of a suite try.

``make test`` runs every one of them with a small fixed budget, ``make acceptance`` only them, with the full one. A test
is randomised when Hypothesis draws its examples, or when it takes the argument ``seed`` and says of which kind it is::

    @pytest.mark.randomised("kills")
    def test_nothing_is_lost(seed): ...
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings

#: Kind → (budget of `make test`, what it counts).
KINDS = {
    "examples": (100, "examples that Hypothesis draws for each property"),
    "seeds": (2, "seeded runs of each randomised scenario"),
    "splits": (5, "random splits that coverage of intervals is a mean over"),
    "kills": (2, "seeded kills of a process at a random moment, for each scenario"),
    "faults": (2, "seeded runs with injected faults, for each scenario"),
    "limits": (3, "seeded jobs beyond a limit or close to one, under load"),
    "fuzz": (200, "seeded requests of the fuzz of HTTP"),
    "habits": (2, "seeds of AWS's habits that deployments live with"),
    "rounds": (1, "rounds of every kind of execution, one after the other"),
    "burst": (20, "files of a burst of uploads"),
}

_examples = KINDS["examples"][0]


def examples(at_least: int) -> int:
    """Return the examples of a property that always wants a certain number, and more where more are asked for."""
    return max(at_least, _examples)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add one option for each kind of budget."""
    group = parser.getgroup("budgets of randomised tests")
    for kind, (default, meaning) in KINDS.items():
        group.addoption(f"--{kind}", type=int, default=default, metavar="N", help=f"{meaning} (default: {default})")


def pytest_configure(config: pytest.Config) -> None:
    """Give Hypothesis its number of examples; a run of this suite repeats itself."""
    global _examples  # noqa: PLW0603 - Hypothesis has one profile for a process, and this is its number
    _examples = config.getoption("examples")
    config.addinivalue_line("markers", "randomised(kind): takes `seed`, and is run as often as the kind's budget says")
    # `make acceptance` chooses by it in every product, and a product without such tests would not know the word.
    config.addinivalue_line("markers", "aws_toolkits: drives the step scripts by AWS's own toolkits")
    settings.register_profile("budget", max_examples=_examples, deadline=None, derandomize=True)
    settings.load_profile("budget")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a randomised test once for each seed of its budget."""
    mark = metafunc.definition.get_closest_marker("randomised")
    if mark is not None and "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption(mark.args[0])))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the properties that Hypothesis draws examples for, and note the kind where reports can read it."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.randomised("examples"))
        mark = item.get_closest_marker("randomised")
        if mark is not None:
            item.user_properties.append(("randomised", mark.args[0]))


def pytest_report_header(config: pytest.Config) -> str:
    """Name the budgets of the run."""
    return "budgets: " + ", ".join(f"{kind} {config.getoption(kind)}" for kind in KINDS)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many randomised tests ran, by kind."""
    ran = Counter(
        value
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        if report.when == "call"
        for name, value in report.user_properties
        if name == "randomised"
    )
    if ran:
        counted = ", ".join(f"{count} by {kind}" for kind, count in sorted(ran.items()))
        terminalreporter.write_line(f"randomised tests: {counted} (examples {config.getoption('examples')} a property)")
