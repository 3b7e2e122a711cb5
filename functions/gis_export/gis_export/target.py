"""A dataset being written by GDAL's VectorTranslate, layer by layer."""

from collections.abc import Callable, Sequence
from ctypes import byref, c_int, c_void_p
from pathlib import Path
from typing import Any

from gis_export.gdal import EngineError, Library, Messages, dataset, strings
from gis_export.layers import Box, extent
from gis_export.symbols import ProgressFunction

TELL_EVERY = 0.001
"""So much of a part of the work lies between two words on it."""

Progress = Callable[[float], bool]


class Cancelled(EngineError):
    """The progress function said stop; nothing was left behind."""


class Watch:
    """The work's progress, which may stop it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.stopped = False
        self.step = ""
        """What is being done, in words."""

    def at(self, fraction: float) -> None:
        """Note how far the whole work is.

        Raises
        ------
        Cancelled
        """
        self.stopped = self.stopped or not self._progress(fraction)
        self.check()

    def check(self) -> None:
        """Raise when the work is to stop.

        Raises
        ------
        Cancelled
        """
        if self.stopped:
            raise Cancelled("The export was stopped.")

    def callback(self, start: float, share: float, layer: str = "", count: int = 0) -> Any:
        """GDAL's callback for a part of the work that begins at `start` and is `share` long.

        With a layer's name and count it tells the features that are done. GDAL calls for every feature.
        """
        told = -1.0

        def tick(fraction: float, _text: bytes, _data: int) -> int:
            nonlocal told
            if fraction - told < TELL_EVERY and fraction < 1:
                return 0 if self.stopped else 1
            told = fraction
            if layer:
                self.step = f"{layer}: {int(count * min(1.0, fraction)):,} of {count:,} features"
            if not self.stopped and not self._progress(start + share * min(1.0, fraction)):
                self.stopped = True
            return 0 if self.stopped else 1

        return ProgressFunction(tick)


class Target:
    """A dataset being written; the first layer creates it."""

    def __init__(self, library: Library, watch: Watch) -> None:
        self._library = library
        self._watch = watch
        self._handle: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it holds a layer already."""
        return self._handle is not None

    def translate(
        self,
        path: Path,
        source: int,
        arguments: Sequence[str],
        heard: Messages,
        start: float,
        share: float,
        layer: str = "",
        count: int = 0,
    ) -> None:
        """Write the source's layer, as a part of the whole work.

        Raises
        ------
        Cancelled
        EngineError
        """
        try:
            self._translate(path, source, arguments, heard, self._watch.callback(start, share, layer, count))
        except EngineError:
            self._watch.check()
            raise

    def _translate(self, path: Path, source: int, arguments: Sequence[str], heard: Messages, tick: Any) -> None:
        library = self._library
        options = library.GDALVectorTranslateOptionsNew(strings([*arguments, "-progress"]), None)
        if not options:
            heard.fail("GDAL does not take its options.")
        library.GDALVectorTranslateOptionsSetProgress(options, tick, None)
        name = None if self.is_open else str(path).encode()
        misused = c_int(0)
        try:
            handle = library.GDALVectorTranslate(name, self._handle, 1, (c_void_p * 1)(source), options, byref(misused))
        finally:
            library.GDALVectorTranslateOptionsFree(options)
        if not handle:
            heard.fail("GDAL wrote nothing.")
        self._handle = handle
        heard.check()

    def extent(self, layer: str) -> Box | None:
        """The box around a layer as written so far; None where GDAL does not keep it in mind."""
        found = self._library.GDALDatasetGetLayerByName(self._handle, layer.encode())
        return extent(self._library, found, read=False) if found else None

    def close(self) -> None:
        """Finish the file."""
        handle, self._handle = self._handle, None
        if handle:
            self._library.GDALClose(handle)


def translated(
    library: Library, watch: Watch, what: str, path: Path, arguments: Sequence[str], start: float, share: float
) -> None:
    """Write one dataset's first layer to a file of its own; see `Target.translate` for errors."""
    target = Target(library, watch)
    with library.listening() as heard, dataset(library, what, heard) as opened:
        try:
            target.translate(path, opened, arguments, heard, start, share)
        finally:
            target.close()
        heard.check()
