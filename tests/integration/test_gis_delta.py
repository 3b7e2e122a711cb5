"""What changed between two states of a layer, beside pandas on the same tables."""

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from gis_export.area import parse
from gis_export.delta import Previous
from gis_export.engine import Cancelled, ExportResult, export
from gis_export.formats import ExportFormat
from gis_export.gdal import EngineError
from gis_export.selection import LayerSource, Predicate

COUNT = 60


def frame(values: list[int | None], names: list[str], shifts: list[float], keep: list[bool]) -> geopandas.GeoDataFrame:
    squares = [box(n / 100 + s, 0, n / 100 + s + 0.01, 0.01) for n, s in enumerate(shifts)]
    table = geopandas.GeoDataFrame(
        {"key": [f"K{n}" for n in range(COUNT)], "value": values, "name": names}, geometry=squares, crs=4326
    )
    table["value"] = table["value"].astype("Int64")
    return table[keep]


def source(table: geopandas.GeoDataFrame, path: Path) -> str:
    table.to_file(path, driver="FlatGeobuf")
    return str(path)


def changes(older: str | None, newer: str, folder: Path, **more: Any) -> ExportResult:
    columns = more.pop("columns", ("key", "value", "name"))
    layer = LayerSource("grid", newer, previous=Previous(older, more.pop("where", None), "key", columns))
    kept = {"grid": [*dict.fromkeys(("key", *columns)), "change"]}
    return export([layer], folder, "out", more.pop("to", ExportFormat.GPKG), attributes=kept, **more)


STATE = st.tuples(
    st.lists(st.none() | st.integers(0, 3), min_size=COUNT, max_size=COUNT),
    st.lists(st.sampled_from(["a", "A", "", "ä"]), min_size=COUNT, max_size=COUNT),
    st.lists(st.sampled_from([0.0, 0.0, 1e-9]), min_size=COUNT, max_size=COUNT),
    st.lists(st.booleans(), min_size=COUNT, max_size=COUNT).filter(any),
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=STATE, after=STATE)
def test_changes_are_what_pandas_finds(tmp_path_factory: pytest.TempPathFactory, before: Any, after: Any) -> None:
    folder = tmp_path_factory.mktemp("delta")
    old, new = frame(*before), frame(*after)

    result = changes(source(old, folder / "old.fgb"), source(new, folder / "new.fgb"), folder)

    old, new = old.set_index("key"), new.set_index("key")
    both = [key for key in new.index if key in old.index]
    expected = {key: "added" for key in new.index if key not in old.index}
    expected |= {key: "removed" for key in old.index if key not in new.index}
    for key in both:
        same = old["name"][key] == new["name"][key] and old.geometry[key].equals_exact(new.geometry[key], 0)
        same = same and (old["value"][key] == new["value"][key]) is np.True_ if old["value"].notna()[key] else same
        same = same and old["value"].isna()[key] == new["value"].isna()[key]
        if not same:
            expected[key] = "changed"
    made = geopandas.read_file(result.path)
    found = dict(zip(made["key"], made["change"], strict=True)) if len(made) else {}
    assert found == expected
    assert result.layers[0].changes == {
        kind: list(expected.values()).count(kind) for kind in ("added", "changed", "removed")
    }
    if len(made):
        made = made.set_index("key")
        for key, change in expected.items():
            state = old if change == "removed" else new
            assert made["name"][key] == state["name"][key]


@pytest.fixture
def states(tmp_path: Path) -> tuple[str, str]:
    numbers: list[int | None] = list(range(COUNT))
    old = frame(numbers, ["a"] * COUNT, [0.0] * COUNT, [n != 7 for n in range(COUNT)])
    new = frame([*numbers[:-1], 999], ["b"] * COUNT, [0.0] * COUNT, [n != 5 for n in range(COUNT)])
    return source(old, tmp_path / "old.fgb"), source(new, tmp_path / "new.fgb")


def test_columns_that_are_not_exported_do_not_count(states: tuple[str, str], tmp_path: Path) -> None:
    result = changes(*states, tmp_path, columns=("value",))

    made = geopandas.read_file(result.path)
    assert dict(zip(made["key"], made["change"], strict=True)) == {"K7": "added", "K5": "removed", "K59": "changed"}


def test_area_and_filter_are_asked_of_both(states: tuple[str, str], tmp_path: Path) -> None:
    area = parse({"type": "bbox", "coordinates": [0.0, 0.0, 0.065, 0.01]})
    result = changes(*states, tmp_path, columns=("value",), area=area, predicate=Predicate.CLIP)

    made = geopandas.read_file(result.path)
    assert dict(zip(made["key"], made["change"], strict=True)) == {"K5": "removed"}
    older, newer = states
    layer = LayerSource(
        "grid", newer, where='("value" > 50)', previous=Previous(older, '("value" > 50)', "key", ("value",))
    )
    result = export([layer], tmp_path, "filtered", ExportFormat.GPKG)
    assert dict(result.layers[0].changes or {}) == {"added": 0, "changed": 1, "removed": 0}


def test_a_layer_that_was_not_there_is_all_added(states: tuple[str, str], tmp_path: Path) -> None:
    result = changes(None, states[1], tmp_path, to=ExportFormat.CSV)

    assert result.layers[0].changes == {"added": COUNT - 1, "changed": 0, "removed": 0}


def test_a_key_that_occurs_twice_is_an_error(states: tuple[str, str], tmp_path: Path) -> None:
    table = geopandas.read_file(states[0])
    table.loc[0, "key"] = table.loc[1, "key"]

    with pytest.raises(EngineError, match="twice"):
        changes(source(table, tmp_path / "twice.fgb"), states[1], tmp_path)


def test_a_stop_leaves_nothing(states: tuple[str, str], tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()

    with pytest.raises(Cancelled):
        changes(*states, target, progress=lambda _: False)

    assert list(target.iterdir()) == []
