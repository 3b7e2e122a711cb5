"""Areas most like a given one, and in what they differ."""

from collections.abc import Mapping, Sequence
from math import log, sqrt
from typing import Any

import numpy as np

from market_analysis import joining
from market_analysis.analysis import Analysis, Row, figure
from market_analysis.analysis_types import GroupBy, Period
from market_analysis.areas import profiles
from market_analysis.failures import no_data, unknown_value
from market_analysis.market import Market, Scope, store_rows
from market_analysis.neighbors import METERS_PER_MILE, on_plane
from market_analysis.outlines import Outlines, outlined
from market_analysis.regression import Floats
from market_analysis.trends import overall

ASPECTS: Mapping[str, tuple[str, ...]] = {
    "price level": ("log_price", "log_price_per_sqft"),
    "trend": ("trend",),
    "stock": ("log_living_area", "log_land_area", "year_built"),
    "distance": ("miles",),
}
"""What areas are compared by. Each aspect weighs the same, its figures share that weight."""
LEAST_AREAS = 3


def comparable_market_area(
    market: Market,
    scope: Scope,
    area_by: GroupBy,
    area: str,
    radius_miles: float | None,
    count: int,
    min_sales: int,
    outlines: Outlines | None,
) -> Analysis:
    """Rank areas by their distance from a given one.

    Each figure's difference is divided by its standard deviation over all areas (miles by how far areas lie from their
    middle); the distance is the root of the weighted sum of squares. Trends are first drawn to their mean by as much
    as their error asks (empirical Bayes), so that a thin area is not thought strange for its noise.
    """
    rows = profiles(market, scope, area_by, min_sales)
    usable = [row for row in rows if not row["thin"] and row["lon"] is not None and row["median_price"]]
    subject = next((row for row in usable if row[str(area_by)] == area), None)
    if subject is None:
        raise _not_usable(market, rows, area_by, area, min_sales)
    if len(usable) < LEAST_AREAS:
        raise no_data(f"{len(usable)} areas have {min_sales} sales; {LEAST_AREAS} are needed to compare.")
    ranked = _ranked(usable, usable.index(subject), area_by)
    near = [row for row in ranked if radius_miles is None or row["miles"] <= radius_miles]
    if not near:
        raise no_data(
            f"No area with {min_sales} sales lies within {radius_miles:g} miles of {area}; the nearest is "
            f"{min(row['miles'] for row in ranked):.1f} miles away."
        )
    chosen = near[:count]
    shown = [_subject_row(subject, chosen[0], area_by), *chosen]
    layer, notes = outlined(market, shown, area_by, outlines)
    thin = [row[str(area_by)] for row in rows if row not in usable]
    if thin:
        notes.append(f"Not compared, with fewer than {min_sales} sales or no location: {', '.join(thin)}.")
    trends = overall(market, Period.QUARTER, min_sales)
    return Analysis(
        key_finding=_finding(area, area_by, chosen),
        points=market.count,
        trends=trends,
        details={"area": subject, "comparable_areas": chosen, "compared": len(near)},
        tables={"comparable_areas": store_rows(market.database, "comparable_areas", shown)},
        layer=layer,
        notes=notes,
    )


def _not_usable(market: Market, rows: Sequence[Row], area_by: GroupBy, area: str, min_sales: int) -> Exception:
    known = joining.known_values(market.database, area_by)
    if area not in known:
        return unknown_value(str(area_by), area, known)
    sales = next((row["sales"] for row in rows if row[str(area_by)] == area), 0)
    return no_data(f"{area} has {sales} sales in the time looked at; {min_sales} are needed, and a location.")


def _miles(rows: Sequence[Row], subject: int) -> tuple[Floats, float]:
    """Distances from an area, and how far areas lie from their middle (root mean square), in miles."""
    plane = on_plane(np.array([row["lon"] for row in rows]), np.array([row["lat"] for row in rows]))
    distance: Floats = np.hypot(*(plane - plane[subject]).T) / METERS_PER_MILE
    spread = float(np.sqrt(plane.var(axis=0).sum())) / METERS_PER_MILE
    return distance, spread


