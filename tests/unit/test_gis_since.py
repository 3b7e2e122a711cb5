"""What changed since: which states can be compared, and the column that tells the change."""

from typing import Any

import pytest
from pyproj import CRS

from gis_export.acceptance import understand
from gis_export.delta import change_column
from gis_export.plan import ExportPlan
from terrafusion.counties import Field, FieldType, LayerManifest
from terrafusion.errors import Impossible
from tests.unit.test_gis_division import DEFAULT, county, layer, request


def parcels(crs: str | None = "EPSG:2927", **more: Any) -> LayerManifest:
    wkt = CRS(2927).to_wkt() if crs is None else None
    return layer("parcels", 10).model_copy(update={"crs": crs, "crs_wkt": wkt, **more})


def compared(newer: LayerManifest, older: LayerManifest, **more: Any) -> ExportPlan:
    now, then = (county(each).model_copy(update={"version": name * 16}) for each, name in ((newer, "b"), (older, "a")))
    return understand(request(since="a" * 16, **more), now, DEFAULT, older=then)


def test_states_in_different_coordinate_systems_are_not_compared() -> None:
    with pytest.raises(Impossible, match=r"is in EPSG:4326, and was in EPSG:2927 .*Ask for all of it") as caught:
        compared(parcels("EPSG:4326"), parcels())

    assert caught.value.errors[0].field == "parameters.since"


def test_the_same_system_in_other_words_is_the_same() -> None:
    assert compared(parcels(), parcels(None)).since
    assert compared(parcels(), parcels()).since


def test_a_state_without_places_has_no_system_to_differ() -> None:
    assert compared(parcels(), parcels(crs=None, crs_wkt=None, files=())).since


@pytest.mark.parametrize(("taken", "wanted"), [((), "change"), (("change",), "change_"), (("CHANGE",), "change_")])
def test_the_column_of_the_change_has_a_name_that_no_column_of_the_layer_s_has(
    taken: tuple[str, ...], wanted: str
) -> None:
    fields = (*layer("parcels", 1).fields, *(Field(name=name, type=FieldType.STRING) for name in taken))
    newer, older = parcels(fields=fields), parcels()

    plan = compared(newer, older, attributes=["geo_pin"])

    assert change_column([field.name for field in fields]) == wanted
    assert plan.attributes == {"parcels": ("property_id", "geo_pin", wanted)}
