"""Settings: one frozen model per entry point, read once from the environment when the function starts."""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from terrafusion.metrics import NAMESPACE


class Settings(BaseModel):
    """Base of all settings; a member `jobs_table` is read from `JOBS_TABLE`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read the members from their upper-case names; empty values count as not set.

        Raises
        ------
        RuntimeError
            Naming every variable that is missing or malformed, so that a deployment fails at its first request.
        """
        values = {
            name: environment[name.upper()] for name in cls.model_fields if environment.get(name.upper(), "") != ""
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors() if e["loc"])
            raise RuntimeError(f"The function's environment is not usable: {problems}") from error


class PlatformSettings(Settings):
    """What every function that touches jobs needs; the last three are of those that hand jobs over."""

    stage: str
    jobs_table: str
    audit_table: str
    data_bucket: str
    results_bucket: str
    aws_region: str = "us-west-2"
    aws_endpoint_url: str | None = None
    link_seconds: int = 900
    result_days: int = 7
    audit_days: int = 2555
    county_dimension: bool = False
    metrics_namespace: str = NAMESPACE
    workflow_arn: str = ""
    queue_url: str = ""
    redelivery_seconds: int = 0


class MetricSettings(Settings):
    """What every function that answers HTTP needs to count requests."""

    metrics_namespace: str = NAMESPACE
