"""`python -m tests.bench.rates`: measure how long each format takes and how large it gets, for estimates.

Option: `--parcels N` (50,000). Writes functions/gis_export/gis_export/rates.json. Seconds are the processor's: on a
busy machine they are as on an idle one.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(path) for path in sorted(ROOT.glob("functions/*"))]

from cli.loading import prepare  # noqa: E402
from gis_export.engine import export  # noqa: E402
from gis_export.formats import ExportFormat  # noqa: E402
from gis_export.rates import RATES  # noqa: E402
from gis_export.selection import LayerSource  # noqa: E402
from local.sample import write  # noqa: E402


def main() -> None:
    """Measure every format, and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parcels", type=int, default=50_000)
    parcels = parser.parse_args().parcels
    with tempfile.TemporaryDirectory(prefix="terrafusion-rates-") as name:
        folder = Path(name)
        files = write(folder, parcels=parcels)
        source = prepare(files.geopackage, "parcels", folder / "layer", key="property_id").directory / "data.fgb"
        rates = {}
        for export_format in ExportFormat:
            started = time.process_time()
            result = export([LayerSource("parcels", str(source))], folder, "out", export_format)
            seconds = time.process_time() - started
            rates[export_format.value] = {
                "seconds_per_million": round(seconds / parcels * 1e6, 1),
                "bytes_per_source_byte": round(result.size_bytes / source.stat().st_size, 3),
            }
            result.path.unlink()
            sys.stderr.write(f"{export_format}: {rates[export_format.value]}\n")
    RATES.write_text(json.dumps(rates, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
