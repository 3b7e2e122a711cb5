"""What `terrafusion report` makes of the parameters that are typed."""

from typing import Any

import pytest

from cli.failures import UsageFailure
from cli.reports import value_of
from cli.settings import read_settings
from reporting.models import ReportParameters


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("zip_code=15399", ["15399"]),
        ("zip_code=01234", ["01234"]),
        ("zip_code=[15399, 15400]", ["15399", "15400"]),
        ('zip_code=["01234"]', ["01234"]),
        ("zip_code=15399-1234", ["15399-1234"]),
        ("neighborhood = 1.10", ["1.10"]),
        ("property_class=NaN", ["NaN"]),
        ("property_class=null", None),
        ("property_id=0012", "0012"),
        ("property_id=12", "12"),
        ("property_ids=12", ["12"]),
        ("stratify=year", ["year"]),
        ('stratify=["year", "age"]', ["year", "age"]),
        ("confidence=0.9", 0.9),
        ("trim_outliers=true", True),
    ],
)
def test_a_setting_is_what_the_parameter_takes(setting: str, value: Any) -> None:
    read = read_settings([setting], value_of)
    assert list(read.values()) == [value]
    ReportParameters.model_validate(read)


@pytest.mark.parametrize("setting", ["zip_code", "zip_code=", "=15399"])
def test_a_setting_without_a_name_or_a_value_is_refused(setting: str) -> None:
    with pytest.raises(UsageFailure, match="NAME=VALUE"):
        read_settings([setting], value_of)
