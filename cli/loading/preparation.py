"""Prepare a layer: one pass over the source into a draft, one over the draft into the snapshot's files."""

import hashlib
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyogrio
import shapely

from cli.loading.dataset import REMEDY, Dataset
from cli.loading.drafting import draft_layer
from cli.loading.errors import LoadError
from cli.loading.files import Content, examine
from cli.loading.locations import box_in_degrees, epsg
from cli.loading.outputs import Draft, describe, write_flatgeobuf, write_parquet
from cli.loading.plan import LayerPlan, Options, plan_layer
from cli.loading.shapes import STORED_TYPE, Family, promote
from cli.loading.styles import STYLE, read_style
from cli.loading.tally import Tally
from terrafusion.counties import LayerKind, LayerManifest, Quality, Source
from terrafusion.counties.catalogue import LAYER_NAME

LOADER = "2"  # of the snapshot's format: a new one makes new versions of the same sources
READING = 0.6  # share of the first pass in the progress
GDAL_NOTES = 5
UNREADABLE = (pyogrio.errors.DataSourceError, pyogrio.errors.FeatureError, pa.ArrowException, OSError)


@dataclass(frozen=True, slots=True)
class PreparedLayer:
    """A layer ready to be published: `directory` holds the files that the manifest lists, and nothing else."""

    manifest: LayerManifest
    directory: Path


