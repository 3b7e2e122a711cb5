"""Reads CloudWatch's Embedded Metric Format strictly: a line is counted wholly, or rejected with a reason.

Around the document there may be what a terminal, `sam local`, `sam logs` or a container engine puts there. It may also
stand as text in a JSON document of Docker's or of CloudWatch Logs' about the line.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from terrafusion.metrics import MetricKind, MetricSpec

MARK = '"_aws"'
_QUOTED_MARK = r"\"_aws\""
"""As it stands in a text within JSON."""
MOST_VALUES = 100
"""Values of one metric in one document, as the format has it."""
MOST_LABEL_CHARACTERS = 250
"""Of a label's value, as CloudWatch's dimension names; longer ones are no labels, and would fill the memory."""
MOST_STARTS = 8
"""Braces before the mark that are tried as the document's beginning."""

_ABOUT_LINES: Mapping[str, frozenset[str]] = {
    "log": frozenset({"log", "stream", "time"}),
    "message": frozenset({"message", "timestamp", "ingestionTime"}),
}
"""Members of the documents about a line, by the one that holds its text: Docker's json-file, CloudWatch's log event. No
others: what a program's own log says in a `message` may come from anybody."""
_MEMBER = re.compile(r'\s*("message": ".*"),?\s*')
"""A log event's text where the AWS CLI prints each member on a line of its own."""
_AROUND = re.compile(r"(?:\s|\x1b\[[0-9;]*m)*\Z")
_DECODER = json.JSONDecoder()

Labels = tuple[str, ...]


class Rejection(StrEnum):
    """Why a line is not counted."""

    NOT_JSON = "not_json"
    NOT_EMF = "not_emf"
    UNKNOWN_METRIC = "unknown_metric"
    MISSING_LABEL = "missing_label"
    BAD_LABEL = "bad_label"
    BAD_VALUE = "bad_value"
    TOO_LONG = "too_long"
    TOO_MANY_SERIES = "too_many_series"


class Rejected(Exception):
    """A line that cannot be counted."""

    def __init__(self, reason: Rejection) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of a metric under its labels."""

    spec: MetricSpec
    labels: Labels
    values: tuple[float, ...]


def may_concern(line: bytes) -> bool:
    """Whether a line, or one that it tells of, may mean to be EMF."""
    return MARK.encode() in line or _QUOTED_MARK.encode() in line


def concerns(line: str) -> bool:
    """Whether a line means to be EMF."""
    return MARK in line


def lines_in(line: str) -> list[str]:
    """The lines that mean to be EMF in what may be a document about lines; the line itself when it is one."""
    if concerns(line):
        return [line]
    if _QUOTED_MARK not in line:
        return []
    member = _MEMBER.fullmatch(line)
    try:
        found = json.loads(f"{{{member[1]}}}" if member else line)
    except (ValueError, RecursionError):
        return []
    texts = [found["message"]] if member else _texts(found)
    return [text for text in texts if isinstance(text, str) and concerns(text)]


def _texts(found: Any) -> list[Any]:
    """The lines' texts in a document about one line, or in one of CloudWatch's with several events."""
    if not isinstance(found, dict):
        return []
    events = found.get("events")
    documents = events if isinstance(events, list) else [found]
    return [
        document[name]
        for document in documents
        for name, members in _ABOUT_LINES.items()
        if isinstance(document, dict) and members <= document.keys()
    ]


def read(line: str, catalogue: Mapping[str, MetricSpec]) -> tuple[list[Sample], str | None]:
    """Read a line that means to be EMF; gives its samples, and the id of the event that they tell of.

    Raises
    ------
    Rejected
        When any part of it is not as the format or the catalogue has it.
    """
    document = _document(line)
    samples = [_sample(document, name, catalogue) for name in _names(document)]
    event = document.get("event_id")
    return samples, _label(event) if event else None


def _document(line: str) -> Mapping[str, Any]:
    """The object that holds the mark, and nothing after it."""
    mark = line.index(MARK)
    start = line.find("{")
    for _ in range(MOST_STARTS):
        if not 0 <= start < mark:
            break
        try:
            found, end = _DECODER.raw_decode(line, start)
        except (ValueError, RecursionError):
            start = line.find("{", start + 1)
            continue
        if isinstance(found, dict) and "_aws" in found and _AROUND.match(line, end):
            return found
        start = line.find("{", max(start + 1, end if end < mark else 0))
    raise Rejected(Rejection.NOT_JSON)


def _names(document: Mapping[str, Any]) -> list[str]:
    """The metrics that the directives name; one that is in several is one sample all the same."""
    try:
        aws = document["_aws"]
        metrics = [metric["Name"] for directive in aws["CloudWatchMetrics"] for metric in directive["Metrics"]]
        if not _is_number(aws["Timestamp"]):
            raise Rejected(Rejection.NOT_EMF)
        return list(dict.fromkeys(metrics))
    except (KeyError, TypeError):
        raise Rejected(Rejection.NOT_EMF) from None


def _sample(document: Mapping[str, Any], name: str, catalogue: Mapping[str, MetricSpec]) -> Sample:
    spec = catalogue.get(name) if isinstance(name, str) else None
    if spec is None:
        raise Rejected(Rejection.UNKNOWN_METRIC)
    if any(label not in document for label in spec.labels):
        raise Rejected(Rejection.MISSING_LABEL)
    found = document.get(name)
    values = found if isinstance(found, list) else [found]
    if not 0 < len(values) <= MOST_VALUES or not all(map(_is_number, values)):
        raise Rejected(Rejection.BAD_VALUE)
    if spec.kind is not MetricKind.GAUGE and min(values) < 0:
        raise Rejected(Rejection.BAD_VALUE)
    return Sample(spec, tuple(_label(document[label]) for label in spec.labels), tuple(map(float, values)))


def _label(value: Any) -> str:
    """A label's value: text that can be kept and shown, which half a character, as JSON may hold it, cannot."""
    if not isinstance(value, str) or len(value) > MOST_LABEL_CHARACTERS:
        raise Rejected(Rejection.BAD_LABEL)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Rejected(Rejection.BAD_LABEL) from None
    return value


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
