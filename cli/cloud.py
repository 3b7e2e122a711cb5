"""Commands of the local cloud: `up`, `sample`."""

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cli.connection import state_directory
from cli.options import StateOption
from cli.output import console, errors
from cli.publishing import SAMPLE_COUNTY, catalogue_at, publish_sample
from local.cloud import TEMPLATE, Cloud
from local.issuer import Issuer
from local.sam import SamContainers, host_architecture
from terrafusion.auth import Role

SAMPLE_PARCELS = 20_000


def up(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the API.")] = 3000,
    state: StateOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not show the functions' logs.")] = False,
    with_sample: Annotated[bool, typer.Option("--sample", help="Have the sample county.")] = False,
    examples: Annotated[bool, typer.Option("--examples", help="Print curl lines to try.")] = False,
    template: Annotated[Path, typer.Option("--template", help="Another template than ours.")] = TEMPLATE,
    sam: Annotated[bool, typer.Option("--sam", help="Run what `make build` made in SAM's containers.")] = False,
) -> None:
    """Run the local cloud in the foreground, until Ctrl-C."""
    directory = state_directory(state)
    engine = SamContainers(port, host_architecture(), os.environ.get("SAM_BASE_IMAGE")) if sam else None
    cloud = Cloud(template, directory, port=0 if sam else port, quiet=quiet, engine=engine)
    cloud.start()
    try:
        if with_sample:
            _ensure_sample(directory)
        errors.print(f"[bold]{cloud.url}[/bold]  API, /api/v1/docs   (state in {directory}, Ctrl-C to stop)")
        errors.print(f"{cloud.metrics_url}  metrics")
        if examples:
            _print_examples(cloud.url, directory)
    except BaseException:
        cloud.stop()
        raise
    cloud.serve_forever()


def sample(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = Path("sample_county"),
    parcels: Annotated[int, typer.Option("--parcels", help="How many lots, about.")] = SAMPLE_PARCELS,
    seed: Annotated[int, typer.Option("--seed", help="Another seed is another county.")] = 2927,
) -> None:
    """Write the sample county's files, as a county would hand them over."""
    from local.sample import write

    output.mkdir(parents=True, exist_ok=True)
    files = write(output, parcels=parcels, seed=seed, progress=errors.print)
    for path in (files.geopackage, files.properties, files.sales, files.listings):
        console.print(str(path))


def _ensure_sample(state: Path) -> None:
    with catalogue_at(state, None) as catalogue, tempfile.TemporaryDirectory() as directory:
        if SAMPLE_COUNTY not in catalogue.county_ids():
            publish_sample(catalogue, Path(directory), SAMPLE_PARCELS, lambda text: errors.print(f"  {text}"))


def _print_examples(url: str, state: Path) -> None:
    token = Issuer(state).token("gis@sample", [Role.GIS_STAFF], [SAMPLE_COUNTY])
    body = json.dumps({"county_id": SAMPLE_COUNTY, "export_format": "GPKG", "layers": ["parcels"]})
    read_id = """python3 -c 'import json,sys; print(json.load(sys.stdin)["job_id"])'"""
    call = f'curl -s -H "Authorization: Bearer $TOKEN" {url}/api/v1'
    for line in (
        "",
        "# in another terminal:",
        f"TOKEN={token}",
        f"{call}/counties",
        f"JOB=$({call}/gis-export/run -d '{body}' | {read_id})",
        f"{call}/gis-export/status/$JOB",
        f"{call}/gis-export/results/$JOB",
        f'curl -sL -H "Authorization: Bearer $TOKEN" {url}/api/v1/gis-export/download/$JOB -o parcels.gpkg',
        f"curl -s {url}/metrics | grep gis_export",
        "",
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
