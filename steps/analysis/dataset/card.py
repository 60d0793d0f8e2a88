"""What people say about the models of a table, for their model cards: what no number of a run can tell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from analysis.dataset.columns import CONFIGURATION, refuse

MOST_FIELDS = 60
"""So that all of them fit into a card."""


class RiskRating(StrEnum):
    """How much harm wrong predictions can do."""

    HIGH = "High"
    """People, or the existence of an organisation, can be harmed."""
    MEDIUM = "Medium"
    """Harm is limited, or somebody notices before it is done."""
    LOW = "Low"
    """Wrong predictions cost little, and are noticed soon."""
    UNKNOWN = "Unknown"
    """Nobody has rated it yet."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model card says beside what a run measures. Long texts are cut, at 2,048 characters for most fields."""

    __pydantic_config__ = CONFIGURATION

    model_owner: str = ""
    """Who answers for the models: a role or a team, rather than a person."""
    business_problem: str = ""
    """What is hard without predictions, and for whom."""
    business_stakeholders: str = ""
    """Who decides by them, and who is affected."""
    line_of_business: str = ""
    """The part of the organisation that uses them."""
    prohibited_uses: str = ""
    """What predictions must not be used for, as sentences."""
    risk_rating: RiskRating = RiskRating.UNKNOWN
    """How much harm wrong predictions can do."""
    risk_reason: str = ""
    """Why the rating is that."""
    ethical_considerations: str = ""
    """Who may be treated unfairly, which data is personal, what was considered."""
    caveats: str = ""
    """What readers of predictions have to know, beside what the project says of every model."""
    fields: dict[str, str] = field(default_factory=dict)
    """Further fields, as those that the organisation's standard names: name → text."""

    def __post_init__(self) -> None:
        """Raise ValueError, naming the field, for more than a card has room for."""
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if len(self.fields) > MOST_FIELDS:
            yield f"fields: a card has room for {MOST_FIELDS} of them, not for {len(self.fields)}"
