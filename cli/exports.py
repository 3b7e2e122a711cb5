"""`terrafusion export`: from a county's layers to a file on this machine."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.connection import connect, state_directory
from cli.failures import UsageFailure
from cli.fetching import fetch, layers_of_parts
from cli.options import ApiOption, CountyArgument, JsonOption, StateOption, TokenOption
from cli.output import console, file_size, print_json
from cli.running import run_to_end

PLUGIN = "gis-export"


def export(
    county: CountyArgument,
    export_format: Annotated[str, typer.Option("--format", "-f", help="GPKG, Shapefile, GeoJSON, …")],
    layers: Annotated[list[str], typer.Option("--layer", "-l", help="A layer; once for each.")],
    aoi: Annotated[Path | None, typer.Option("--aoi", help="GeoJSON file with the area's polygons.")] = None,
    bbox: Annotated[str | None, typer.Option("--bbox", help="minx,miny,maxx,maxy in EPSG:4326.")] = None,
    crs: Annotated[str | None, typer.Option("--crs", help="Target CRS, such as EPSG:2927.")] = None,
    attributes: Annotated[str | None, typer.Option("--attributes", help="Columns to keep, with commas.")] = None,
    where: Annotated[str | None, typer.Option("--filter", help="A condition in CQL2, as text or JSON.")] = None,
    within: Annotated[bool, typer.Option("--within", help="Only what lies wholly within the area.")] = False,
    clip: Annotated[bool, typer.Option("--clip", help="Cut features at the area's edge.")] = False,
    tolerance: Annotated[
        float | None, typer.Option("--simplify", help="Tolerance, in units of the target CRS.")
    ] = None,
    precision: Annotated[int | None, typer.Option("--precision", help="Decimals of coordinates.")] = None,
    make_valid: Annotated[bool, typer.Option("--make-valid", help="Repair invalid geometries.")] = False,
    values: Annotated[bool, typer.Option("--values", help="Join assessed values onto layers that lack them.")] = False,
    since: Annotated[str | None, typer.Option("--since", help="A version or job: only what changed since.")] = None,
    bundle: Annotated[bool, typer.Option("--bundle", help="A zip with manifest, README and area.")] = False,
    per_part: Annotated[
        int | None, typer.Option("--features-per-part", help="Numbered files of at most so many features.")
    ] = None,
    all_or_nothing: Annotated[bool, typer.Option("--all-or-nothing", help="No layer without the others.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to write to.")] = None,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export layers of a county, wait for the file, and download it."""
    connection = connect(api, token, state_directory(state))
    parameters = {
        "coordinate_system": crs,
        "attributes": None if attributes is None else [name.strip() for name in attributes.split(",") if name.strip()],
        "filter": read_filter(where),
        "spatial_predicate": "within" if within else None,
        "clip": clip or None,
        "simplify_tolerance": tolerance,
        "precision": precision,
        "make_valid": make_valid or None,
        "include_assessment_data": values or None,
        "since": since,
        "bundle": bundle or None,
        "features_per_part": per_part,
        "all_or_nothing": all_or_nothing or None,
    }
    request = build_request(county, export_format, layers, read_area(aoi, bbox), parameters)
    if not as_json:
        console.print(foretold(connection.post(f"/api/v1/{PLUGIN}/estimate", request)), style="dim", soft_wrap=True)
    results = run_to_end(connection, PLUGIN, request, title_of(request), quiet=as_json)
    result = results["result"]
    target, size = fetch(connection, result, output)
    if as_json:
        print_json({**results, "downloaded_to": str(target)})
        return
    parts = layers_of_parts(result)
    made = f"{len(parts)} parts and their manifest, {file_size(size)}" if parts else file_size(size)
    console.print(f"[bold]{target}[/bold]  {made}, {result['result_record_count']:,} features", soft_wrap=True)
    for layer in result["layers"]:
        console.print(f"  {layer['name']}: {layer['record_count']:,} {layer['geometry_type']}")
        for warning in layer["warnings"]:
            console.print(f"    [yellow]{warning}[/yellow]")
    if not parts:
        console.print(f"  sha256 {result['sha256']}", soft_wrap=True)


def build_request(
    county: str,
    export_format: str,
    layers: list[str],
    area: dict[str, Any] | None,
    parameters: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The API's request from a command's options; a parameter that is None was not given."""
    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    request: dict[str, Any] = {"county_id": county, "export_format": export_format, "layers": layers}
    if area is not None:
        request["area_of_interest"] = area
    if given:
        request["parameters"] = given
    return request


def title_of(request: Mapping[str, Any]) -> str:
    """What the progress bar calls an export."""
    return f"{request['export_format']} {', '.join(request['layers'])}"


def foretold(estimate: Mapping[str, Any]) -> str:
    """An estimate in words."""
    about = "" if all(layer["exact"] for layer in estimate["layers"]) else "at most about "
    parts = f", in {estimate['parts']:,} parts" if estimate["parts"] > 1 else ""
    size, seconds = file_size(estimate["bytes"]), estimate["seconds"]
    text = f"{about}{estimate['features']:,} features, some {size} in {seconds:.0f} s{parts}"
    return f"{text}; a limit will refuse it: {estimate['refusal']}" if estimate["refusal"] else text


def read_filter(text: str | None) -> str | dict[str, Any] | None:
    """A filter as CQL2-JSON where it looks like that, else as text."""
    if text is None or not text.lstrip().startswith("{"):
        return text
    try:
        return dict(json.loads(text))
    except ValueError as error:
        raise UsageFailure(f"--filter begins as JSON, and is none: {error}") from error


def read_area(aoi: Path | None, bbox: str | None) -> dict[str, Any] | None:
    """The area of interest that a file or a box describes."""
    if aoi and bbox:
        raise UsageFailure("Give --aoi or --bbox, not both.")
    if bbox:
        try:
            numbers = [float(part) for part in bbox.split(",")]
        except ValueError:
            raise UsageFailure(f"--bbox wants four numbers minx,miny,maxx,maxy, not '{bbox}'.") from None
        return {"type": "bbox", "coordinates": numbers}
    if not aoi:
        return None
    try:
        area = json.loads(aoi.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageFailure(f"{aoi} cannot be read: {error}") from error
    except ValueError as error:
        raise UsageFailure(f"{aoi} is not JSON: {error}") from error
    if not isinstance(area, dict):
        raise UsageFailure(f"{aoi} holds no GeoJSON object.")
    return area
