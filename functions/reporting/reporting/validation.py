"""Sales validation: sales that somebody should look at, each with its reasons and the cluster it was judged in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reporting.content import Cell, Column, Facts, Report, Section, Table, Text, Unit
from reporting.context import Context
from reporting.selection import EXCLUSIONS, Sales, Selection, day, select
from terrafusion.ratios.sample import Floats

CLUSTER_MINIMUM = 15
FACTOR = 1.5
"""Interquartile ranges beyond which a logarithm is unusual in its cluster: Tukey's inner fence."""
NOMINAL_PRICE = 1_000.0
FLIP_DAYS, FLIP_CHANGE = 365, 0.40

REASONS: Mapping[str, str] = {
    "not_valid": "the county marks it as not valid",
    "future_date": "it is dated after the data were published",
    "unusable": "it cannot be used in a ratio study",
    "nominal_price": f"the price is below {NOMINAL_PRICE:,.0f} dollars",
    "ratio": "its ratio is unusual in its cluster",
    "price_per_sqft": "its price per square foot is unusual in its cluster",
    "resold": f"sold again within {FLIP_DAYS} days at a price that differs by more than {FLIP_CHANGE:.0%}",
    "repeated": "the same property, date and price stand in another row",
    "several_properties": "other properties have the same date and price: one deed for several parcels",
    "before_built": "sold before it was built: the price may be the land's alone",
    "unknown_property": "its property is not on the roll",
}


@dataclass
class Flags:
    """Reasons by sale, with the words that say why; filled test by test."""

    found: dict[int, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, key: str, sales: NDArray[np.bool_], detail: Sequence[str] | None = None) -> None:
        """Flag the sales where the array is true."""
        places = np.flatnonzero(sales)
        self.counts[key] = int(places.size)
        for place in places.tolist():
            more = f" ({detail[place]})" if detail is not None and detail[place] else ""
            self.found.setdefault(place, []).append(f"{REASONS[key]}{more}")


@dataclass(frozen=True, slots=True)
class Clusters:
    """Sales in clusters of one class and neighborhood, or wider ones where those are small.

    `labels` (n,) says in which cluster each sale is judged, `members` which sales are in each cluster: those of a class
    are all of its sales, also those that are judged in their neighborhood. `one_class` (n,) says which sales are judged
    among others of their class.
    """

    labels: NDArray[np.int_]
    names: Sequence[str]
    members: Sequence[NDArray[np.int_]]
    one_class: NDArray[np.bool_]


def sales_validation(context: Context) -> Report:
    """Make the report.

    Raises
    ------
    JobFailure
        INSUFFICIENT_SALES when no sale could be used at all.
    """
    context.progress(0.1, "Selecting sales")
    selection = select(context.database, context.plan.parameters, context.snapshot.published_at.date())
    context.progress(0.4, "Judging sales in their clusters")
    clusters = cluster(selection.all)
    flags = judge(selection.all, clusters, _known(context))
    context.progress(0.7, "Writing")
    table = _table(selection.all, clusters, flags)
    counts = [(REASONS[key][0].upper() + REASONS[key][1:], f"{n:,}") for key, n in flags.counts.items()]
    flagged = len(flags.found)
    used = len(set(clusters.labels.tolist()))
    sections = [
        Section("Findings", [Facts("reasons", "Sales flagged, by reason", counts), Text(_method(used))]),
        Section("Flagged sales", [table]),
        context.section(_counts(selection, flagged)),
    ]
    return Report(
        title=context.title,
        subtitle=f"{flagged:,} of {len(selection.all):,} sales to be looked at",
        county=context.county,
        made=context.made,
        sections=sections,
        main=table,
        sheets=(),
        summary={"sales": len(selection.all), "flagged": flagged, "by_reason": dict(flags.counts), "clusters": used},
        document={"inputs": context.stated(), "selection": selection.document, "by_reason": dict(flags.counts)},
        message=f"{flagged:,} of {len(selection.all):,} sales flagged",
    )


