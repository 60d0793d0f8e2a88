"""Write docs/benchmarks.md and its plots from the results of benchmarks: ``python -m benchmarks.page``."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import Comparison, read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "images"
_BEGIN, _END = "<!-- results -->\n", "<!-- /results -->\n"
_FIGURES = {"seconds": "seconds", "peak_mib": "peak memory, MiB"}


def results(folder: Path = RESULTS) -> list[Comparison]:
    """Return the results that were kept, by the names of their files."""
    return [found for path in sorted(folder.glob("*.json")) for found in read_json(path)]


def table(found: Comparison) -> str:
    """Return the results of a benchmark as Markdown: medians, spread, and how many times the first way each takes."""
    first = found.ways()[0]
    rows = [
        f"| {found.unit} | way | seconds: median (least to most) | CPU seconds | peak MiB | times {first} |",
        "| ---: | --- | --- | ---: | ---: | ---: |",
    ]
    for size in found.sizes():
        for way in found.ways():
            one = found.at(way, size)
            if one is None:
                continue
            seconds = [sample.seconds for sample in one.samples]
            spread = f"{one.seconds:.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
            ratios = found.ratios(first, way, size)
            ratio = f"{statistics.median(ratios):.2f}" if ratios and way != first else ""
            cells = [
                f"{size:,}",
                way,
                spread,
                _figure(one.median("cpu_seconds")),
                _figure(one.median("peak_mib")),
                ratio,
            ]
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _figure(value: float | None) -> str:
    """Return a figure with two decimals where these say something, or nothing for what was not measured."""
    if value is None:
        return ""
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def growth(found: Comparison) -> str:
    """Return the exponents with which time and memory grow as a sentence, or nothing with only one size."""
    said = []
    for way in found.ways():
        seconds, memory = found.growth(way), found.growth(way, "peak_mib")
        if seconds is not None and memory is not None:
            said.append(f"{way}: time {seconds:.2f}, memory {memory:.2f}")
    return f"Exponents of growth: {'; '.join(said)}.\n" if said else ""


def section(found: Comparison, plot: str) -> str:
    """Return the part of the page that shows one benchmark."""
    beside = ", so the machine was busy before, and times may be longer than they need be" if found.busy else ""
    rounds = len(found.series[0].samples)
    machine = f"{rounds} rounds on {found.cores} cores, load average {found.load:.1f} before the first{beside}."
    parts = [f"### `{found.name}`\n", f"{machine}\n", table(found), growth(found)]
    if plot:
        parts.append(f"![{found.name}: time and memory by size]({plot})\n")
    return "\n".join(filter(None, parts))


def draw(found: Comparison, path: Path) -> None:
    """Draw time and memory by size, on logarithmic scales, as an SVG file that is the same for the same results."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    with mpl.rc_context(
        {"svg.hashsalt": found.name, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure, axes = plt.subplots(1, len(_FIGURES), figsize=(8, 3), layout="constrained")
        for axis, (what, label) in zip(axes, _FIGURES.items(), strict=True):
            _draw_lines(axis, found, what, label)
        axes[0].legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def _draw_lines(axis: Axes, found: Comparison, what: str, label: str) -> None:
    for way in found.ways():
        series = [one for one in found.series if one.way == way]
        points = [(one.size, value) for one in series if (value := one.median(what)) is not None]
        axis.plot(*zip(*points, strict=True), marker="o", label=way)
    options: dict[str, Any] = {"xscale": "log", "yscale": "log", "xlabel": found.unit, "ylabel": label}
    axis.set(**options)


def main() -> None:
    """Write page and plots."""
    sections = []
    for found in results():
        plot = PLOTS / f"benchmark-{found.name.replace(' ', '-')}.svg"
        drawn = len(found.sizes()) > 1
        if drawn:
            draw(found, plot)
        sections.append(section(found, plot.relative_to(PAGE.parent).as_posix() if drawn else ""))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    PAGE.write_text(f"{before}{_BEGIN}\n{chr(10).join(sections)}\n{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
