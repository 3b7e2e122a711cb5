"""From a request to a plan: everything that can be refused without reading sales is refused here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from market_analysis.analysis_types import AnalysisType, AreaBasis, GroupBy, Measure, Period, Unit
from market_analysis.models import AnalysisParameters, AnalysisRequest
from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.errors import FieldError, Impossible
from terrafusion.jobs.model import Job

SALES, PROPERTIES = "sales", "properties"
LOCATED = ("lon", "lat")
EVERY: Mapping[str, Any] = {
    "zip_code": None,
    "neighborhood": None,
    "property_class": None,
    "date_from": None,
    "date_to": None,
    "min_sales": 5,
}
"""Parameters that every analysis takes, with their defaults."""

A = AnalysisType
OWN: Mapping[AnalysisType, Mapping[str, Any]] = {
    A.PRICE_TREND_BY_ZIP: {"period": Period.MONTH, "group_by": GroupBy.ZIP_CODE},
    A.PRICE_PER_SQFT: {"period": Period.QUARTER, "group_by": None, "area_basis": AreaBasis.LIVING},
    A.SALES_VELOCITY: {"period": Period.MONTH, "group_by": None},
    A.COMPARABLE_MARKET_AREA: {"radius_miles": None, "count": 5},
    A.MARKET_VALUATION: {
        "property_id": None,
        "subject": None,
        "valuation_date": None,
        "radius_miles": 1.0,
        "count": 10,
        "level": 0.8,
    },
    A.HEDONIC_INDEX: {"period": Period.QUARTER},
    A.REPEAT_SALES_INDEX: {"period": Period.QUARTER, "min_holding_days": 180, "max_annual_change_percent": 100.0},
    A.TIME_ADJUSTMENT: {
        "group_by": None,
        "valuation_date": None,
        "min_holding_days": 180,
        "max_annual_change_percent": 100.0,
        "min_sales": 30,
    },
    A.NEIGHBORHOOD_SUMMARY: {"group_by": None},
    A.HOTSPOTS: {
        "measure": Measure.RATIO,
        "unit": Unit.SALE,
        "neighbors": 8,
        "permutations": 99_999,
        "seed": 2927,
        "significance": 0.05,
    },
}
"""Parameters of each analysis besides, with their defaults; those without one here are chosen by the county's data."""

GROUPS: Mapping[AnalysisType, tuple[GroupBy, ...]] = {
    A.PRICE_TREND_BY_ZIP: (GroupBy.ZIP_CODE,),
    A.PRICE_PER_SQFT: (GroupBy.PROPERTY_CLASS, GroupBy.NEIGHBORHOOD, GroupBy.ZIP_CODE, GroupBy.COUNTY),
    A.SALES_VELOCITY: (GroupBy.NEIGHBORHOOD, GroupBy.ZIP_CODE, GroupBy.PROPERTY_CLASS, GroupBy.COUNTY),
    A.TIME_ADJUSTMENT: (GroupBy.NEIGHBORHOOD, GroupBy.ZIP_CODE, GroupBy.PROPERTY_CLASS, GroupBy.COUNTY),
    A.NEIGHBORHOOD_SUMMARY: (GroupBy.NEIGHBORHOOD, GroupBy.ZIP_CODE),
}
"""What an analysis is grouped by when a request does not say: the first that the county keeps."""
WHOLE_TIME = frozenset({A.REPEAT_SALES_INDEX})
"""Analyses that look at all years when a request does not say."""


@dataclass(frozen=True, slots=True)
class AnalysisPlan:
    """An analysis as accepted: parameters with defaults filled in; `years` bounds the time when no date does."""

    analysis_type: AnalysisType
    parameters: AnalysisParameters
    years: int | None

    @property
    def document(self) -> dict[str, Any]:
        """The request as a job records it."""
        used = set(EVERY) | set(OWN[self.analysis_type])
        parameters = self.parameters.model_dump(mode="json", include=used)
        return {"analysis_type": self.analysis_type.value, "parameters": parameters}

    @property
    def decided(self) -> dict[str, Any]:
        """What the county's settings added."""
        return {"years": self.years}

    @classmethod
    def of(cls, job: Job) -> "AnalysisPlan":
        """Read a plan back from a job."""
        return cls(
            AnalysisType(job.parameters["analysis_type"]),
            AnalysisParameters.model_validate(job.parameters["parameters"]),
            job.decided["years"],
        )


def plan(request: AnalysisRequest, snapshot: CountySnapshot, configuration: CountyConfiguration) -> AnalysisPlan:
    """Check a request against what the county keeps.

    Raises
    ------
    Impossible
        Naming the field, what is wrong with it, and what would do.
    """
    kind, asked = request.analysis_type, request.parameters
    kept = _kept(snapshot)
    given = asked.model_dump(exclude_none=True)
    _check_taken(kind, given)
    _check_dates(asked)
    _check_places(kind, asked, kept, snapshot)
    defaults = {**EVERY, **OWN[kind]}
    if kind in GROUPS:
        defaults["group_by"] = _group_by(kind, asked.group_by, kept, snapshot)
    _check_needs(kind, AnalysisParameters.model_validate({**defaults, **given}), kept, snapshot)
    years = None if kind in WHOLE_TIME else configuration.market_analysis.default_trend_period_years
    return AnalysisPlan(kind, AnalysisParameters.model_validate({**defaults, **given}), years)


