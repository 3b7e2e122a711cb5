"""The committed description is the one that the code gives."""

from local.openapi import TARGET, text


def test_the_description_is_not_stale() -> None:
    assert TARGET.read_text(encoding="utf-8") == text(), "a route has changed: run `make openapi`"
