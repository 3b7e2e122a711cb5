"""Commands about counties: `load`, `counties`, `token`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.connection import connect, state_directory
from cli.failures import CommandFailure, UsageFailure
from cli.loading import LoadError, read_mapping
from cli.options import ApiOption, CountyArgument, JsonOption, StateOption, TokenOption
from cli.output import console, print_json, print_table, progress_bar
from cli.publishing import catalogue_at, publish_file
from local.issuer import Issuer
from terrafusion.counties import LayerManifest
from terrafusion.roles import RoleBook


def _known(roles: list[str]) -> list[str]:
    known = RoleBook.default().names
    for role in roles:
        if role not in known:
            raise typer.BadParameter(f"There is no role '{role}'; there are {', '.join(known)}.")
    return roles


def load(
    county: CountyArgument,
    layer: Annotated[str, typer.Argument(help="parcels, properties, sales, listings, or a map layer's name.")],
    file: Annotated[Path, typer.Argument(help="Anything GDAL reads, or a table with lon/lat or WKT.")],
    key: Annotated[str | None, typer.Option("--key", help="The column that identifies rows.")] = None,
    mappings: Annotated[list[str] | None, typer.Option("--map", help="STANDARD=COLUMN, once for each.")] = None,
    map_file: Annotated[Path | None, typer.Option("--map-file", help="YAML file of STANDARD: COLUMN.")] = None,
    crs: Annotated[str | None, typer.Option("--crs", help="The file's CRS, where it does not say.")] = None,
    source_layer: Annotated[str | None, typer.Option("--source-layer", help="Layer of the file to read.")] = None,
    style: Annotated[Path | None, typer.Option("--style", help="QGIS style (.qml) that exports bring.")] = None,
    bucket: Annotated[str | None, typer.Option("--bucket", help="Data bucket of a deployed stack.")] = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a file as a layer of a county's data."""
    try:
        mapping = {**(read_mapping(map_file) if map_file else {}), **_mapping(mappings or [])}
        with (
            catalogue_at(state_directory(state), bucket) as catalogue,
            progress_bar(hidden=as_json) as bar,
        ):
            task = bar.add_task(f"{county}/{layer}", total=1.0)
            manifest, version = publish_file(
                catalogue,
                county,
                layer,
                file,
                key=key,
                mapping=mapping,
                crs=crs,
                source_layer=source_layer,
                style=style,
                progress=lambda fraction: bar.update(task, completed=fraction),
            )
    except (LoadError, ValueError) as error:
        raise UsageFailure(str(error)) from error
    if as_json:
        print_json({"county_id": county, "dataset_version": version, "layer": manifest.model_dump(mode="json")})
        return
    _show_loaded(county, version, manifest)


def counties(
    api: ApiOption = None, token: TokenOption = None, state: StateOption = None, as_json: JsonOption = False
) -> None:
    """List the counties and their layers."""
    items = connect(api, token, state_directory(state)).get("/api/v1/counties")["items"]
    if as_json:
        print_json(items)
        return
    rows = [
        (
            item["county_id"],
            layer["name"],
            f"{layer['count']:,}",
            layer["geometry_type"] or "table",
            layer["crs"] or "-",
        )
        for item in items
        for layer in item["layers"]
    ]
    print_table(("county", "layer", "rows", "geometry", "CRS"), rows, ["rows"])


def token(
    role: Annotated[list[str], typer.Option("--role", callback=_known, help="A role; once for each.")],
    county: Annotated[list[str] | None, typer.Option("--county", help="A county; once for each.")] = None,
    subject: Annotated[str, typer.Option("--subject", help="Whom the token names.")] = "local-user",
    hours: Annotated[float, typer.Option("--hours", help="Its life.")] = 12,
    state: StateOption = None,
) -> None:
    """Print a bare token of the local issuer."""
    directory = state_directory(state)
    if not directory.is_dir():
        raise CommandFailure(f"There is no local cloud in {directory}; start one with `terrafusion up`.")
    issuer = Issuer(directory)
    typer.echo(issuer.token(subject, role, county or [], lifetime_seconds=int(hours * 3600)))


def _mapping(options: list[str]) -> dict[str, str]:
    pairs = [option.partition("=") for option in options]
    for option, (standard, equals, column) in zip(options, pairs, strict=True):
        if not (standard and equals and column):
            raise UsageFailure(f"--map wants STANDARD=COLUMN, not '{option}'.")
    return {standard: column for standard, _, column in pairs}


def _show_loaded(county: str, version: str, manifest: LayerManifest) -> None:
    quality = manifest.quality
    console.print(
        f"[bold]{county}/{manifest.layer}[/bold]  {manifest.count:,} rows, {manifest.geometry_type or 'table'}"
    )
    console.print(f"  CRS             {manifest.crs or '-'}")
    console.print(f"  layer version   {manifest.version}")
    console.print(f"  dataset version {version}")
    console.print(f"  read {quality.read:,}, stored {quality.stored:,}, repaired {quality.repaired:,}")
    if quality.quarantined:
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in quality.quarantine_reasons.items())
        console.print(f"  [yellow]quarantined {quality.quarantined:,}[/yellow] ({reasons}; see quarantine.csv)")
    if quality.duplicate_keys:
        examples = ", ".join(quality.duplicate_examples[:5])
        console.print(f"  [yellow]{quality.duplicate_keys:,} rows share their key[/yellow] ({examples}, …)")
    if quality.without_location:
        console.print(f"  {quality.without_location:,} rows have no location")
    for note in quality.notes:
        console.print(f"  {note}")
