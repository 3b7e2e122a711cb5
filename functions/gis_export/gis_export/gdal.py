"""GDAL through ctypes: the library that pyogrio's wheel carries, without pyogrio's Python code.

Only what exports need is bound. GDAL's error handler is process-wide and its datasets are not thread-safe: whoever uses
the library holds `Library.lock`.
"""

import ctypes
import importlib.util
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import c_char_p, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from gis_export.symbols import SIGNATURES, ErrorHandler

WARNING, FAILURE = 2, 3
OF_READONLY_VECTOR = 0x44
TRADITIONAL_AXIS_ORDER = 0

CONFIGURATION = {
    "OGR2OGR_USE_ARROW_API": "NO",  # less memory, and timestamps keep their UTC marker
    "DXF_WRITE_HATCH": "NO",  # polygons as lines, as a drawing of parcels has them
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MAX_RETRY": "4",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
}


FOLDERS = re.compile(r"(?<![\w/:.])/(?:[^\s/'\"<>;,]+/+)+")
"""The way to a file, which is of no use to a client, and tells how the machine is laid out."""


class EngineError(Exception):
    """GDAL could not do what it was asked; the text is GDAL's own, with files by their bare names."""


class TooLarge(EngineError):
    """More than a limit allows; the text names the figure, the limit and what would do."""


class Messages:
    """What GDAL said during a call."""

    def __init__(self) -> None:
        self._said: list[tuple[int, str]] = []

    def add(self, level: int, text: str) -> None:
        """Note a message."""
        self._said.append((level, FOLDERS.sub("", text)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each warning once, in order."""
        return tuple(dict.fromkeys(text for level, text in self._said if level == WARNING))

    @property
    def errors(self) -> tuple[str, ...]:
        """Each error once, in order."""
        return tuple(dict.fromkeys(text for level, text in self._said if level >= FAILURE))

    def fail(self, otherwise: str) -> NoReturn:
        """Raise what GDAL said, or the text when it said nothing."""
        raise EngineError("; ".join(self.errors or self.warnings) or FOLDERS.sub("", otherwise))

    def check(self) -> None:
        """Raise when GDAL reported an error, even where the call itself looked well."""
        if self.errors:
            self.fail("")


class Library:
    """The loaded library: its functions by name, and one lock around their use."""

    def __init__(self, handle: ctypes.CDLL, data: Path) -> None:
        self.lock = threading.RLock()
        self._handle = handle
        self._heard = Messages()
        self._bind()
        self._on_message = ErrorHandler(self._hear)
        self.configure({"GDAL_DATA": str(data / "gdal_data"), **CONFIGURATION})
        handle.OSRSetPROJSearchPaths(strings([str(data / "proj_data")]))
        handle.OSRSetPROJEnableNetwork(0)
        handle.GDALAllRegister()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    @property
    def version(self) -> str:
        """GDAL's version."""
        return str(self._handle.GDALVersionInfo(b"RELEASE_NAME").decode())

    def configure(self, options: dict[str, str | None]) -> None:
        """Set configuration options; None takes one back."""
        for name, value in options.items():
            self._handle.CPLSetConfigOption(name.encode(), value.encode() if value is not None else None)

    def configure_s3(self, endpoint_url: str | None, region: str) -> None:
        """Point `/vsis3` at an endpoint of our own, or at AWS; credentials are found as AWS's own tools find them."""
        options: dict[str, str | None] = {"AWS_REGION": region}
        if endpoint_url:
            address = urlsplit(endpoint_url)
            options["AWS_S3_ENDPOINT"] = address.netloc
            options["AWS_HTTPS"] = "YES" if address.scheme == "https" else "NO"
            options["AWS_VIRTUAL_HOSTING"] = "FALSE"
        self.configure(options)

    @contextmanager
    def listening(self) -> Iterator[Messages]:
        """Hold the library, and hear what it says meanwhile."""
        with self.lock:
            before, self._heard = self._heard, Messages()
            self._handle.CPLPushErrorHandler(ctypes.cast(self._on_message, c_void_p))
            try:
                yield self._heard
            finally:
                self._handle.CPLPopErrorHandler()
                self._heard = before

    def _hear(self, level: int, _number: int, text: bytes) -> None:
        self._heard.add(level, text.decode("utf-8", "replace"))

    def _bind(self) -> None:
        missing = [name for name in SIGNATURES if not hasattr(self._handle, name)]
        if missing:
            raise EngineError(f"This GDAL lacks {', '.join(missing)}; pyogrio 0.13 carries one that has them.")
        for name, (result, *arguments) in SIGNATURES.items():
            function = getattr(self._handle, name)
            function.restype, function.argtypes = result, arguments


@cache
def load() -> Library:
    """Load GDAL from where pyogrio is installed, once per process; takes some 25 ms.

    Raises
    ------
    EngineError
        When there is no pyogrio, or its library is not one that this binding knows.
    """
    spec = importlib.util.find_spec("pyogrio")
    if spec is None or spec.origin is None:
        raise EngineError("pyogrio is not installed; its wheel carries the GDAL that exports need.")
    home = Path(spec.origin).parent
    found = sorted((home.parent / "pyogrio.libs").glob("libgdal-*"))
    if not found:
        raise EngineError(f"There is no libgdal beside {home.name}; is pyogrio installed from its wheel?")
    return Library(ctypes.CDLL(os.fspath(found[0])), home)


def strings(items: Sequence[str]) -> Any:
    """A list of C strings, ended by NULL."""
    return (c_char_p * (len(items) + 1))(*(item.encode() for item in items), None)


def take_text(library: Library, pointer: c_void_p) -> str:
    """Read a string that GDAL allocated, and free it."""
    text = ctypes.cast(pointer, c_char_p).value or b""
    library.VSIFree(pointer)
    return text.decode()


@contextmanager
def dataset(library: Library, path: str, heard: Messages) -> Iterator[int]:
    """Open a dataset for reading."""
    handle = library.GDALOpenEx(path.encode(), OF_READONLY_VECTOR, None, None, None)
    if not handle:
        heard.fail(f"{path} cannot be opened.")
    try:
        yield handle
    finally:
        library.GDALClose(handle)
