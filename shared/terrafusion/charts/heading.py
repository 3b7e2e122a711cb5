"""What stands above and below a picture: title, subtitle, note."""

from collections.abc import Iterator

from terrafusion.charts import svg
from terrafusion.charts.style import LINE_HEIGHT, MUTED, NOTE_SIZE, SUBTITLE_SIZE, TITLE_SIZE, wrap

TOP = 12.0


def _titles(title: str, width: float) -> list[str]:
    return wrap(title, width, TITLE_SIZE, bold=True)


def _subtitles(subtitle: str, width: float) -> list[str]:
    return wrap(subtitle, width, SUBTITLE_SIZE)


def heading_height(title: str, subtitle: str, width: float) -> float:
    """Pixels that title and subtitle take from the picture's top."""
    titles, subtitles = len(_titles(title, width)), len(_subtitles(subtitle, width))
    return TOP + titles * TITLE_SIZE * LINE_HEIGHT + subtitles * SUBTITLE_SIZE * LINE_HEIGHT + 8


def heading(title: str, subtitle: str, x: float, width: float) -> Iterator[str]:
    """Title and subtitle."""
    titles = _titles(title, width)
    y = TOP + TITLE_SIZE * 0.9
    yield from svg.lines(titles, x, y, size=TITLE_SIZE, font_weight="700")
    y += (len(titles) - 1) * TITLE_SIZE * LINE_HEIGHT + (SUBTITLE_SIZE * 1.45 if titles else 0)
    yield from svg.lines(_subtitles(subtitle, width), x, y, size=SUBTITLE_SIZE, fill=MUTED)


def foot_height(note_text: str, width: float) -> float:
    """Pixels that the note takes at the bottom."""
    rows = len(wrap(note_text, width, NOTE_SIZE, lines=3))
    return 10.0 + (rows * NOTE_SIZE * LINE_HEIGHT + 6 if rows else 0)


def note(note_text: str, x: float, height: float, width: float) -> Iterator[str]:
    """The note at the picture's foot."""
    rows = wrap(note_text, width, NOTE_SIZE, lines=3)
    y = height - 10 - (len(rows) - 1) * NOTE_SIZE * LINE_HEIGHT
    yield from svg.lines(rows, x, y, size=NOTE_SIZE, fill=MUTED)
