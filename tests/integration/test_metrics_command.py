"""`terrafusion metrics` by itself: what it reads is served, once, whatever kills it."""

import io
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from terrafusion.metrics import CATALOGUE, HTTP_REQUESTS, EmfSink
from tests.e2e.support import COMMAND, terrafusion

LINES = 3000
URL = re.compile(r"http://127\.0\.0\.1:\d+/metrics")


def line(number: int) -> str:
    stream = io.StringIO()
    labels = {"method": "GET", "endpoint": f"/{number % 7}", "http_status": "200"}
    EmfSink("test", stream=stream).record(HTTP_REQUESTS, 1, labels)
    return f"2026-11-25T23:00:00.000Z  {stream.getvalue()}"


def total(text: str) -> float:
    lines = [found for found in text.splitlines() if found.startswith(HTTP_REQUESTS.name)]
    return sum(float(found.rsplit(" ", 1)[1]) for found in lines)


@contextmanager
def serving(*arguments: str, **options: object) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    command = [*COMMAND, "metrics", "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]
    try:
        assert process.stderr is not None
        found = URL.search(process.stderr.readline())
        assert found is not None
        yield found[0], process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def wait_for(url: str, count: float) -> None:
    end = time.monotonic() + 60
    while total(text := httpx.get(url, timeout=30).text) < count:
        assert time.monotonic() < end, text
        time.sleep(0.02)


def test_each_line_of_a_growing_file_counts_once_whenever_the_reader_is_killed(tmp_path: Path) -> None:
    log, state = tmp_path / "sam.log", tmp_path / "metrics.sqlite"
    written = 0
    for part in range(4):
        with serving(str(log), "--follow", "--state", str(state)) as (url, process):
            with log.open("a") as file:
                for _ in range(LINES // 4):
                    file.write(line(written))
                    written += 1
            wait_for(url, 1 + part * LINES // 4)
            process.send_signal(signal.SIGKILL)
        if part == 1:
            log.rename(tmp_path / "sam.log.1")

    with serving(str(log), "--follow", "--state", str(state)) as (url, _):
        wait_for(url, written)
        time.sleep(0.5)
        assert total(httpx.get(url).text) == written


def test_lines_of_a_pipe_are_served_as_they_come_and_after_its_end() -> None:
    with serving(stdin=subprocess.PIPE) as (url, process):
        assert process.stdin is not None
        process.stdin.write(line(1) + "START\n" + line(2))
        process.stdin.flush()
        wait_for(url, 2)
        process.stdin.write(line(3))
        process.stdin.close()
        wait_for(url, 3)
        assert httpx.get(url.replace("/metrics", "/")).status_code == 404

        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_a_file_is_converted_with_every_known_metric_described(tmp_path: Path) -> None:
    log = tmp_path / "lines"
    log.write_text("".join(line(number) for number in range(10)) + '{"_aws" broken')

    text = terrafusion("metrics", "convert", str(log)).stdout

    assert total(text) == 10
    assert 'terrafusion_emf_rejected_lines_total{reason="not_json"} 1.0' in text
    for name, spec in CATALOGUE.items():
        assert f"# HELP {name} {spec.help}\n# TYPE {name} {spec.kind}\n" in text


def test_a_last_line_without_its_end_is_served_as_it_is_converted(tmp_path: Path) -> None:
    log, state = tmp_path / "lines", tmp_path / "metrics.sqlite"
    log.write_text(line(1) + line(2).rstrip("\n"))

    converted = terrafusion("metrics", "convert", str(log)).stdout
    for _ in range(2):
        with serving(str(log), "--state", str(state)) as (url, _process):
            wait_for(url, 2)
            assert sorted(httpx.get(url).text.splitlines()) == sorted(converted.splitlines())

    with log.open("a") as file:
        file.write("\n" + line(3))
    with serving(str(log), "--state", str(state)) as (url, _process):
        wait_for(url, 3)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("convert", "missing"), "no file missing"),
        (("serve", "missing"), "no file missing"),
        (("serve", "--follow"), "--follow takes a file"),
        (("convert", "."), "is a directory"),
        (("serve", "."), "is a directory"),
        (("serve", ".", "--follow"), "is a directory"),
        (("serve", "text", "--port", "99999"), "65535"),
        (("serve", "text", "--state", "nowhere/metrics.sqlite"), "nowhere/metrics.sqlite is no database of metrics"),
        (("serve", "text", "--state", "text"), "text is no database of metrics"),
        (("serve", "text", "--state", "."), "is no database of metrics"),
    ],
)
def test_what_cannot_be_meant_is_said(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    (tmp_path / "text").write_text("no line of metrics, and no database\n")

    done = terrafusion("metrics", *arguments, check=False, cwd=tmp_path)

    assert done.returncode == 2
    assert told.casefold() in " ".join(done.stderr.casefold().split())
    assert "Traceback" not in done.stderr


def test_an_address_that_is_not_this_machine_s_is_said(tmp_path: Path) -> None:
    (tmp_path / "text").touch()

    done = terrafusion("metrics", "serve", str(tmp_path / "text"), "--host", "192.0.2.1", check=False)

    assert done.returncode == 1
    assert "Nothing can listen on port 9465 of 192.0.2.1" in done.stderr
