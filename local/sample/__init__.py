"""A believable county for people without one: generated, the same every time, in Washington State Plane feet."""

from pathlib import Path

from local.sample.files import COUNTY_ID, SampleFiles, write
from local.sample.prices import Assessor, PriceModel

STYLES = {name: Path(__file__).with_name("styles") / f"{name}.qml" for name in ("parcels", "zoning")}
"""QGIS styles of layers: parcels by class, zoning by district."""

__all__ = ["COUNTY_ID", "STYLES", "Assessor", "PriceModel", "SampleFiles", "write"]
