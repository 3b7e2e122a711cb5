"""Where valuations are made: a county's tables and its model, trained when there is none, kept for the next job."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

from terrafusion.counties import Catalogue
from terrafusion.errors import FailureReason, JobFailure
from terrafusion.storage import Storage
from valuation.boosting import Boosted
from valuation.library import ModelLibrary, version_of
from valuation.market import Market
from valuation.model import Model
from valuation.records import Texts
from valuation.screening import EXPLANATIONS, Reason
from valuation.settings import ModelSettings
from valuation.tables import CountyTables
from valuation.training import Trained, open_market, train

MARKETS_AT_HAND = 3
Kept = TypeVar("Kept")
Tell = Callable[[float, str], None]


@dataclass(slots=True)
class Office:
    """One worker's, which may do one job after the other; `directory` keeps tables, `_markets` opened models."""

    catalogue: Catalogue
    data: Storage
    directory: Path
    settings: ModelSettings = field(default_factory=ModelSettings)
    _markets: dict[tuple[str, str], Market] = field(default_factory=dict)
    _tables: dict[tuple[str, str], CountyTables] = field(default_factory=dict)

    @property
    def library(self) -> ModelLibrary:
        """The kept models."""
        return ModelLibrary(self.data)

    def tables(self, county_id: str, dataset_version: str) -> CountyTables:
        """A snapshot's tables."""
        key = (county_id, dataset_version)
        if key not in self._tables:
            opened = CountyTables.open(self.catalogue, self.data, county_id, dataset_version, self.directory)
            _remember(self._tables, key, opened)
        return self._tables[key]

    def day(self, tables: CountyTables, wanted: date | None) -> date:
        """The valuation date: the one that is wanted, else that of the last sale.

        Raises
        ------
        JobFailure
            `insufficient_sales` when there is no sale at all.
        """
        last = tables.last_sale()
        if last is None:
            raise JobFailure(
                FailureReason.INSUFFICIENT_SALES,
                f"None of the {tables.sale_count:,} sales of county '{tables.snapshot.county_id}' has a price above 0 "
                "and a date before the data were published.",
            )
        return wanted or last

    def market(self, tables: CountyTables, day: date, tell: Tell, most_sales: int | None = None) -> Market:
        """The county's market as known on a day; trains its model when none is kept.

        Raises
        ------
        JobFailure
            `insufficient_sales`; `insufficient_data` when there are more than `most_sales` to train on here.
        """
        county_id = tables.snapshot.county_id
        version = self.model_version(tables, day)
        key = (county_id, version)
        if key not in self._markets:
            kept = self.library.find(county_id, version)
            if kept is None:
                if most_sales is not None and tables.sale_count > most_sales:
                    raise JobFailure(
                        FailureReason.INSUFFICIENT_DATA,
                        f"There is no model of these data yet, and {tables.sale_count:,} sales are more than a "
                        f"property's job trains on ({most_sales:,}): run mode 'train' first.",
                    )
                kept = self.trained(tables, day, tell)
            _remember(self._markets, key, open_market(*kept, tables.sales(), tables.sold()))
        return self._markets[key]

    def model_version(self, tables: CountyTables, day: date) -> str:
        """The version of the model that knows what was known on a day."""
        tables_of_cost = self.catalogue.configuration(tables.snapshot.county_id).valuation.cost_tables
        return version_of(tables.snapshot.version, self.settings, tables_of_cost, _known_until(tables, day))

    def trained(self, tables: CountyTables, day: date, tell: Tell) -> tuple[Model, Boosted]:
        """Train the model that knows what was known on a day, and keep it."""
        snapshot = tables.snapshot
        sales = tables.sales()
        made = train(
            sales,
            tables.sold(),
            published=snapshot.published_at.date(),
            known_until=_known_until(tables, day),
            settings=self.settings,
            cost_tables=self.catalogue.configuration(snapshot.county_id).valuation.cost_tables,
            version=self.model_version(tables, day),
            tell=tell,
        )
        self.library.keep(snapshot.county_id, made, screening_csv(made, sales.texts("sale_id")))
        return made.model, made.boosted


def screening_csv(trained: Trained, sale_ids: Texts) -> str:
    """Each sale that was left out or is to be looked at, with its reason."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("sale_id", "reason", "explanation"))
    for sale_id, reason in zip(sale_ids.tolist(), trained.reasons.tolist(), strict=True):
        if reason:
            writer.writerow((sale_id, reason, EXPLANATIONS[Reason(reason)]))
    return text.getvalue()


def _known_until(tables: CountyTables, day: date) -> date | None:
    """What a model may know: everything, unless sales came after the day."""
    last = tables.last_sale()
    return day if last is not None and day < last else None


def _remember(kept: dict[tuple[str, str], Kept], key: tuple[str, str], value: Kept) -> None:
    """Keep the latest few."""
    while len(kept) >= MARKETS_AT_HAND:
        kept.pop(next(iter(kept)))
    kept[key] = value
