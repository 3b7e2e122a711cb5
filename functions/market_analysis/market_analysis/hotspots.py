"""Where ratios or price residuals cluster."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from market_analysis import hedonic
from market_analysis.analysis import Analysis, figure, plural
from market_analysis.analysis_types import Measure, Period, Unit
from market_analysis.clusters import GlobalMoran, LocalClusters, false_discoveries, local_clusters, moran
from market_analysis.failures import no_data, too_few
from market_analysis.market import ROW, Market
from market_analysis.neighbors import nearest, on_plane
from market_analysis.periods import Calendar
from market_analysis.ratios import trim_ratios
from market_analysis.regression import Floats
from market_analysis.shapes import Geometry, MapLayer
from market_analysis.trends import overall

MOST_LOCATIONS = 100_000
"""With more sales a random sample of so many is looked at, drawn with the request's seed."""
LEAST_LOCATIONS = 20
LEAST_PER_AREA = 5


class Cluster(StrEnum):
    """What a location is among its neighbors: its own deviation, then theirs (Anselin 1995)."""

    HIGH_HIGH = "high-high"
    LOW_LOW = "low-low"
    HIGH_LOW = "high-low"
    LOW_HIGH = "low-high"
    NONE = "not significant"


class Spot(StrEnum):
    """Where values are high or low together (Getis and Ord)."""

    HOT = "hot"
    COLD = "cold"
    NONE = "not significant"


@dataclass(frozen=True, slots=True)
class _Locations:
    """Where and what: identifiers, degrees, and values, in a fixed order."""

    names: dict[str, list[str | None]]
    lon: Floats
    lat: Floats
    values: Floats
    sales: Floats


def hotspots(
    market: Market,
    measure: Measure,
    unit: Unit,
    neighbors: int,
    permutations: int,
    seed: int,
    significance: float,
    min_sales: int,
) -> Analysis:
    """Moran's I over all, local Moran's I and Gi* by location; false discoveries held at `significance`."""
    trends = overall(market, Period.QUARTER, min_sales)
    where = _locations(market, measure, unit, seed, min_sales)
    if where.values.size < max(LEAST_LOCATIONS, neighbors + 2):
        what = f"{where.values.size} locations are left; {max(LEAST_LOCATIONS, neighbors + 2)} are needed"
        raise too_few(f"Clusters of {neighbors} neighbors cannot be told: {what}.", market.excluded)
    if float(np.ptp(where.values)) <= 1e-12 * max(1.0, float(np.abs(where.values).max())):
        raise no_data(f"Every {measure} is the same: nothing can cluster.")
    near = nearest(on_plane(where.lon, where.lat), neighbors)
    everywhere = moran(where.values, near, permutations, seed)
    local = local_clusters(where.values, near, permutations, seed)
    significant = false_discoveries(local.p_value, significance)
    columns = _columns(where, local, significant)
    counts = {str(one): columns["spot"].count(str(one)) for one in (Spot.HOT, Spot.COLD)}
    clusters = {str(one): columns["cluster"].count(str(one)) for one in Cluster}
    return Analysis(
        key_finding=_finding(measure, unit, everywhere, counts, where.values.size, neighbors, significance),
        points=where.values.size,
        trends=trends,
        details={
            "measure": str(measure),
            "unit": str(unit),
            "global_moran": {
                "value": figure(everywhere.value, 10),
                "expected": figure(everywhere.expected, 10),
                "z": figure(everywhere.z, 6),
                "p_value": figure(everywhere.p_value, 6),
                "permutations": everywhere.permutations,
            },
            "local": {"hot": counts["hot"], "cold": counts["cold"], "clusters": clusters, "permutations": permutations},
            "false_discovery_rate": significance,
            "mean": figure(float(where.values.mean()), 6),
        },
        tables={"hotspots": market.store("hotspots", columns)},
        layer=MapLayer(
            "hotspots", Geometry.POINT, columns, list(zip(where.lon.tolist(), where.lat.tolist(), strict=True))
        ),
    )


def _locations(market: Market, measure: Measure, unit: Unit, seed: int, min_sales: int) -> _Locations:
    market.drop("without coordinates", "lon IS NULL OR lat IS NULL OR abs(lon) > 180 OR abs(lat) > 90")
    market.require(LEAST_LOCATIONS, "A map of clusters")
    if unit is Unit.NEIGHBORHOOD:
        market.drop("without a neighborhood", "neighborhood IS NULL")
    expression = _measure(market, measure)
    if unit is Unit.NEIGHBORHOOD:
        return _areas(market, expression, max(min_sales, LEAST_PER_AREA))
    return _sales(market, expression, seed)


