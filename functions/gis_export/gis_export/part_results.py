"""What became of an export's parts, and what it comes to for the layers as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from gis_export.formats import LossKind
from gis_export.losses import Loss
from gis_export.order import EMPTY, LayerResult
from gis_export.parts import Part
from terrafusion.jobs.work import KeptFile


@dataclass(frozen=True, slots=True)
class PartResult:
    """A part's layer as written, and its file; none where the layer failed."""

    layer: LayerResult
    file: KeptFile | None

    @property
    def document(self) -> dict[str, Any]:
        """As the steps of a job hand it on."""
        return {"layer": asdict(self.layer), "file": asdict(self.file) if self.file else None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "PartResult":
        """Read it back."""
        layer, file = document["layer"], document["file"]
        kinds = {
            "warnings": tuple(layer["warnings"]),
            "columns": tuple(layer["columns"]),
            "losses": tuple(Loss(**{**loss, "kind": LossKind(loss["kind"])}) for loss in layer["losses"]),
            "extent": tuple(layer["extent"]) if layer["extent"] else None,
        }
        return cls(LayerResult(**{**layer, **kinds}), KeptFile(**file) if file else None)


def whole_layer(results: Sequence[PartResult]) -> LayerResult:
    """A layer out of its parts: features and losses added up, the box around all; failed where one part is."""
    layers = [result.layer for result in results]
    failed = next((layer for layer in layers if layer.error), None)
    if failed:
        return failed
    count = sum(layer.record_count for layer in layers)
    losses = _added(loss for layer in layers for loss in layer.losses)
    of_parts = {loss.message for layer in layers for loss in layer.losses}
    said = [text for layer in layers for text in layer.warnings if text not in of_parts]
    warnings = [*(loss.message for loss in losses), *(text for text in said if text != EMPTY or not count)]
    names = {old: new for layer in layers for old, new in layer.field_crosswalk.items()}
    return replace(
        layers[0],
        record_count=count,
        warnings=tuple(dict.fromkeys(warnings)),
        field_crosswalk=names,
        losses=losses,
        extent=_around([layer for layer in layers if layer.record_count]),
    )


def with_files(parts: Sequence[Part], results: Sequence[PartResult]) -> list[tuple[Part, PartResult]]:
    """The parts that are handed out: those with features, and the first of a layer that has none at all."""
    pairs = list(zip(parts, results, strict=True))
    failed = {part.layer for part, result in pairs if result.layer.error}
    filled = {part.layer for part, result in pairs if result.layer.record_count}
    return [
        (part, result)
        for part, result in pairs
        if part.layer not in failed and (result.layer.record_count or (part.layer not in filled and part.number == 1))
    ]


def part_document(part: Part, result: PartResult, *, handed_out: bool) -> dict[str, Any]:
    """A part as the manifest shows it; one without features has no file."""
    file = result.file if handed_out else None
    return {
        "layer": part.layer,
        "number": part.number,
        "of": part.count,
        "record_count": result.layer.record_count,
        "extent": list(result.layer.extent) if result.layer.extent else None,
        "file": file.name if file else None,
        "bytes": file.size_bytes if file else None,
        "sha256": file.sha256 if file else None,
    }


def _added(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """Losses of the same kind, column and words as one, their values added up."""
    found: dict[tuple[str, str | None, str], Loss] = {}
    for loss in losses:
        key = (loss.kind, loss.column, _words(loss, "{n}"))
        before = found.get(key)
        if before is None or before.values is None or loss.values is None:
            found.setdefault(key, loss)
            continue
        values = before.values + loss.values
        found[key] = replace(loss, values=values, message=_words(loss, f"{values:,}"))
    return tuple(found.values())


def _words(loss: Loss, count: str) -> str:
    """A loss' message with another count; the column's name stands before it, and may hold digits too."""
    if loss.values is None:
        return loss.message
    start = len(f"column '{loss.column}': ")
    return loss.message[:start] + loss.message[start:].replace(f"{loss.values:,}", count, 1)


def _around(layers: Sequence[LayerResult]) -> tuple[float, float, float, float] | None:
    boxes = [layer.extent for layer in layers if layer.extent]
    if not boxes or len(boxes) < len(layers):
        return None
    west, south, east, north = zip(*boxes, strict=True)
    return (min(west), min(south), max(east), max(north))
