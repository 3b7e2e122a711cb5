"""Log files are read once, whatever happens to them and to the reader."""

import threading
import time
from collections.abc import Callable, Iterator
from io import BufferedReader, BytesIO
from pathlib import Path

import pytest

from local.following import MAX_LINE_BYTES, Follower, Position, lines_of


def read(path: Path, position: Position | None = None) -> tuple[list[bytes], Position | None]:
    """What is there now."""
    follower = Follower(path, position)
    follower.stop()
    lines: list[bytes] = []
    for batch, reached in follower.batches():
        lines += [line.strip() for line in batch]
        position = reached
    return lines, position


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "worker.log"
    path.write_bytes(b"one\ntwo\n")
    return path


def test_another_reader_goes_on_where_the_first_stopped(log: Path) -> None:
    _, position = read(log)
    with log.open("ab") as file:
        file.write(b"three\n")

    assert read(log, position)[0] == [b"three"]


def test_a_line_that_is_still_being_written_is_read_when_it_is_whole(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b"thr")
    lines, position = read(log)
    assert lines == [b"one", b"two"]
    with log.open("ab") as file:
        file.write(b"ee\n")

    assert read(log, position)[0] == [b"three"]


def test_the_last_line_of_a_file_that_grows_no_more_needs_no_end(log: Path) -> None:
    with log.open("ab") as file:
        file.write(b"three")

    (batch, position) = next(Follower(log, grows=False).batches())

    assert batch == [b"one\n", b"two\n", b"three"]
    assert list(Follower(log, position, grows=False).batches()) == []


def test_the_last_line_of_a_file_that_was_moved_aside_needs_no_end(log: Path) -> None:
    _, position = read(log)
    with log.open("ab") as file:
        file.write(b"three")
    log.rename(log.with_name("worker.log.1"))
    log.write_bytes(b"four\n")

    assert read(log, position)[0] == [b"three", b"four"]


def test_the_rest_of_a_file_that_was_moved_aside_is_read_first(log: Path) -> None:
    _, position = read(log)
    with log.open("ab") as file:
        file.write(b"three\n")
    log.rename(log.with_name("worker.log.1"))
    log.write_bytes(b"four\n")

    lines, position = read(log, position)

    assert lines == [b"three", b"four"]
    assert read(log, position)[0] == []


def test_a_file_that_begins_anew_is_read_from_its_beginning(log: Path) -> None:
    _, position = read(log)
    log.write_bytes(b"1\n")
    assert read(log, position)[0] == [b"1"]

    log.write_bytes(b"longer than before\n")
    assert read(log, position)[0] == [b"longer than before"]


@pytest.mark.parametrize("length", [MAX_LINE_BYTES - 1, MAX_LINE_BYTES + 1, 3 * MAX_LINE_BYTES])
def test_a_line_beyond_the_limit_is_cut_and_the_next_is_whole(tmp_path: Path, length: int) -> None:
    path = tmp_path / "long.log"
    path.write_bytes(b"x" * length + b"\nnext\n")
    with path.open("rb") as file:
        piped = [line for batch in lines_of(file) for line in batch if line]

    for first, second in (read(path)[0], piped):
        assert (len(first) > MAX_LINE_BYTES) == (length > MAX_LINE_BYTES)
        assert len(first) <= MAX_LINE_BYTES + 2 + (1 << 18)
        assert second == b"next"


def test_a_pipe_s_last_line_needs_no_end() -> None:
    assert [line for batch in lines_of(BufferedReader(BytesIO(b"a\nb"))) for line in batch] == [b"a", b"b"]


def test_lines_are_read_as_they_are_written_and_files_as_they_are_exchanged(log: Path) -> None:
    follower = Follower(log)
    seen: list[bytes] = []

    def follow() -> None:
        for batch, _ in follower.batches():
            seen.extend(line.strip() for line in batch)

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        for number in range(30):
            with log.open("ab") as file:
                file.write(b"%d\n" % number)
            if number % 10 == 9:
                _wait(lambda now=number: b"%d" % now in seen)
                log.rename(log.with_name(f"worker.log.{number}"))
        _wait(lambda: b"29" in seen)
    finally:
        follower.stop()
        thread.join(timeout=10)

    assert seen == [b"one", b"two", *(b"%d" % number for number in range(30))]


def test_a_file_may_come_later(tmp_path: Path) -> None:
    path = tmp_path / "later.log"
    assert read(path)[0] == []
    path.write_bytes(b"here\n")
    assert read(path)[0] == [b"here"]


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _no_open_files() -> Iterator[None]:
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) == before
