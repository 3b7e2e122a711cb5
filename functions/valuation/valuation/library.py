"""Kept models: in the data bucket, below `models/{county}/{version}/`, written once and never changed.

Trees as LightGBM's text, the rest as JSON; `model.json` goes last and vouches for the others. Two that train the same
version at once write the same bytes. A model that has expired is trained again, to the same bytes.
"""

import hashlib
import json
from contextlib import suppress
from datetime import date
from typing import Any

from terrafusion.counties.configuration import CostTables
from terrafusion.storage import ObjectChanged, ObjectMissing, Storage
from valuation.boosting import Boosted
from valuation.card import model_card
from valuation.model import Model
from valuation.settings import FORMAT, ModelSettings
from valuation.training import Trained

TREES, MODEL, CARD, SCREENING = "trees.txt", "model.json", "card.json", "screening.csv"


def version_of(
    dataset_version: str, settings: ModelSettings, cost_tables: CostTables | None, known_until: date | None
) -> str:
    """Name a model by all that it follows from: 16 hex digits."""
    document = {
        "format": FORMAT,
        "dataset": dataset_version,
        "settings": settings.model_dump(),
        "cost_tables": cost_tables.model_dump() if cost_tables else None,
        "known_until": known_until.isoformat() if known_until else None,
    }
    return hashlib.sha256(_json(document)).hexdigest()[:16]


class ModelLibrary:
    """The models of all counties."""

    def __init__(self, data: Storage) -> None:
        self._data = data

    def find(self, county_id: str, version: str) -> tuple[Model, Boosted] | None:
        """A kept model, or None."""
        try:
            document = self._data.read(_key(county_id, version, MODEL))
            trees = self._data.read(_key(county_id, version, TREES))
        except ObjectMissing:
            return None
        return Model.model_validate_json(document), Boosted(trees.decode())

    def keep(self, county_id: str, trained: Trained, screening_csv: str) -> None:
        """Keep a model with its card and what became of each sale; one that is kept already stays as it is."""
        version = trained.model.version
        card = _json(model_card(trained))
        self._write(_key(county_id, version, TREES), trained.boosted.text.encode(), "text/plain")
        self._write(_key(county_id, version, CARD), card, "application/json")
        self._write(_key(county_id, version, SCREENING), screening_csv.encode(), "text/csv; charset=utf-8")
        self._write(_key(county_id, version, MODEL), _json(trained.model.model_dump(mode="json")), "application/json")

    def card(self, county_id: str, version: str) -> dict[str, Any]:
        """A kept model's card."""
        return dict(self._data.read_json(_key(county_id, version, CARD)))

    def screening(self, county_id: str, version: str) -> str:
        """What became of each sale, as CSV."""
        return self._data.read(_key(county_id, version, SCREENING)).decode()

    def _write(self, key: str, body: bytes, media_type: str) -> None:
        with suppress(ObjectChanged):
            self._data.write(key, body, media_type, new=True)


def _key(county_id: str, version: str, name: str) -> str:
    return f"models/{county_id}/{version}/{name}"


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
