"""What a job left, fetched to this machine: one file, or all parts of an export, in a folder that opens as one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.client import Api
from cli.failures import UsageFailure
from cli.running import target_path


def fetch(connection: Api, result: Mapping[str, Any], output: Path | None) -> tuple[Path, int]:
    """Download a result's file, or its parts where it has them; gives where they are, and their bytes.

    Parts go into a folder of their own, those of each layer into one of its name, so that programs that read a folder
    read nothing else; the manifest lies above them.

    Raises
    ------
    CommandFailure
        When a download is refused, or not what the job reported.
    UsageFailure
        When the parts' folder cannot be made.
    """
    parts = layers_of_parts(result)
    if not parts:
        (first, *_) = result["files"]
        target = target_path(output, first["name"])
        return target, connection.download(first["download_url"], target, first["sha256"])
    name, layer = next(iter(parts.items()))
    folder = output or Path(name[: name.index(f"_{layer}_part-")])
    size = 0
    for file in result["files"]:
        target = folder / parts.get(file["name"], "") / file["name"]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageFailure(f"The export is in {len(parts)} parts, and {folder} cannot hold them: {error}") from None
        size += connection.download(file["download_url"], target, file["sha256"])
    return folder, size


def layers_of_parts(result: Mapping[str, Any]) -> dict[str, str]:
    """The layer of each of an export's parts, by the file's name; none for what is one file."""
    manifest = result.get("manifest")
    parts = manifest.get("parts", ()) if isinstance(manifest, Mapping) else ()
    return {part["file"]: part["layer"] for part in parts if part["file"]}