def _ranked(rows: Sequence[Row], subject: int, area_by: GroupBy) -> list[Row]:
    """The other areas, nearest first, with what each aspect adds to the squared distance."""
    miles, scale = _miles(rows, subject)
    figures = {name: values for name, values in _figures(rows).items() if np.isfinite(values[subject])}
    spreads = {name: float(np.nanstd(values)) for name, values in figures.items()} | {"miles": scale}
    figures["miles"] = miles
    ranked = []
    for at, row in enumerate(rows):
        if at == subject:
            continue
        parts = {aspect: _part(names, figures, spreads, subject, at) for aspect, names in ASPECTS.items()}
        total = sum(parts.values())
        ranked.append(
            {
                str(area_by): row[str(area_by)],
                "dissimilarity": figure(sqrt(total), 4),
                **{
                    f"{aspect.replace(' ', '_')}_share": figure(part / total if total else 0.0, 4)
                    for aspect, part in parts.items()
                },
                "miles": figure(float(miles[at]), 2),
                **_shown(row),
            }
        )
    return sorted(ranked, key=lambda one: (one["dissimilarity"], one[str(area_by)]))


def _figures(rows: Sequence[Row]) -> dict[str, Floats]:
    def values(name: str, *, logarithm: bool = False) -> Floats:
        found = [row[name] for row in rows]
        return np.array([np.nan if one is None else log(one) if logarithm else one for one in found], dtype=np.float64)

    return {
        "log_price": values("median_price", logarithm=True),
        "log_price_per_sqft": values("median_price_per_sqft", logarithm=True),
        "trend": _shrunk(values("trend_percent_per_year"), values("trend_standard_error")),
        "log_living_area": values("median_living_area", logarithm=True),
        "log_land_area": values("median_land_area", logarithm=True),
        "year_built": values("median_year_built"),
    }


def _shrunk(values: Floats, errors: Floats) -> Floats:
    """Estimates drawn to their mean: by the share of their variance that is error."""
    known = np.isfinite(values)
    if known.sum() < LEAST_AREAS:
        return np.full(values.size, np.nan)
    mean = float(values[known].mean())
    between = max(float(values[known].var()) - float((errors[known] ** 2).mean()), 0.0)
    trusted = between / (between + errors**2) if between > 0 else np.zeros(values.size)
    return np.where(known, mean + trusted * (values - mean), mean)


def _part(
    names: Sequence[str], figures: Mapping[str, Floats], spreads: Mapping[str, float], subject: int, other: int
) -> float:
    """The mean squared standardized difference over an aspect's figures that both areas have."""
    squares = []
    for name in names:
        values = figures.get(name)
        if values is None or not np.isfinite(values[other]):
            continue
        spread = spreads[name]
        squares.append(((values[other] - values[subject]) / spread) ** 2 if spread > 0 else 0.0)
    return float(np.mean(squares)) if squares else 0.0


_SHOWN = (
    "sales",
    "median_price",
    "median_price_per_sqft",
    "trend_percent_per_year",
    "trend_standard_error",
    "median_living_area",
    "median_land_area",
    "median_year_built",
    "lon",
    "lat",
)


def _shown(row: Row) -> Row:
    return {name: row[name] for name in _SHOWN}


def _subject_row(subject: Row, like: Row, area_by: GroupBy) -> Row:
    row: dict[str, Any] = dict.fromkeys(like, 0.0)
    return row | {str(area_by): subject[str(area_by)]} | _shown(subject)


def _finding(area: str, area_by: GroupBy, chosen: Sequence[Row]) -> str:
    best = chosen[0]
    shares = {aspect: best[f"{aspect.replace(' ', '_')}_share"] for aspect in ASPECTS}
    apart = max(shares, key=lambda aspect: shares[aspect])
    rest = ", ".join(row[str(area_by)] for row in chosen[1:4])
    text = (
        f"{best[str(area_by)]} is most like {area}: median price ${best['median_price']:,.0f}, {best['miles']:.1f} "
        f"miles away; {shares[apart]:.0%} of the difference is {apart}"
    )
    return f"{text}. Next: {rest}." if rest else f"{text}."
