"""`terrafusion export`: from a county's layers to a file on this machine."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import Api
from cli.connection import connect, state_directory
from cli.failures import CommandFailure, UsageFailure
from cli.options import ApiOption, CountyArgument, JsonOption, StateOption, TokenOption
from cli.output import console, file_size, print_json, progress_bar

PLUGIN = "gis-export"


def export(
    county: CountyArgument,
    export_format: Annotated[str, typer.Option("--format", "-f", help="GPKG, Shapefile, GeoJSON, …")],
    layers: Annotated[list[str], typer.Option("--layer", "-l", help="A layer; once for each.")],
    aoi: Annotated[Path | None, typer.Option("--aoi", help="GeoJSON file with the area's polygons.")] = None,
    bbox: Annotated[str | None, typer.Option("--bbox", help="minx,miny,maxx,maxy in EPSG:4326.")] = None,
    crs: Annotated[str | None, typer.Option("--crs", help="Target CRS, such as EPSG:2927.")] = None,
    attributes: Annotated[str | None, typer.Option("--attributes", help="Columns to keep, with commas.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to write to.")] = None,
    api: ApiOption = None,
    token: TokenOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export layers of a county, wait for the file, and download it."""
    connection = connect(api, token, state_directory(state))
    request = build_request(county, export_format, layers, read_area(aoi, bbox), crs, attributes)
    results = run_to_end(connection, request, quiet=as_json)
    result = results["result"]
    target = target_path(output, result)
    size = connection.download(result["download_url"], target, result["sha256"])
    if as_json:
        print_json({**results, "downloaded_to": str(target)})
        return
    console.print(f"[bold]{target}[/bold]  {file_size(size)}, {result['result_record_count']:,} features")
    for layer in result["layers"]:
        console.print(f"  {layer['name']}: {layer['record_count']:,} {layer['geometry_type']}")
        for warning in layer["warnings"]:
            console.print(f"    [yellow]{warning}[/yellow]")
    console.print(f"  sha256 {result['sha256']}", soft_wrap=True)


def build_request(
    county: str,
    export_format: str,
    layers: list[str],
    area: dict[str, Any] | None,
    crs: str | None,
    attributes: str | None,
) -> dict[str, Any]:
    """The API's request from a command's options."""
    parameters: dict[str, Any] = {}
    if crs:
        parameters["coordinate_system"] = crs
    if attributes is not None:
        parameters["attributes"] = [name.strip() for name in attributes.split(",") if name.strip()]
    request: dict[str, Any] = {"county_id": county, "export_format": export_format, "layers": layers}
    if area is not None:
        request["area_of_interest"] = area
    if parameters:
        request["parameters"] = parameters
    return request


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


def run_to_end(connection: Api, request: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """Submit an export, show how it goes, and give its results document.

    Raises
    ------
    CommandFailure
        When the job did not complete.
    """
    job = connection.submit(PLUGIN, request)
    with progress_bar(hidden=quiet) as bar:
        task = bar.add_task(f"{request['export_format']} {', '.join(request['layers'])}", total=100)
        last = connection.wait(job, lambda d: bar.update(task, completed=d["progress"]))
    if last["status"] != "COMPLETED":
        reason = f" ({last['failure_reason']})" if last["failure_reason"] else ""
        raise CommandFailure(f"Job {last['job_id']} is {last['status']}: {last['message']}{reason}")
    return dict(connection.get(last["links"]["results"]))


def target_path(output: Path | None, result: dict[str, Any]) -> Path:
    """Where to write: the file named, or the result's own name in a folder."""
    name = result["result_file_location"].rsplit("/", 1)[1]
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output