def prepare(
    file: Path,
    layer: str,
    directory: Path,
    *,
    key: str | None = None,
    mapping: Mapping[str, str] | None = None,
    crs: str | None = None,
    source_layer: str | None = None,
    style: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> PreparedLayer:
    """Make a layer's files out of anything that GDAL reads (or GeoParquet), in constant memory but for the keys.

    The same content and options give the same version and the same bytes.

    Parameters
    ----------
    file
        A file or folder; archives (.zip, .shz) are read in place, a Shapefile with its siblings.
    layer
        `parcels` (polygons), `properties` or `sales` (tables, located or not), or a map layer's name.
    directory
        An empty folder, made when missing.
    key
        The column that identifies rows, by its own or its standard name.
    mapping
        The county's column by standard field; it is renamed and given the standard type.
    crs
        Where the file does not say its own.
    source_layer
        Which layer of the file, where that is not clear.
    style
        A QML file, which goes with the layer's exports.
    progress
        Called with the fraction done.

    Raises
    ------
    LoadError
        Naming the cause, the place and what to do.
    """
    if not LAYER_NAME.fullmatch(layer):
        raise LoadError(f"'{layer}' cannot be a layer's name: a-z, 0-9 and _, beginning with a letter.")
    drawn = read_style(style) if style else None
    options = Options(layer, key, dict(mapping or {}), crs, source_layer, drawn)
    content = examine(file)
    directory.mkdir(parents=True, exist_ok=True)
    say = progress or (lambda _: None)
    with warnings.catch_warnings(record=True) as caught, tempfile.TemporaryDirectory(dir=directory) as folder:
        warnings.simplefilter("always")
        with _reading(file.name):
            plan = plan_layer(file, options)
            rows = plan.dataset.count
            draft, tally = draft_layer(
                plan, Path(folder), lambda n: say(READING * min(1.0, n / rows) if rows > 0 else 0)
            )
        manifest = _manifest(plan, tally, options, _source(file, content, plan.dataset), _gdal_notes(caught))
        names = _write(plan, manifest, draft, tally, Path(folder), lambda share: say(READING + (1 - READING) * share))
        if drawn is not None:
            Path(folder, STYLE).write_text(drawn, encoding="utf-8")
            names.append(STYLE)
        files = tuple(describe(Path(folder, name).rename(directory / name)) for name in names)
    say(1.0)
    return PreparedLayer(manifest.model_copy(update={"files": files}), directory)


@contextmanager
def _reading(file: str) -> Iterator[None]:
    """Whatever keeps a source from being read is a LoadError."""
    try:
        yield
    except shapely.errors.GEOSException as error:
        raise LoadError(f"{file} holds geometry that cannot be read: {error}. {REMEDY}") from error
    except UNREADABLE as error:
        raise LoadError(f"{file} is damaged or cut short: {error}. {REMEDY}") from error


def _manifest(
    plan: LayerPlan, tally: Tally, options: Options, source: Source, gdal_notes: tuple[str, ...]
) -> LayerManifest:
    located, bounds = plan.located, tally.bounds
    return LayerManifest(
        layer=plan.layer,
        version=_version(source.sha256, options),
        kind=plan.kind,
        geometry_type=_geometry_type(located.family, tally) if located and bounds else None,
        crs=epsg(located.crs) if located and bounds else None,
        crs_wkt=located.crs.to_wkt() if located and bounds else None,
        bbox=box_in_degrees(bounds, located.crs, plan.file) if located and bounds else None,
        native_bbox=bounds,
        count=tally.stored,
        fields=tuple(field.as_field() for field in tally.fields.values()),
        key=plan.columns.key,
        source=source,
        quality=_quality(plan, tally, gdal_notes),
        files=(),
        loader=LOADER,
    )


def _quality(plan: LayerPlan, tally: Tally, gdal_notes: tuple[str, ...]) -> Quality:
    duplicates = tally.duplicates()
    notes = [*plan.notes, *(note for field in tally.fields.values() if (note := field.check()))]
    if tally.flattened:
        notes.append(f"heights or measures dropped from {tally.flattened:,} geometries")
    if keyless := tally.keyless():
        notes.append(f"{keyless:,} rows have no {plan.columns.key}")
    if duplicates.keys:
        extra = duplicates.rows - duplicates.keys
        notes.append(f"{duplicates.keys:,} keys occur more than once: {extra:,} rows beyond the first of each")
    return Quality(
        read=tally.read,
        stored=tally.stored,
        repaired=tally.repaired,
        quarantined=tally.read - tally.stored,
        quarantine_reasons=dict(sorted(tally.reasons.items())),
        duplicate_keys=duplicates.rows,
        duplicate_examples=duplicates.examples,
        without_location=tally.stored - tally.located if plan.kind is LayerKind.TABLE else 0,
        notes=(*notes, *gdal_notes),
    )


def _gdal_notes(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    texts = dict.fromkeys(str(item.message) for item in caught if issubclass(item.category, RuntimeWarning))
    return tuple(f"GDAL: {text}" for text in texts)[:GDAL_NOTES]


def _version(checksum: str, options: Options) -> str:
    """16 hex digits that follow from the content and the options."""
    document = json.dumps({"content": checksum, "loader": LOADER, **asdict(options)}, sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()[:16]


def _source(file: Path, content: Content, dataset: Dataset) -> Source:
    return Source(
        name=file.name,
        layer=dataset.layer,
        driver=dataset.driver,
        sha256=content.sha256,
        size_bytes=content.size_bytes,
        crs=epsg(dataset.crs) or dataset.crs.name if dataset.crs else None,
    )


def _geometry_type(family: Family, tally: Tally) -> str:
    return "MultiPoint" if family is Family.POINT and tally.multi_points else STORED_TYPE[family]


def _write(
    plan: LayerPlan, manifest: LayerManifest, draft: Draft, tally: Tally, folder: Path, say: Callable[[float], None]
) -> list[str]:
    """Write the layer's files into `folder`; gives their names."""
    geometry_type, crs = manifest.geometry_type, manifest.crs or manifest.crs_wkt
    names = [*(["data.fgb"] if geometry_type else []), *(["data.parquet"] if plan.kind is LayerKind.TABLE else [])]
    done = 0

    def written(rows: int) -> None:
        nonlocal done
        done += rows
        say(done / (len(names) * tally.stored))

    if plan.located and geometry_type and crs:
        family, single = plan.located.family, geometry_type == "Point"
        write_flatgeobuf(
            folder / "data.fgb",
            draft,
            manifest.fields,
            layer=plan.layer,
            geometry_type=geometry_type,
            crs=crs,
            promote=lambda geometries: geometries if single else promote(geometries, family),
            written=written,
        )
    if plan.kind is LayerKind.TABLE:
        write_parquet(folder / "data.parquet", draft, manifest.fields, written)
    return [*names, *(["quarantine.csv"] if manifest.quality.quarantined else [])]