def _measure(market: Market, measure: Measure) -> str:
    """SQL for the value of a sale, over `market`."""
    if measure is Measure.RATIO:
        trim_ratios(market)
        return "assessed / price"
    equation = hedonic.choose(market)
    fitted, rows = hedonic.fit(market, equation, Calendar(Period.QUARTER, market.first, market.last))
    market.store("residuals", {"of_row": rows.astype(np.int64), "residual": fitted.residuals})
    market.database.execute(
        f"CREATE OR REPLACE TABLE market AS SELECT * EXCLUDE (of_row) FROM market JOIN residuals ON {ROW} = of_row"  # noqa: S608
    )
    return "residual"


def _sales(market: Market, expression: str, seed: int) -> _Locations:
    market.database.execute(
        f"""CREATE OR REPLACE TABLE located AS
        SELECT sale_id, property_id, lon, lat, {expression} AS value,
            row_number() OVER (ORDER BY sale_date, sale_id, property_id, price) - 1 AS row
        FROM market"""  # noqa: S608
    )
    if market.count > MOST_LOCATIONS:
        chosen = np.sort(np.random.default_rng(seed).choice(market.count, MOST_LOCATIONS, replace=False))
        market.store("chosen", {"row": chosen})
        market.database.execute("CREATE OR REPLACE TABLE located AS SELECT * FROM located JOIN chosen USING (row)")
        market.notes.append(
            f"Of {market.count:,} sales a random sample of {MOST_LOCATIONS:,} is looked at (seed {seed})."
        )
        market.excluded["beyond the sample"] = market.count - MOST_LOCATIONS
        market.count = MOST_LOCATIONS
    found = market.database.execute(
        "SELECT sale_id, property_id, lon, lat, value FROM located ORDER BY row"
    ).fetchnumpy()
    names = {name: _texts(found[name]) for name in ("sale_id", "property_id")}
    lon, lat, values = (np.asarray(found[name], dtype=np.float64) for name in ("lon", "lat", "value"))
    return _Locations(names, lon, lat, values, np.ones(values.size))


def _areas(market: Market, expression: str, min_sales: int) -> _Locations:
    rows = market.database.execute(
        f"""SELECT neighborhood, avg(lon), avg(lat), median({expression}), count(*) FROM market
        GROUP BY 1 ORDER BY 1"""  # noqa: S608
    ).fetchall()
    thin = [row[0] for row in rows if row[4] < min_sales]
    if thin:
        market.notes.append(
            f"{plural(len(thin), 'neighborhood')} with fewer than {min_sales} sales left out: {', '.join(thin[:10])}."
        )
    kept = [row for row in rows if row[4] >= min_sales]
    numbers = np.array([row[1:] for row in kept], dtype=np.float64).reshape(-1, 4)
    return _Locations({"neighborhood": [row[0] for row in kept]}, *numbers.T)


def _texts(values: Any) -> list[str | None]:
    filled = values.filled(None) if isinstance(values, np.ma.MaskedArray) else values
    return [None if one is None else str(one) for one in filled.tolist()]


def _columns(where: _Locations, local: LocalClusters, significant: np.ndarray) -> dict[str, Any]:
    high, around = local.deviation > 0, local.neighbors_deviation > 0
    kinds = {
        (True, True): Cluster.HIGH_HIGH,
        (False, False): Cluster.LOW_LOW,
        (True, False): Cluster.HIGH_LOW,
        (False, True): Cluster.LOW_HIGH,
    }
    clusters = [
        str(kinds[own, near] if sure else Cluster.NONE)
        for own, near, sure in zip(high.tolist(), around.tolist(), significant.tolist(), strict=True)
    ]
    spots = [
        str((Spot.HOT if z > 0 else Spot.COLD) if sure else Spot.NONE)
        for z, sure in zip(local.gi_star.tolist(), significant.tolist(), strict=True)
    ]
    return where.names | {
        "lon": where.lon,
        "lat": where.lat,
        "sales": where.sales.astype(np.int64),
        "value": where.values.round(8),
        "local_moran": local.moran.round(8),
        "gi_star_z": local.gi_star.round(8),
        "p_value": local.p_value.round(8),
        "cluster": clusters,
        "spot": spots,
    }


def _finding(
    measure: Measure,
    unit: Unit,
    overall: GlobalMoran,
    counts: dict[str, int],
    locations: int,
    neighbors: int,
    significance: float,
) -> str:
    what = "Ratios" if measure is Measure.RATIO else "Price residuals"
    verb = "cluster" if overall.p_value <= significance and overall.value > 0 else "do not cluster beyond chance"
    return (
        f"{what} {verb}: Moran's I {overall.value:.3f} (z {overall.z:.1f}, p {overall.p_value:.4f}, "
        f"{neighbors} neighbors); "
        f"{counts['hot']:,} of {plural(locations, str(unit))} lie in hot spots and {counts['cold']:,} in cold spots "
        f"at a false discovery rate of {significance:.0%}."
    )
