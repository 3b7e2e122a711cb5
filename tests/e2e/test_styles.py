"""A style that an operator loads with a layer comes with the layer's exports."""

import json
import os
import sqlite3
import subprocess
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from local.sample import STYLES
from tests.e2e.support import Client, LocalCloud, terrafusion

COUNTY = "styled"


@pytest.fixture(scope="module")
def analyst(cloud: LocalCloud, sample_files: Path, as_role: Callable[..., Client]) -> Client:
    options = ("--style", str(STYLES["zoning"]), "--state", str(cloud.state))
    terrafusion("load", COUNTY, "zoning", str(sample_files / "sample_county.gpkg"), *options)
    return as_role("GISStaff", COUNTY)


def test_a_geopackage_has_it_within(analyst: Client, tmp_path: Path) -> None:
    job = analyst.submit("GPKG", ("zoning",))

    with closing(sqlite3.connect(analyst.fetch(job, tmp_path))) as database:
        rows = database.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault").fetchall()
    assert rows == [("zoning", STYLES["zoning"].read_text())]
    assert analyst.result(job)["manifest"]["layers"][0]["style"] == "layer_styles"


def test_a_bundle_has_it_beside_the_data_and_says_so(analyst: Client, tmp_path: Path) -> None:
    path = analyst.export(tmp_path, "GeoJSON", ("zoning",), parameters={"bundle": True})

    archive = zipfile.ZipFile(path)
    data = next(name for name in archive.namelist() if name.endswith(".geojson") and "area" not in name)
    style = f"{data.removesuffix('.geojson')}.qml"
    assert archive.read(style).decode() == STYLES["zoning"].read_text()
    assert f"style for QGIS: {style}" in archive.read("README.txt").decode()
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["layers"][0]["style"] == style
    assert {data, style} == {file["name"] for file in manifest["files"]}


def test_what_is_no_style_is_refused_before_anything_is_loaded(
    cloud: LocalCloud, sample_files: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.qml").write_text('<!DOCTYPE qgis [<!ENTITY a "b">]><qgis>&a;</qgis>')
    options = ("--style", str(tmp_path / "bad.qml"), "--state", str(cloud.state))

    done = terrafusion("load", COUNTY, "roads", str(sample_files / "sample_county.gpkg"), *options, check=False)

    assert done.returncode != 0
    assert "declares a document type or entities" in " ".join(done.stderr.split())


QGIS = """
import json, sys
from qgis.core import QgsApplication, QgsVectorLayer
application = QgsApplication([], False)
application.initQgis()
layer = QgsVectorLayer(sys.argv[1], "layer", "ogr")
renderer = layer.renderer()
told = [layer.featureCount(), type(renderer).__name__, renderer.classAttribute(), len(renderer.categories())]
print("told", json.dumps(told))
del renderer, layer
application.exitQgis()
"""


def _opened_by_qgis(path: Path) -> list[object]:
    """Features, kind of drawing, its column and its classes, as Debian's QGIS takes them from a file that it opens."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = ["/usr/bin/python3", "-c", QGIS, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout.rpartition("told ")[2].splitlines()[0]))


@pytest.mark.skipif(not Path("/usr/lib/python3/dist-packages/qgis").exists(), reason="no QGIS (Debian: python3-qgis)")
@pytest.mark.parametrize("export_format", ["GPKG", "Shapefile", "FlatGeobuf", "GeoJSON"])
def test_qgis_opens_it_styled(analyst: Client, tmp_path: Path, export_format: str) -> None:
    job = analyst.submit(export_format, ("zoning",), parameters={"bundle": True})
    zipfile.ZipFile(analyst.fetch(job, tmp_path)).extractall(tmp_path)
    suffix = {"Shapefile": ".shp", "FlatGeobuf": ".fgb"}.get(export_format, f".{export_format.lower()}")
    (data,) = [path for path in tmp_path.glob(f"*{suffix}") if "area" not in path.name]

    count = analyst.result(job)["result_record_count"]
    classes = STYLES["zoning"].read_text().count("<category ")
    assert _opened_by_qgis(data) == [count, "QgsCategorizedSymbolRenderer", "zoning", classes]
