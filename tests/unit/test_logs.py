"""What a line is about is on the line, and on no other."""

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from local.job_log import lines_about
from terrafusion.logs import about, configure

CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=128, invoked_function_arn="arn", aws_request_id="invocation-1"
)


def documents(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_library_modules_lines_carry_the_keys_within_the_block_alone(capsys: pytest.CaptureFixture[str]) -> None:
    configure("blocks")
    log = logging.getLogger("terrafusion.jobs.work")

    with about({"request_id": "r"}):
        with about({"job_id": "j", "county_id": "c"}):
            log.info("inner")
        log.info("outer")
    log.info("after")

    inner, outer, after = documents(capsys)
    assert (inner["job_id"], inner["county_id"], inner["request_id"]) == ("j", "c", "r")
    assert "job_id" not in outer
    assert outer["request_id"] == "r"
    assert "request_id" not in after


def test_keys_do_not_reach_the_next_invocation(capsys: pytest.CaptureFixture[str]) -> None:
    logger = configure("invocations")

    @logger.inject_lambda_context(clear_state=True)
    def handler(event: dict[str, str], _context: Any) -> None:
        if "job_id" in event:
            logger.append_keys(job_id=event["job_id"])
        logging.getLogger("terrafusion").info("line")

    handler({"job_id": "first"}, CONTEXT)
    handler({}, CONTEXT)

    first, second = documents(capsys)
    assert first["job_id"] == "first"
    assert "job_id" not in second
    assert second["function_request_id"] == "invocation-1"


def test_a_block_without_configured_logs_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terrafusion.logs._configured", [])
    with about({"job_id": "j"}):
        logging.getLogger("terrafusion").info("line")


def test_a_job_s_lines_are_those_of_its_requests_and_invocations_in_order(tmp_path: Any) -> None:
    def write(name: str, *lines: tuple[str, object]) -> None:
        text = "".join(f"2026-11-25 10:00:{at} {json.dumps(x) if isinstance(x, dict) else x}\n" for at, x in lines)
        (tmp_path / name).write_text(text)

    own = {"job_id": "job-1", "request_id": "req-1", "level": "INFO"}
    write("access.log", ("01,000", "POST /run 202 12.0 req-1"), ("01,500", "GET /x 200 1.0 other"))
    write("Api.log", ("00,500", {**own, "message": "accepted"}), ("00,600", {"message": "x", "job_id": "job-2"}))
    write(
        "Worker.log.1",
        ("02,000", {**own, "message": "taken", "function_request_id": "inv-1"}),
        ("03,000", "RequestId: inv-1 Error: Runtime exited with error: signal: killed"),
        ("03,500", "a plain line"),
    )
    write(
        "Worker.log",
        ("04,000", {**own, "message": "completed", "seconds": {"work": 1.5}, "exception": "T\nValueError: 1"}),
    )

    found = lines_about(tmp_path, "job-1")

    assert [(entry.function, entry.level, entry.message) for entry in found] == [
        ("Api", "INFO", "accepted"),
        ("access", "", "POST /run 202 12.0 req-1"),
        ("Worker", "INFO", "taken"),
        ("Worker", "ERROR", "RequestId: inv-1 Error: Runtime exited with error: signal: killed"),
        ("Worker", "INFO", "completed  (work 1.5 s): ValueError: 1"),
    ]
