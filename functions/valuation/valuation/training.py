"""From a county's sales to a model, without looking ahead.

Sales are cut by time into an early part, a slice, and a last slice:

1. a model of the early part is calibrated on the slice, which also tells how many trees serve best;
2. a model of both is tested on the last slice, with the intervals of step 1: the figures of the model card;
3. the errors of both slices calibrate the model of all sales, which is kept.

So each model meets the sales that follow it, as it will meet those of tomorrow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np

from terrafusion.counties.configuration import CostTables
from terrafusion.errors import FailureReason, JobFailure
from valuation import boosting, cost, features, hedonic, market_time
from valuation.boosting import Boosted
from valuation.calibration import Calibration
from valuation.evidence import Evidence
from valuation.land import Sold
from valuation.market import Market, Values, year_of
from valuation.model import Model
from valuation.places import Places
from valuation.records import Flags, Floats, Ints, Records, Texts
from valuation.screening import FAR, KEPT, Reason, Sales, beyond_fences, join, screen, suspects
from valuation.settings import ModelSettings

MIN_ON_ROLL = 30
Tell = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class HoldOut:
    """The last slice: sales that the tested model did not know, and what it said of them."""

    sales: Sales
    areas: Texts
    values: Values
    model: Model


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, its trees, what it was tested on, and the reason of each row of the table of sales."""

    model: Model
    boosted: Boosted
    hold_out: HoldOut
    reasons: Texts
    split: tuple[date, date, date]


@dataclass(frozen=True, slots=True)
class _Fitted:
    market: Market
    far: Flags
    suspect: Flags


@dataclass(frozen=True, slots=True)
class _Fundament:
    """What trees stand on; `unexplained` are the sales' log prices beyond the hedonic equation."""

    places: Places
    areas: Ints
    choice: features.FeatureChoice
    index: market_time.TimeIndex
    hedonic: hedonic.Hedonic
    unexplained: Floats


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What every fit shares."""

    columns: tuple[str, ...]
    published: date
    settings: ModelSettings
    cost_tables: CostTables | None


def train(
    sales: Records,
    properties: Records,
    *,
    published: date,
    known_until: date | None = None,
    settings: ModelSettings | None = None,
    cost_tables: CostTables | None = None,
    version: str = "",
    tell: Tell = lambda _fraction, _message: None,
) -> Trained:
    """Train on a county's tables.

    Parameters
    ----------
    published
        When the county's data were published.
    known_until
        Sales after this date are not known to the model; None for all.

    Raises
    ------
    JobFailure
        `insufficient_sales`, with what became of the sales there are.
    """
    recipe = _Recipe(tuple(properties), published, settings or ModelSettings(), cost_tables)
    joined, found = join(sales, properties)
    reasons = screen(sales, joined, found, published, known_until)
    evidence = joined.take(np.flatnonzero(reasons == ""))
    _require_enough(len(evidence), reasons, recipe.settings.min_sales)
    evidence = evidence.take(np.lexsort((evidence.rows, evidence.days)))
    early, late = _cuts(len(evidence), recipe.settings.calibration_share)
    parts = [evidence.take(np.arange(a, b)) for a, b in ((0, early), (early, late), (late, len(evidence)))]
    tell(0.05, "Training on the earliest sales")
    first = _fit(parts[0], recipe, test=parts[1])
    trees = first.market.boosted.trees
    once = Calibration.of(first.market, parts[1])
    tell(0.35, "Testing on the latest sales")
    second = _fit(evidence.take(np.arange(late)), recipe, trees=trees)
    tested = once.apply(second.market)
    hold_out = _tested(tested, parts[2])
    again = once.joined_by(Calibration.of(second.market, parts[2]))
    tell(0.65, "Training on all sales")
    last = _fit(evidence, recipe, trees=trees)
    reasons[evidence.rows[last.suspect]] = Reason.SUSPECT.value
    reasons[evidence.rows[last.far]] = Reason.OUTLIER.value
    model = again.apply(last.market).model.model_copy(
        update={
            "version": version,
            "known_until": known_until.isoformat() if known_until else None,
            "excluded": _excluded(reasons),
            "sales_read": len(sales),
        }
    )
    split = (parts[0].dates[0].item(), parts[1].dates[0].item(), parts[2].dates[0].item())
    return Trained(model, last.market.boosted, hold_out, reasons, split)


def open_market(model: Model, boosted: Boosted, sales: Records, properties: Records) -> Market:
    """Put a kept model back on the county's tables that it was made of."""
    joined, _ = join(sales, properties)
    kept = np.ones(len(joined), bool)
    for rows in model.excluded.values():
        kept[list(rows)] = False
    evidence = joined.take(np.flatnonzero(kept))
    evidence = evidence.take(np.lexsort((evidence.rows, evidence.days)))
    return Market(
        model,
        boosted,
        Evidence(evidence, model.features, model.places, model.time_index, model.hedonic, model.settings),
    )


