"""How many metrics CloudWatch bills: one for each combination of values of each set of dimensions, by the catalogue.

All are reckoned as if they came in every hour, as requests and sweeps do. CloudWatch bills a metric by the hours in
which it comes, so faults, and formats that few ask for, cost less.
"""

from collections.abc import Iterable, Mapping
from math import prod

from terrafusion.metrics import (
    AUTHORIZATIONS,
    FAULTS,
    HTTP_DURATION,
    HTTP_REQUESTS,
    LONGEST_SILENCE,
    SILENT_JOBS,
    SWEEPS,
    SWEPT,
    MetricSpec,
    dimension_sets,
)

OF_SERVICE = (HTTP_REQUESTS, HTTP_DURATION, FAULTS)
"""Of each service that answers HTTP."""
OF_SWEEP = (SWEEPS, SILENT_JOBS, LONGEST_SILENCE, SWEPT)
"""Of each plugin, besides those of its jobs."""
OF_AUTHORIZER = (AUTHORIZATIONS,)
VALUES: Mapping[str, int] = {"finding": 3, "outcome": 2}
"""How many values a dimension of the platform's own has."""


def of_one_service(specs: Iterable[MetricSpec], values: Mapping[str, int] = VALUES, *, by_county: bool = False) -> int:
    """Metrics that a service writes, and no other.

    Parameters
    ----------
    values
        How many values each dimension has; KeyError names one that is not there.
    """
    return sum(
        prod(values[name] for name in names if name != "service")
        for spec in specs
        for names in dimension_sets(spec, county_dimension=by_county)
        if "service" in names
    )


def of_all_services(specs: Iterable[MetricSpec]) -> int:
    """Metrics that all services write together, each of which is there once."""
    return sum("service" not in names for spec in specs for names in dimension_sets(spec))
