"""How pictures look: typeface, sizes, colours, dashes and shapes. Changed here, changed everywhere.

Colours differ in hue for colour-blind readers and in lightness for those who print in grey; each series also has a dash
and a shape of its own.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FONT_FAMILY: Final = "'Source Sans Pro','Source Sans 3','Segoe UI','Helvetica Neue',Arial,sans-serif"

TITLE_SIZE: Final = 16.0
SUBTITLE_SIZE: Final = 12.5
TEXT_SIZE: Final = 11.5
NOTE_SIZE: Final = 10.5
LINE_HEIGHT: Final = 1.25

INK: Final = "#1B2430"
MUTED: Final = "#4A5563"
GRID: Final = "#E1E5EA"
AXIS: Final = "#8A94A1"
PAPER: Final = "#FFFFFF"
RULE: Final = "#8C1C13"
RANGE: Final = "#DDE5DA"


class Shape(StrEnum):
    """What a point is drawn as."""

    CIRCLE = "circle"
    SQUARE = "square"
    TRIANGLE = "triangle"
    DIAMOND = "diamond"
    CROSS = "cross"
    STAR = "star"
    RING = "ring"


class Tone(StrEnum):
    """What a bar means, for bars that are not all alike."""

    PLAIN = "plain"
    GAIN = "gain"
    LOSS = "loss"
    TOTAL = "total"
    FAINT = "faint"


@dataclass(frozen=True, slots=True)
class Look:
    """Colour, dash pattern and shape of one series."""

    colour: str
    dash: str
    shape: Shape


LOOKS: Final = (
    Look("#12436D", "", Shape.CIRCLE),
    Look("#C8501E", "7 3", Shape.SQUARE),
    Look("#2B9C8E", "2 2.5", Shape.TRIANGLE),
    Look("#7A4A96", "9 3 2 3", Shape.DIAMOND),
    Look("#B98500", "4 2", Shape.CROSS),
    Look("#6B7785", "1 3", Shape.RING),
)

TONES: Final = {Tone.GAIN: "#2B7FB8", Tone.LOSS: "#E0A07A", Tone.TOTAL: "#12436D", Tone.FAINT: "#C3CBD4"}

SEQUENTIAL: Final = ("#EDF3F8", "#C6DBEA", "#93BCD8", "#5B98C0", "#2E6FA0", "#12436D", "#0A2A47")
"""From low to high: lightness falls all the way, so that it reads in grey."""

DIVERGING: Final = ("#12436D", "#4C86B4", "#A9CBE0", "#F4F1EC", "#F2B98F", "#CF6A32", "#8C2F0C")
"""From below to above a middle; maps add hatching to the lower side, for readers in grey."""


def ink_on(colour: str) -> str:
    """Ink or paper, whichever is easier to read on a colour (`#RRGGBB`), by WCAG's relative luminance."""
    return INK if luminance(colour) > 0.2 else PAPER


def luminance(colour: str) -> float:
    """Relative luminance of `#RRGGBB`, 0 to 1 (WCAG 2.2)."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


_REGULAR: Final = (
    "200 289 426 497 497 824 609 249 303 303 418 497 249 311 249 350 497 497 497 497 497 497 497 497 497 497 249 249 "
    "497 497 497 425 847 544 588 571 615 527 494 617 652 263 480 579 486 727 647 664 566 664 569 534 536 645 515 786 "
    "513 476 539 303 350 303 497 500 542 504 553 456 555 496 292 504 544 246 247 495 255 829 547 542 555 555 347 419 "
    "338 544 467 718 446 467 425 303 241 303 497"
)
_BOLD: Final = (
    "200 340 537 528 528 857 667 300 344 344 457 528 300 332 300 339 528 528 528 528 528 528 528 528 528 528 300 300 "
    "528 528 528 463 903 573 605 582 635 548 524 638 674 301 509 614 518 762 665 684 596 684 613 556 556 665 556 813 "
    "567 525 541 344 339 344 528 500 555 527 573 467 573 518 341 534 571 276 278 548 286 857 572 555 573 573 398 443 "
    "383 568 523 776 514 521 460 344 268 344 528"
)
_WIDTHS: Final = tuple(
    {chr(32 + index): int(width) / 1000 for index, width in enumerate(table.split())} for table in (_REGULAR, _BOLD)
)
_OTHER: Final = 0.56  # em; what most accented letters have
_WIDE: Final = 1.0  # em; ideographs


def text_width(text: str, size: float = TEXT_SIZE, *, bold: bool = False) -> float:
    """Width of a text in pixels, by the advance widths of Source Sans Pro."""
    widths = _WIDTHS[bold]
    return size * sum(widths.get(c) or (_WIDE if ord(c) > 0x2E80 else _OTHER) for c in text)


def wrap(text: str, width: float, size: float = TEXT_SIZE, *, lines: int = 2, bold: bool = False) -> list[str]:
    """Break a text into at most so many lines of a width in pixels; what does not fit ends in an ellipsis."""
    result: list[str] = []
    for word in text.split():
        longer = f"{result[-1]} {word}" if result else word
        if result and text_width(longer, size, bold=bold) <= width:
            result[-1] = longer
        else:
            result.append(word)
    kept = result[:lines]
    if len(result) > lines:
        kept[-1] += " …"
    return [shorten(line, width, size, bold=bold) for line in kept]


def shorten(text: str, width: float, size: float = TEXT_SIZE, *, bold: bool = False) -> str:
    """Cut a text to a width in pixels, with an ellipsis."""
    if text_width(text, size, bold=bold) <= width:
        return text
    kept = text.removesuffix(" …")
    while kept and text_width(kept + "…", size, bold=bold) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"
