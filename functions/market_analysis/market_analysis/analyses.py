"""Which analysis answers which request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar

import duckdb

from market_analysis.analysis import Analysis
from market_analysis.analysis_types import AnalysisType, GroupBy
from market_analysis.comparable_areas import comparable_market_area
from market_analysis.hedonic import hedonic_index
from market_analysis.hotspots import hotspots
from market_analysis.joining import NUMBERS, PLACES
from market_analysis.market import Market, Scope
from market_analysis.market_valuation import market_valuation
from market_analysis.models import AnalysisParameters, SubjectProperty
from market_analysis.neighborhoods import neighborhood_summary
from market_analysis.outlines import Outlines
from market_analysis.plan import AnalysisPlan
from market_analysis.repeat_sales import repeat_sales_index
from market_analysis.subjects import Subject, find
from market_analysis.time_adjustment import time_adjustment
from market_analysis.trends import price_per_sqft, price_trend
from market_analysis.velocity import sales_velocity

T = TypeVar("T")
LEAST_OF_CLASS = 100
"""A property is valued from the sales of its class, if there are so many."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request with what answers it: the county's tables, what to look at, neighborhoods' polygons if it has any."""

    database: duckdb.DuckDBPyConnection
    parameters: AnalysisParameters
    scope: Scope
    outlines: Outlines | None

    @property
    def min_sales(self) -> int:
        """Sales that a period or an area needs not to be thin."""
        return of(self.parameters.min_sales)

    def market(self) -> Market:
        """The sales to look at."""
        return Market.open(self.database, self.scope)


def of(value: T | None) -> T:
    """A parameter that the plan has filled in."""
    if value is None:
        raise ValueError("a plan fills in every parameter of its analysis")
    return value


def analyze(
    database: duckdb.DuckDBPyConnection, plan: AnalysisPlan, outlines: Outlines | None, published: date
) -> tuple[Market, Analysis]:
    """Answer a plan from a county's tables, opened by `terrafusion.tables` and published on a day.

    Raises
    ------
    JobFailure
        When the county's data cannot answer; the message says what would do.
    """
    asked = plan.parameters
    places = {place: value for place in PLACES if (value := getattr(asked, place)) is not None}
    scope = Scope(published, asked.date_from, asked.date_to, plan.years, places)
    return _ANALYSES[plan.analysis_type](Question(database, asked, scope, outlines))


def _price_trend(question: Question) -> tuple[Market, Analysis]:
    market, asked = question.market(), question.parameters
    return market, price_trend(market, of(asked.period), of(asked.group_by), question.min_sales)


def _price_per_sqft(question: Question) -> tuple[Market, Analysis]:
    market, asked = question.market(), question.parameters
    basis = of(asked.area_basis)
    return market, price_per_sqft(market, of(asked.period), of(asked.group_by), question.min_sales, basis)


def _velocity(question: Question) -> tuple[Market, Analysis]:
    market, asked = question.market(), question.parameters
    return market, sales_velocity(market, question.scope, of(asked.period), of(asked.group_by), question.min_sales)


def _hedonic(question: Question) -> tuple[Market, Analysis]:
    market = question.market()
    return market, hedonic_index(market, of(question.parameters.period), question.min_sales)


def _repeat_sales(question: Question) -> tuple[Market, Analysis]:
    market, asked = question.market(), question.parameters
    holding, change = of(asked.min_holding_days), of(asked.max_annual_change_percent)
    return market, repeat_sales_index(market, of(asked.period), question.min_sales, holding, change)


def _time_adjustment(question: Question) -> tuple[Market, Analysis]:
    market, asked = question.market(), question.parameters
    holding, change = of(asked.min_holding_days), of(asked.max_annual_change_percent)
    return market, time_adjustment(
        market, of(asked.group_by), question.min_sales, asked.valuation_date, holding, change
    )


def _summary(question: Question) -> tuple[Market, Analysis]:
    market, area_by = question.market(), of(question.parameters.group_by)
    outlines = question.outlines if area_by is GroupBy.NEIGHBORHOOD else None
    return market, neighborhood_summary(market, question.scope, area_by, question.min_sales, outlines)


def _comparable_areas(question: Question) -> tuple[Market, Analysis]:
    asked = question.parameters
    area_by = GroupBy.NEIGHBORHOOD if asked.neighborhood is not None else GroupBy.ZIP_CODE
    area = of(question.scope.places[area_by])
    scope = replace(question.scope, places={k: v for k, v in question.scope.places.items() if k is not area_by})
    market = replace(question, scope=scope).market()
    outlines = question.outlines if area_by is GroupBy.NEIGHBORHOOD else None
    return market, comparable_market_area(
        market, scope, area_by, area, asked.radius_miles, of(asked.count), question.min_sales, outlines
    )


def _valuation(question: Question) -> tuple[Market, Analysis]:
    asked = question.parameters
    if asked.property_id is not None:
        subject = find(question.database, asked.property_id)
    else:
        subject = _described(of(asked.subject))
    market = _market_of(question, subject)
    return market, market_valuation(
        market,
        subject,
        asked.valuation_date,
        of(asked.radius_miles),
        of(asked.count),
        of(asked.level),
        question.min_sales,
    )


def _hotspots(question: Question) -> tuple[Market, Analysis]:
    market, asked = question.market(), question.parameters
    return market, hotspots(
        market,
        of(asked.measure),
        of(asked.unit),
        of(asked.neighbors),
        of(asked.permutations),
        of(asked.seed),
        of(asked.significance),
        question.min_sales,
    )


def _described(subject: SubjectProperty) -> Subject:
    return Subject(
        None,
        {name: getattr(subject, name) for name in NUMBERS},
        {place: getattr(subject, place) for place in PLACES},
    )


def _market_of(question: Question, subject: Subject) -> Market:
    """The sales of the subject's class, unless the request names one or there are too few."""
    own = subject.places[GroupBy.PROPERTY_CLASS]
    if own is None or GroupBy.PROPERTY_CLASS in question.scope.places:
        return question.market()
    market = question.market()
    [(sales,)] = question.database.execute(
        "SELECT count(*) FROM market WHERE property_class = $own", {"own": own}
    ).fetchall()
    if sales < LEAST_OF_CLASS:
        market.notes.append(f"There are {sales} sales of class {own}; sales of every class are used.")
        return market
    places = {**question.scope.places, GroupBy.PROPERTY_CLASS: own}
    return Market.open(question.database, replace(question.scope, places=places))


_ANALYSES: Mapping[AnalysisType, Callable[[Question], tuple[Market, Analysis]]] = {
    AnalysisType.PRICE_TREND_BY_ZIP: _price_trend,
    AnalysisType.PRICE_PER_SQFT: _price_per_sqft,
    AnalysisType.SALES_VELOCITY: _velocity,
    AnalysisType.COMPARABLE_MARKET_AREA: _comparable_areas,
    AnalysisType.MARKET_VALUATION: _valuation,
    AnalysisType.HEDONIC_INDEX: _hedonic,
    AnalysisType.REPEAT_SALES_INDEX: _repeat_sales,
    AnalysisType.TIME_ADJUSTMENT: _time_adjustment,
    AnalysisType.NEIGHBORHOOD_SUMMARY: _summary,
    AnalysisType.HOTSPOTS: _hotspots,
}
