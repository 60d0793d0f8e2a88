"""Where the blocks of a card go on its pages: what stays together, and how high charts are. Millimetres throughout."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from localmaker.services.sagemaker.registry.card_content import Block, Chart, Field, Heading, Table

#: Space above a heading's text, by depth, and of the text.
ABOVE = (7, 4, 2.5, 2)
_HEADING, _LINE = 8.0, 5.0
_FIELDS = 2
"""So many fields at least follow a heading on its page."""
_ROWS, _ROW = 3, 7.0
"""Likewise rows of a table, whose height is about that."""


def depth_of(heading: Heading) -> int:
    """Return the depth of a heading as it is shown: very deep ones look alike."""
    return min(heading.depth, len(ABOVE) - 1)


def least_height(blocks: Sequence[Block], height_of: Callable[[Field | Chart], float]) -> float:
    """Return the height of what has to stand together at the beginning of these blocks.

    Headings stay with each other, and with the first of what they are headings of: a chart, some rows, some fields.
    """
    height, fields = 0.0, 0
    for block in blocks:
        if isinstance(block, Heading):
            if fields:
                break
            height += ABOVE[depth_of(block)] + _HEADING
        elif isinstance(block, Table):
            height += (1 + min(len(block.rows), _ROWS)) * _ROW
            break
        elif isinstance(block, Chart):
            height += height_of(block)
            break
        else:
            height += height_of(block)
            fields += 1
            if fields == _FIELDS:
                break
    return height


def heights_on_page(sizes: Sequence[tuple[float, float]], room: float, whole: float = float("inf")) -> list[float]:
    """Return the heights of as many charts as this page has room for; none where the first goes on the next one.

    Args:
        sizes: of each chart, the least height and the one that it should have.
        room: what is left of the page.
        whole: of an empty page; a chart that is higher is drawn as high as that.
    """
    chosen: list[tuple[float, float]] = []
    for size in sizes:
        least, wanted = (min(one, whole) for one in size)
        if sum(height for height, _ in chosen) + least > room:
            break
        chosen.append((least, wanted))
    spare = room - sum(least for least, _ in chosen)
    more = sum(wanted - least for least, wanted in chosen)
    share = min(1.0, spare / more) if more else 0.0
    return [least + share * (wanted - least) for least, wanted in chosen]
