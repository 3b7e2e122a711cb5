"""What a process writes, read by whoever asks first."""

import os
import threading
from collections.abc import Iterator
from typing import IO

import pytest

from local.output import MAX_LINE_BYTES, Output

Pipe = tuple[Output, IO[bytes], list[str]]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reading, writing = os.pipe()
    lines: list[str] = []
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as sink:
        yield Output(source, lines.append), sink, lines


def test_what_was_written_is_handed_on_at_once(pipe: Pipe) -> None:
    output, sink, lines = pipe
    sink.write(b"one\ntwo\n\nhal")

    assert output.drain()
    assert lines == ["one", "two"]

    sink.write(b"f\r\n")
    assert output.drain()
    assert output.drain()
    assert lines == ["one", "two", "half"]


def test_the_end_comes_after_all_that_was_written(pipe: Pipe) -> None:
    output, sink, lines = pipe
    reader = threading.Thread(target=output.follow)
    reader.start()
    for number in range(5000):
        sink.write(b"%d\n" % number)
        if number % 7 == 0:
            output.drain()
    sink.write(b"no end")
    sink.close()
    reader.join()

    assert lines == [*(str(number) for number in range(5000)), "no end"]
    assert not output.drain()


def test_a_line_without_end_is_cut(pipe: Pipe) -> None:
    output, sink, lines = pipe
    reader = threading.Thread(target=output.follow)
    reader.start()
    sink.write(b"x" * (MAX_LINE_BYTES + 10) + b"\nnext\n")
    sink.close()
    reader.join()

    assert [len(line) for line in lines] == [MAX_LINE_BYTES, 10, 4]
