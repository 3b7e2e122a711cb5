"""Where `load` publishes to: a deployed stack's bucket, the running local cloud, or its folder while none runs."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from cli.connection import RunningCloud
from cli.loading import prepare
from local.cloud import data_bucket_offline
from terrafusion.counties import Catalogue, LayerManifest
from terrafusion.storage import Storage

SAMPLE_COUNTY = "sample"
SAMPLE_MAP_LAYERS = ("parcels", "zoning", "neighborhoods", "roads")
SAMPLE_TABLES = ("properties", "sales", "listings")
SAMPLE_KEYS = {"parcels": "property_id", "properties": "property_id", "sales": "sale_id", "listings": "listing_id"}


@contextmanager
def catalogue_at(state: Path, bucket: str | None) -> Iterator[Catalogue]:
    """The counties of a deployed stack (with its data bucket named) or of the local cloud."""
    if bucket:
        yield Catalogue(Storage(boto3.client("s3"), bucket))
        return
    running = RunningCloud.find(state)
    if running is None:
        with data_bucket_offline(state) as (client, name):
            yield Catalogue(Storage(client, name))
        return
    yield Catalogue(Storage(_client(running), running.data_bucket))


def publish_file(
    catalogue: Catalogue,
    county: str,
    layer: str,
    file: Path,
    *,
    key: str | None = None,
    mapping: Mapping[str, str] | None = None,
    crs: str | None = None,
    source_layer: str | None = None,
    style: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[LayerManifest, str]:
    """Prepare a file as a layer and publish it; gives the layer's manifest and the county's new version."""
    with tempfile.TemporaryDirectory(prefix="terrafusion-load-") as directory:
        prepared = prepare(
            file,
            layer,
            Path(directory),
            key=key,
            mapping=mapping or {},
            crs=crs,
            source_layer=source_layer,
            style=style,
            progress=progress,
        )
        snapshot = catalogue.publish(county, prepared.manifest, prepared.directory)
        return snapshot.layers[layer], snapshot.version


def publish_sample(catalogue: Catalogue, directory: Path, parcels: int, say: Callable[[str], None]) -> None:
    """Generate the sample county and publish all its layers."""
    from local.sample import STYLES, write

    files = write(directory, parcels=parcels, progress=say)
    for name in (*SAMPLE_MAP_LAYERS, *SAMPLE_TABLES):
        file = getattr(files, name) if name in SAMPLE_TABLES else files.geopackage
        key = SAMPLE_KEYS.get(name)
        manifest, _ = publish_file(catalogue, SAMPLE_COUNTY, name, file, key=key, style=STYLES.get(name))
        say(f"published {name}: {manifest.count:,} rows")


def _client(running: RunningCloud) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=running.aws_url,
        aws_access_key_id=running.access_key,
        aws_secret_access_key=running.secret_key,
        region_name=running.region,
        config=Config(signature_version="s3v4"),
    )
