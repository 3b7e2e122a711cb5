"""What the functions' log files say about one job, in order."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
FAILURE = re.compile(r"\b(Error|timed out|killed)\b")
MOST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """A line: when (as the machine's clock has it), which function, its document where it is JSON, its text."""

    at: str
    function: str
    document: Mapping[str, Any]
    text: str

    @property
    def level(self) -> str:
        """INFO and the like; what the runtime says of a process that died is an error."""
        return str(self.document.get("level") or ("ERROR" if FAILURE.search(self.text) else ""))

    @property
    def message(self) -> str:
        """What it says, with the traceback's last line and the seconds of the steps."""
        if not self.document:
            return self.text[:MOST_TEXT]
        said = str(self.document.get("message", ""))
        seconds = self.document.get("seconds")
        if isinstance(seconds, Mapping):
            said += "  (" + ", ".join(f"{step} {took:g} s" for step, took in seconds.items()) + ")"
        failure = str(self.document.get("exception", "")).strip().splitlines()
        return said + (f": {failure[-1]}" if failure else "")


def lines_about(folder: Path, job_id: str) -> list[Entry]:
    """The lines of a job, of the requests that it came by, and what the runtime said of its invocations.

    Parameters
    ----------
    folder
        Where the local cloud keeps `<function>.log`, and what was moved aside.
    """
    entries = sorted(_entries(folder), key=lambda entry: entry.at)
    own = [entry for entry in entries if entry.document.get("job_id") == job_id]
    invocations = _values(own, "function_request_id")
    requests = _values(own, "request_id")
    return [
        entry
        for entry in entries
        if entry.document.get("job_id") == job_id
        or (not entry.document and any(word in entry.text for word in (*invocations, *requests, job_id)))
        or (not entry.document.get("job_id") and entry.document.get("request_id") in requests)
    ]


def _values(entries: Iterable[Entry], key: str) -> set[str]:
    return {str(entry.document[key]) for entry in entries if entry.document.get(key)}


def _entries(folder: Path) -> Iterator[Entry]:
    for path in sorted(folder.glob("*.log*")):
        function = path.name.partition(".log")[0]
        text = path.read_text(encoding="utf-8", errors="replace")
        starts = [match.start() for match in re.finditer(f"^{STAMP.pattern}", text, re.MULTILINE)]
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            at, line = text[start : start + 23], text[start + 24 : end].strip()
            yield Entry(at, function, _document(line), line)


def _document(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