def _kept(snapshot: CountySnapshot) -> dict[str, set[str]]:
    """Columns of the tables that hold a value somewhere."""
    kept: dict[str, set[str]] = {}
    for name in (SALES, PROPERTIES):
        layer = snapshot.layers.get(name)
        if layer is not None:
            kept[name] = {field.name for field in layer.fields if field.nulls < layer.count or not layer.count}
    return kept


def _check_taken(kind: AnalysisType, given: Mapping[str, Any]) -> None:
    taken = [*EVERY, *(name for name in OWN[kind] if name not in EVERY)]
    wrong = [name for name in given if name not in taken]
    if wrong:
        message = f"{kind} takes no {' or '.join(wrong)}; it takes {', '.join(taken)}."
        raise Impossible(message, [FieldError(f"parameters.{name}", f"not used by {kind}") for name in wrong])


def _check_dates(asked: AnalysisParameters) -> None:
    if asked.date_from and asked.date_to and asked.date_from > asked.date_to:
        raise _refuse("date_from", f"date_from {asked.date_from} lies after date_to {asked.date_to}.")


def _check_places(
    kind: AnalysisType, asked: AnalysisParameters, kept: Mapping[str, set[str]], snapshot: CountySnapshot
) -> None:
    if SALES not in kept:
        raise _refuse(
            "county_id",
            f"County '{snapshot.county_id}' has no table of sales; load one with "
            f"`terrafusion load {snapshot.county_id} sales …`.",
            whole=True,
        )
    for place in ("zip_code", "neighborhood", "property_class"):
        if getattr(asked, place) is not None and not _has(place, kept):
            raise _refuse(place, f"County '{snapshot.county_id}' keeps no {place}; leave it out.")
    if kind is A.COMPARABLE_MARKET_AREA and (asked.neighborhood is None) == (asked.zip_code is None):
        raise _refuse("neighborhood", "Name the area to compare: a neighborhood or a zip_code, one of both.")
    if kind is A.MARKET_VALUATION and (asked.property_id is None) == (asked.subject is None):
        raise _refuse(
            "property_id", "Name the property to value by property_id, or describe it in subject, one of both."
        )


def _group_by(
    kind: AnalysisType, asked: GroupBy | None, kept: Mapping[str, set[str]], snapshot: CountySnapshot
) -> GroupBy:
    possible = [place for place in GROUPS[kind] if place is GroupBy.COUNTY or _has(place, kept)]
    wanted = asked or (possible[0] if possible else GROUPS[kind][0])
    if wanted is not GroupBy.COUNTY and not _has(wanted, kept):
        also = [str(place) for place in GroupBy if place is GroupBy.COUNTY or _has(place, kept)]
        raise _refuse(
            "group_by", f"County '{snapshot.county_id}' keeps no {wanted}; group_by may be {' or '.join(also)}."
        )
    if kind is A.NEIGHBORHOOD_SUMMARY and wanted not in GROUPS[kind]:
        raise _refuse("group_by", f"{kind} is by {' or '.join(GROUPS[kind])}, not by {wanted}.")
    return wanted


def _check_needs(
    kind: AnalysisType, parameters: AnalysisParameters, kept: Mapping[str, set[str]], snapshot: CountySnapshot
) -> None:
    """Columns without which an analysis can say nothing."""
    county = f"County '{snapshot.county_id}'"
    located = all(_has(column, kept) for column in LOCATED)
    if kind in {A.HOTSPOTS, A.COMPARABLE_MARKET_AREA} and not located:
        raise _refuse("analysis_type", f"{county} keeps no lon and lat of properties or sales.", whole=True)
    if kind is A.PRICE_PER_SQFT and parameters.area_basis and not _has(parameters.area_basis, kept):
        raise _refuse("area_basis", f"{county} keeps no {parameters.area_basis}.")
    if kind is A.MARKET_VALUATION and parameters.property_id and PROPERTIES not in kept:
        raise _refuse("property_id", f"{county} has no table of properties; describe the property in subject.")
    if kind is not A.HOTSPOTS:
        return
    if parameters.measure is Measure.RATIO and not (
        "assessed_value" in kept[SALES] or "current_assessed_value_total" in kept.get(PROPERTIES, ())
    ):
        raise _refuse("measure", f"{county} keeps no assessed values; ask for measure residual.")
    if parameters.unit is Unit.NEIGHBORHOOD and not _has("neighborhood", kept):
        raise _refuse("unit", f"{county} keeps no neighborhood; ask for unit sale.")


def _has(column: str, kept: Mapping[str, set[str]]) -> bool:
    return any(column in columns for columns in kept.values())


def _refuse(field: str, message: str, *, whole: bool = False) -> Impossible:
    return Impossible(message, [FieldError(field if whole else f"parameters.{field}", message)])
