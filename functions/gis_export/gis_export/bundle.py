"""What goes into a zip beside the data: the manifest, a README, the area, and what the columns are."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gis_export.formats import FORMATS
from gis_export.plan import ExportPlan
from terrafusion.counties import CountySnapshot

MANIFEST, README, AREA, FIELDS = "manifest.json", "README.txt", "area_of_interest.geojson", "fields.csv"


def write_companions(folder: Path, document: Mapping[str, Any], plan: ExportPlan, snapshot: CountySnapshot) -> None:
    """Write the files that go with an export's data; `document` is its manifest."""
    (folder / MANIFEST).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / README).write_text(readme(document, plan), encoding="utf-8")
    (folder / FIELDS).write_text(field_dictionary(document, plan, snapshot), encoding="utf-8")
    if plan.area:
        feature = {"type": "Feature", "properties": {"area_sq_km": plan.area.area_sq_km}, "geometry": plan.area.geojson}
        collection = {"type": "FeatureCollection", "features": [feature]}
        (folder / AREA).write_text(json.dumps(collection) + "\n", encoding="utf-8")


def field_dictionary(document: Mapping[str, Any], plan: ExportPlan, snapshot: CountySnapshot) -> str:
    """The columns as CSV: their names in the file and at the county, their types, widths in bytes, and losses."""
    target = io.StringIO()
    rows = csv.writer(target, lineterminator="\n")
    rows.writerow(["layer", "name_in_file", "name", "name_at_source", "type", "width", "losses"])
    for layer in document["layers"]:
        kept = None if plan.attributes is None else set(plan.attributes[layer["name"]])
        losses = _by_column(layer["losses"])
        brought = set(plan.joined.get(layer["name"], ()))
        joined = [field for field in snapshot.layers["properties"].fields if field.name in brought] if brought else []
        for field in (*snapshot.layers[layer["name"]].fields, *joined):
            if kept is not None and field.name not in kept:
                continue
            named = layer["field_crosswalk"].get(field.name, field.name)
            told = "; ".join(losses.get(field.name, ()))
            origin = field.source_name or field.name
            rows.writerow([layer["name"], named, field.name, origin, field.type.value, field.width or "", told])
    return target.getvalue()


def _by_column(losses: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for loss in losses:
        if loss["column"] is not None:
            found.setdefault(loss["column"], []).append(str(loss["message"]))
    return found


def readme(document: Mapping[str, Any], plan: ExportPlan) -> str:
    """The export in words, for whoever opens the zip."""
    title = f"{document['county'] or document['county_id']}: {', '.join(plan.layers)} as {plan.export_format}"
    lines = [title, "=" * len(title), ""]
    lines += [f"Dataset version    {document['dataset_version']}", f"Coordinate system  {plan.crs[:100]}"]
    lines += [f"Requested          {document['requested_at']}, job {document['job_id']}"]
    if plan.area:
        lines.append(f"Area               {plan.area.area_sq_km:,.2f} km2, {plan.predicate}; see {AREA}")
    lines += [f"Filter, {name}     {json.dumps(tree)}" for name, tree in plan.filters.items()]
    for title, text in (("Licence", document["licence"]), ("Attribution", document["attribution"])):
        lines += ["", title, "-" * len(title), text] if text else []
    lines += ["", "Layers", "------"]
    for layer in document["layers"]:
        lines.append(f"{layer['name']}: {layer['record_count']:,} features, {layer['geometry_type']}")
        lines += [f"  - {warning}" for warning in layer["warnings"]]
        lines += [f"  - style for QGIS: {layer['style']}"] if layer["style"] else []
    lines += [
        f"{layer}: left out, as your role may not see them: {', '.join(fields)}"
        for layer, fields in document["redacted"].items()
    ]
    lines += ["", "Files", "-----", *(f"{file['name']}  {file['bytes']:,} bytes" for file in document["files"])]
    lines += [f"{FIELDS}  what the columns are", f"{MANIFEST}  all of this for programs, with checksums"]
    notes = FORMATS[plan.export_format].notes
    lines += ["", f"What {plan.export_format} cannot hold", "", *(f"- {note}" for note in notes)] if notes else []
    return "\n".join(lines) + "\n"
