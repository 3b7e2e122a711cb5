"""What an export may come to: the county's limits, and what formats and workers hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gis_export.formats import FORMATS, ExportFormat
from gis_export.gdal import TooLarge

DBF_WIDTHS: Mapping[str, int] = {
    "Integer": 10, "Int16": 6, "Integer64": 18, "Real": 24, "Float32": 24, "Date": 8, "Boolean": 1, "DateTime": 24,
}  # fmt: skip
"""Bytes of a column in a Shapefile's table; of text they are its width, 254 at most."""
TEXT_WIDTH = 254


@dataclass(frozen=True, slots=True)
class Limits:
    """A county's limits; None where there is none. `features` is the sum over an export's layers."""

    features: int | None = None
    result_bytes: int | None = None

    def check_features(self, count: int) -> None:
        """Refuse more features than the county allows.

        Raises
        ------
        TooLarge
        """
        if self.features is not None and count > self.features:
            raise TooLarge(
                f"The export has {count:,} features; this county's limit is {self.features:,}. Ask for a smaller area, "
                "a filter, or fewer layers."
            )

    def check_bytes(self, size: int) -> None:
        """Refuse a larger file than the county allows; see `check_features`."""
        if self.result_bytes is not None and size > self.result_bytes:
            raise TooLarge(
                f"The file has {size:,} bytes; this county's limit is {self.result_bytes:,}. Ask for a smaller area, a "
                "filter, fewer attributes, or a format that takes less, such as GeoParquet."
            )


@dataclass(frozen=True, slots=True)
class Column:
    """A column as far as its room in a file goes; `width` in bytes, 0 or None when not known."""

    type: str
    width: int | None


def check_format(export_format: ExportFormat, layer: str, count: int, columns: Sequence[Column]) -> None:
    """Refuse a layer that the format cannot hold, before anything is written; see `Limits.check_features`."""
    spec = FORMATS[export_format]
    parts = f"in parts, by features_per_part of at most {rows_held(export_format, columns) or 0:,}"
    if spec.max_rows is not None and count > spec.max_rows:
        raise TooLarge(
            f"'{layer}' has {count:,} rows, and {export_format} holds {spec.max_rows:,}; ask for CSV or GPKG, "
            f"for less, or for all {parts}."
        )
    size = table_bytes(count, columns)
    if spec.max_bytes is not None and size > spec.max_bytes:
        raise TooLarge(
            f"The table of '{layer}' would have {size:,} bytes, and {export_format} holds {spec.max_bytes:,}; "
            f"ask for GPKG or FileGDB, for fewer attributes, for less, or for all {parts}."
        )


def rows_held(export_format: ExportFormat, columns: Sequence[Column]) -> int | None:
    """Rows of a table that a file of the format holds; None where it holds any number."""
    spec = FORMATS[export_format]
    if spec.max_bytes is not None:
        return spec.max_bytes // table_bytes(1, columns)
    return spec.max_rows


def table_bytes(count: int, columns: Sequence[Column]) -> int:
    """The size of a table of fixed width, as Shapefiles and MapInfo have."""
    widths = [
        min(TEXT_WIDTH, c.width or TEXT_WIDTH) if c.type == "String" else DBF_WIDTHS.get(c.type, 24) for c in columns
    ]
    return count * (1 + sum(widths))