def _fit(sales: Sales, recipe: _Recipe, *, trees: int | None = None, test: Sales | None = None) -> _Fitted:
    """One model of some sales, not calibrated yet; price outliers among them are left out."""
    first = _fundament(sales, recipe)
    suspect = suspects(sales, first.areas, first.places.count)
    far = suspect & beyond_fences(first.unexplained, FAR)
    sales = sales.take(np.flatnonzero(~far))
    base = _fundament(sales, recipe) if far.any() else first
    evidence = Evidence(sales, base.choice.features, base.places, base.index, base.hedonic, recipe.settings)
    known_test = None
    if test is not None:
        at_last = np.log(test.prices) + base.index.growth(test.days, np.full(len(test), base.index.last))
        known_test = (evidence.subjects(test.records).known, at_last)
    boosted = boosting.fit(
        base.choice.features,
        evidence.properties.known,
        evidence.log_price,
        recipe.settings,
        trees=trees,
        test=known_test,
    )
    model = Model(
        version="",
        settings=recipe.settings,
        known_until=None,
        features=base.choice.features,
        omitted=base.choice.omitted,
        places=base.places,
        time_index=base.index,
        hedonic=base.hedonic,
        cost=_cost_model(sales, recipe.cost_tables, base.places, np.exp(evidence.log_price)),
        bands={},
        excluded={},
        importance=boosted.importance([feature.name for feature in base.choice.features]),
        usual_gap=evidence.usual_gap,
        usual_similarity=0.0,
        roll_level=_roll_level(sales.records, np.exp(evidence.log_price)),
        sales_read=len(far),
        sales_used=len(sales),
    )
    return _Fitted(Market(model, boosted, evidence), far, suspect)


def _roll_level(records: Records, prices: Floats) -> float | None:
    """Median of price by value on the roll; None where the roll's values are not told."""
    values = records.numbers("current_assessed_value_total")
    known = values > 0
    return float(np.median(prices[known] / values[known])) if known.sum() >= MIN_ON_ROLL else None


def _fundament(sales: Sales, recipe: _Recipe) -> _Fundament:
    """Market areas, features, time and the hedonic equation of some sales."""
    places = Places.survey(sales.records)
    areas = places.areas(sales.records)
    choice = features.choose(sales.records, recipe.columns, np.log(sales.prices), recipe.published)
    if not choice.features:
        raise JobFailure(
            FailureReason.INSUFFICIENT_DATA,
            "No column of the county's properties tells them apart: there is nothing to value by. "
            "Map living_area_sqft, land_area_sqft, year_built or others when loading.",
        )
    known = features.matrix(sales.records, choice.features)
    columns = _design(choice.features, known)
    log_price = np.log(sales.prices)
    index = market_time.fit(sales.days, log_price, columns, areas, places.count, recipe.settings)
    log_price = log_price + index.growth(sales.days, np.full(len(sales), index.last))
    equation = hedonic.fit(choice.features, known, areas, places.count, log_price)
    return _Fundament(places, areas, choice, index, equation, log_price - equation.predict(known, areas))


def _cost_model(sales: Sales, tables: CostTables | None, places: Places, prices: Floats) -> cost.CostModel | None:
    sold = Sold(sales.records, prices, places.areas(sales.records), places.count)
    return cost.from_tables(tables, sold) if tables else cost.from_sales(sold, year_of(sales.days))


def _design(chosen: tuple[features.Feature, ...], known: Floats) -> Floats:
    return hedonic.design(
        known,
        hedonic.terms_of(chosen, known),
        [feature.median for feature in chosen],
        [(feature.low, feature.high) for feature in chosen],
    )


def _tested(market: Market, sales: Sales) -> HoldOut:
    values = market.value(sales.records, sales.days)
    return HoldOut(sales, _area_names(market, values), values, market.model)


def _cuts(count: int, share: float) -> tuple[int, int]:
    slice_size = max(1, round(count * share))
    return count - 2 * slice_size, count - slice_size


def _excluded(reasons: Texts) -> dict[str, tuple[int, ...]]:
    rows = {reason: tuple(np.flatnonzero(reasons == reason.value).tolist()) for reason in Reason if reason not in KEPT}
    return {reason.value: found for reason, found in rows.items() if found}


def _area_names(market: Market, values: Values) -> Texts:
    places = market.model.places
    names = np.array([*(places.names or [f"cell {at + 1}" for at in range(places.count)]), "none"])
    return names[values.subjects.areas]


def _require_enough(count: int, reasons: Texts, least: int) -> None:
    if count >= least:
        return
    found = {reason.value: int((reasons == reason.value).sum()) for reason in Reason}
    told = ", ".join(f"{number:,} {reason}" for reason, number in found.items() if number)
    raise JobFailure(
        FailureReason.INSUFFICIENT_SALES,
        f"A model needs at least {least:,} sales that are evidence of market value; of {len(reasons):,} "
        f"there are {count:,}" + (f" (left out: {told})." if told else "."),
    )