def cluster(sales: Sales) -> Clusters:
    """Class and neighborhood; where those have fewer than 15 usable sales the class, and where that has, all.

    Only clusters in which a sale is judged have a label.
    """
    usable = _usable(sales)
    levels = [
        [
            f"{c or 'no class'}, {n or 'no neighborhood'}"
            for c, n in zip(sales.property_class, sales.neighborhood, strict=True)
        ],
        [f"{c or 'no class'}" for c in sales.property_class],
        ["all sales"] * len(sales),
    ]
    labels = np.full(len(sales), -1, dtype=np.int_)
    names: list[str] = []
    members: list[NDArray[np.int_]] = []
    for level, least in zip(levels, (CLUSTER_MINIMUM, CLUSTER_MINIMUM, 0), strict=True):
        one_class = labels >= 0  # in the end: before the level of all classes
        unique, inverse, counts = np.unique(np.array(level, dtype=str), return_inverse=True, return_counts=True)
        parts = np.split(np.argsort(inverse, kind="stable"), np.cumsum(counts)[:-1])
        large = np.bincount(inverse[usable], minlength=unique.size) >= least
        judged = (labels < 0) & large[inverse]
        for group in np.unique(inverse[judged]).tolist():
            labels[parts[group][judged[parts[group]]]] = len(names)
            names.append(str(unique[group]))
            members.append(parts[group])
    return Clusters(labels, names, members, one_class)


def judge(sales: Sales, clusters: Clusters, known: frozenset[str] | None) -> Flags:
    """All tests; `known` are the roll's properties, None where there is no roll."""
    flags = Flags()
    usable = _usable(sales)
    flags.add("not_valid", sales.excluded == "invalid")
    flags.add("future_date", sales.excluded == "future_date")
    unusable = np.array([e not in {"", "invalid", "future_date"} for e in sales.excluded], dtype=bool)
    flags.add("unusable", unusable, [EXCLUSIONS.get(e, "") for e in sales.excluded])
    with np.errstate(invalid="ignore"):
        nominal = np.isfinite(sales.price) & (sales.price > 0) & (sales.price < NOMINAL_PRICE)
    flags.add("nominal_price", nominal)
    for key, values, digits in (
        ("ratio", _divided(sales.assessed, sales.price, usable), 3),
        ("price_per_sqft", _divided(sales.price, sales.living_area_sqft, usable & clusters.one_class), 0),
    ):
        flags.add(key, *unusual(values, clusters, digits))
    flags.add("resold", *_resold(sales, usable))
    same_deed = _key(sales.sale_date, sales.price)
    same_sale = _key(sales.sale_date, sales.price, sales.property_id)
    repeated = _repeats(same_sale)
    flags.add("repeated", repeated)
    several = _repeats(same_deed) & ~repeated & usable & np.isin(same_deed, _round_deeds(same_deed, sales))
    flags.add("several_properties", several)
    years = sales.sale_date.astype("datetime64[Y]").astype(float) + 1970
    with np.errstate(invalid="ignore"):
        early = ~np.isnat(sales.sale_date) & (sales.year_built > years)
    flags.add("before_built", early, [f"{b:.0f}" if np.isfinite(b) else "" for b in sales.year_built])
    if known is not None:
        flags.add("unknown_property", np.array([p not in known for p in sales.property_id], dtype=bool))
    return flags


def unusual(values: Floats, clusters: Clusters, digits: int) -> tuple[NDArray[np.bool_], list[str]]:
    """Values whose logarithm lies beyond Tukey's fences of their cluster, and each value beside the fences.

    The fences are of all the cluster's members, also of those that are judged in a narrower one.

    Parameters
    ----------
    values
        Positive, NaN where there is none; shape (n,). Clusters with fewer than 15 of them are not judged.
    """
    marked = np.zeros(values.size, dtype=bool)
    words = [""] * values.size
    logs = np.log(values)
    for label, every in enumerate(clusters.members):
        members = every[np.isfinite(logs[every])]
        if members.size < CLUSTER_MINIMUM:
            continue
        lower, upper = np.percentile(logs[members], [25, 75])
        low, high = lower - FACTOR * (upper - lower), upper + FACTOR * (upper - lower)
        judged = members[clusters.labels[members] == label]
        beyond = judged[(logs[judged] < low) | (logs[judged] > high)]
        marked[beyond] = True
        for place in beyond.tolist():
            words[place] = f"{values[place]:,.{digits}f}, usual {np.exp(low):,.{digits}f} to {np.exp(high):,.{digits}f}"
    return marked, words


def _usable(sales: Sales) -> NDArray[np.bool_]:
    return np.asarray(sales.excluded == "", dtype=np.bool_)


