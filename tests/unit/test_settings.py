"""Settings are read once, from their own names, and a missing one is named."""

import pytest

from terrafusion.settings import PlatformSettings

COMPLETE = {
    "STAGE": "dev",
    "JOBS_TABLE": "t",
    "AUDIT_TABLE": "a",
    "DATA_BUCKET": "d",
    "RESULTS_BUCKET": "r",
    "UNRELATED": "x",
}


def test_members_are_read_from_upper_case_names_and_empty_ones_count_as_missing() -> None:
    settings = PlatformSettings.read({**COMPLETE, "LINK_SECONDS": "60", "AWS_ENDPOINT_URL": ""})

    assert (settings.jobs_table, settings.link_seconds, settings.aws_endpoint_url) == ("t", 60, None)


@pytest.mark.parametrize("name", ["STAGE", "JOBS_TABLE", "AUDIT_TABLE", "DATA_BUCKET", "RESULTS_BUCKET"])
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(RuntimeError, match=name):
        PlatformSettings.read({k: v for k, v in COMPLETE.items() if k != name})


def test_a_malformed_variable_is_named() -> None:
    with pytest.raises(RuntimeError, match="LINK_SECONDS"):
        PlatformSettings.read({**COMPLETE, "LINK_SECONDS": "soon"})
