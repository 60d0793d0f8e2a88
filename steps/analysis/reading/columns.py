"""The bike-sharing table: its columns, their domains, and the two published forms.

Source: Fanaee-T and Gama (2013), doi:10.1007/s13748-013-0040-3; UCI Machine Learning Repository, "Bike Sharing".
This is the one place where a level, a range or a unit is written down; everything else reads it from here.
"""

from __future__ import annotations

from dataclasses import dataclass

DATE = "dteday"
IDENTIFIER = "instant"
TARGET = "cnt"
TARGET_PARTS = ("casual", "registered")
"""`cnt` is their sum, so they are the answer and never inputs of an honest model."""


@dataclass(frozen=True)
class Category:
    """A whole number that stands for a named level."""

    levels: dict[int, str]

    @property
    def allowed(self) -> str:
        """The levels with their names, for messages."""
        return ", ".join(f"{level} ({name})" for level, name in self.levels.items())


@dataclass(frozen=True)
class Measure:
    """A measured column: `scale` is the physical value that the UCI form writes as 1."""

    scale: float
    unit: str


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CATEGORIES: dict[str, Category] = {
    "season": Category({1: "winter", 2: "spring", 3: "summer", 4: "autumn"}),
    "mnth": Category(dict(enumerate(_MONTHS, start=1))),
    "weekday": Category(dict(enumerate(("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")))),
    "weathersit": Category({1: "clear", 2: "mist", 3: "light rain or snow", 4: "heavy rain or snow"}),
}

FLAGS: dict[str, Category] = {
    "yr": Category({0: "first year", 1: "second year"}),
    "holiday": Category({0: "no", 1: "yes"}),
    "workingday": Category({0: "no", 1: "yes"}),
}

MEASURES: dict[str, Measure] = {
    "temp": Measure(41.0, "degrees Celsius"),
    "atemp": Measure(50.0, "degrees Celsius"),
    "hum": Measure(100.0, "percent"),
    "windspeed": Measure(67.0, "km/h"),
}


@dataclass(frozen=True)
class Bins:
    """Labelled intervals of a measure, in its physical unit.

    edges: one more than labels, rising. Each interval holds its lower edge and not its upper one, but the last holds
    both. The outer edges are the measure's domain, so that every valid value has a bin.
    """

    edges: tuple[float, ...]
    labels: tuple[str, ...]


_BREEZES = ("light breeze", "gentle breeze", "moderate breeze", "fresh breeze", "strong breeze")
_WINDS = ("calm", "light air", *_BREEZES, "near gale")
_TEMPERATURES = ("freezing", "cold", "cool", "mild", "warm", "hot", "very hot")

BINS: dict[str, Bins] = {
    "temp": Bins((0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 41.0), _TEMPERATURES),
    "atemp": Bins((0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0), _TEMPERATURES),
    "hum": Bins((0.0, 40.0, 60.0, 80.0, 100.0), ("dry", "comfortable", "humid", "very humid")),
    "windspeed": Bins((0.0, 2.0, 6.0, 12.0, 20.0, 29.0, 39.0, 50.0, 67.0), _WINDS),
}
"""Fixed bins: steps of 5 degrees, of 20 percent from 40 on, and the Beaufort scale (World Meteorological Organization,
numbers 0 to 7, whole km/h). They do not depend on the data, so nothing can leak through them."""

COUNTS = (*TARGET_PARTS, TARGET)

INPUTS = (*CATEGORIES, *FLAGS, *MEASURES)
"""Columns that every file must have, beside the date."""

_CODES = ("season", "yr", "mnth", "holiday", "weekday", "workingday", "weathersit")
KNOWN_COLUMNS = (IDENTIFIER, DATE, *_CODES, *MEASURES, *COUNTS)
"""All columns in published order."""

RAREST_WEATHER = 4
WEATHER_STANDS_FOR = 3
"""Heavy rain or snow (4) is a valid level of the published description, but no day of the daily table has it, so no
coefficient can be learned for it. It is prepared as level 3, the nearest weather that was observed, and counted in the
quality report."""


def model_levels(column: str) -> tuple[int, ...]:
    """Return the levels that get a dummy variable, in order; the first is the reference where one is dropped."""
    levels = CATEGORIES[column].levels
    return tuple(level for level in levels if not (column == "weathersit" and level == RAREST_WEATHER))