def _divided(above: Floats, below: Floats, usable: NDArray[np.bool_]) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        fit = usable & (above > 0) & (below > 0)
        return np.where(fit, above / np.where(fit, below, 1), np.nan)


def _resold(sales: Sales, usable: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], list[str]]:
    marked = np.zeros(len(sales), dtype=bool)
    words = [""] * len(sales)
    named = np.array([p is not None for p in sales.property_id], dtype=bool)
    places = np.flatnonzero(usable & named & ~np.isnat(sales.sale_date))
    if places.size < 2:
        return marked, words
    ids = sales.property_id[places].astype(str)
    order = places[np.lexsort((sales.sale_date[places].astype(np.int64), ids))]
    first, second = order[:-1], order[1:]
    days = (sales.sale_date[second] - sales.sale_date[first]).astype("timedelta64[D]").astype(int)
    change = sales.price[second] / sales.price[first] - 1
    hit = (sales.property_id[first] == sales.property_id[second]) & (days > 0) & (days <= FLIP_DAYS)
    hit &= np.abs(change) > FLIP_CHANGE
    for one, other, gap, share in zip(first[hit], second[hit], days[hit], change[hit], strict=True):
        marked[[one, other]] = True
        words[one] = words[other] = f"{share:+.0%} in {gap} days"
    return marked, words


def _key(*columns: NDArray[np.generic]) -> NDArray[np.str_]:
    """Rows as text, to find equal ones."""
    return np.array(["|".join(map(str, row)) for row in zip(*columns, strict=True)])


def _repeats(keys: NDArray[np.str_]) -> NDArray[np.bool_]:
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] > 1)


def _round_deeds(keys: NDArray[np.str_], sales: Sales) -> NDArray[np.str_]:
    """Date and price pairs that chance does not explain: prices that are no round number of thousands."""
    odd = np.isfinite(sales.price) & (np.mod(np.nan_to_num(sales.price), 1_000) != 0)
    return np.unique(keys[odd])


def _known(context: Context) -> frozenset[str] | None:
    if "properties" not in context.snapshot.layers:
        return None
    query = "SELECT DISTINCT property_id FROM properties WHERE property_id IS NOT NULL"
    return frozenset(row[0] for row in context.database.execute(query).fetchall())


def _table(sales: Sales, clusters: Clusters, flags: Flags) -> Table:
    columns = (
        Column("sale_id", "Sale", width=16),
        Column("property_id", "Property", width=18),
        Column("address", "Address", width=26),
        Column("sale_date", "Date", Unit.DATE, width=12),
        Column("assessed_value", "Assessed value", Unit.MONEY, width=16),
        Column("sale_price", "Sale price", Unit.MONEY, width=16),
        Column("ratio", "Ratio", Unit.RATIO, width=10),
        Column("reasons", "Reasons", wraps=True, width=70),
        Column("cluster", "Cluster", width=32),
    )
    ratio = _divided(sales.assessed, sales.price, np.ones(len(sales), dtype=bool))
    rows: list[Sequence[Cell]] = [
        (
            sales.sale_id[i],
            sales.property_id[i],
            sales.address[i],
            day(sales.sale_date[i]),
            _number(sales.assessed[i]),
            _number(sales.price[i]),
            _number(ratio[i]),
            "; ".join(reasons),
            clusters.names[clusters.labels[i]],
        )
        for i, reasons in sorted(flags.found.items())
    ]
    note = "" if rows else "No sale was flagged."
    return Table("flagged", "Sales to be looked at", columns, rows, note)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _method(clusters: int) -> str:
    return (
        f"Ratios and prices per square foot are judged within {clusters:,} clusters of class and neighborhood; where "
        f"those have fewer than {CLUSTER_MINIMUM} usable sales, against all of the class, or else, ratios alone, all "
        f"sales. Unusual is what lies beyond {FACTOR:g} interquartile ranges from the quartiles of the logarithms; "
        f"fewer than {CLUSTER_MINIMUM} ratios, or prices per square foot, are not judged. A flag asks, it does not "
        "judge."
    )


def _counts(selection: Selection, flagged: int) -> list[tuple[str, str]]:
    return [
        ("Sales read", f"{selection.read:,}"),
        ("Filters", "; ".join(selection.filters) or "none"),
        ("Sales judged", f"{len(selection.all):,}"),
        ("Rows of the roll passed over, as another stands for their property", f"{selection.repeats:,}"),
        ("Sales flagged", f"{flagged:,}"),
    ]
