"""Polygons that share edges, simplified so that they still do: GEOS's coverage simplification, through GDAL.

It holds a layer in memory, some 5 kB a feature: layers beyond `MAX_FEATURES` are refused.
"""

from pathlib import Path

from gis_export.gdal import Library, strings
from gis_export.target import Watch

MAX_FEATURES = 250_000
"""At 5 kB each, 1.2 of a worker's 2 GB."""


def simplify(library: Library, watch: Watch, source: Path, target: Path, tolerance: float, start: float) -> None:
    """Write the polygons of a dataset's layer simplified by a tolerance, in units of its CRS.

    The tolerance is the side of a square of the area that a vertex may take away (Visvalingam and Whyatt 1993).

    Raises
    ------
    Cancelled
    EngineError
    """
    arguments = ["--tolerance", repr(tolerance), "-f", "FlatGeobuf", "--lco", "SPATIAL_INDEX=NO"]
    with library.listening() as heard:
        vector = library.GDALAlgorithmRegistryInstantiateAlg(library.GDALGetGlobalAlgorithmRegistry(), b"vector")
        algorithm = library.GDALAlgorithmInstantiateSubAlgorithm(vector, b"simplify-coverage")
        try:
            words = strings([*arguments, str(source), str(target)])
            done = library.GDALAlgorithmParseCommandLineArguments(algorithm, words) and library.GDALAlgorithmRun(
                algorithm, watch.callback(start, 0), None
            )
            done = bool(library.GDALAlgorithmFinalize(algorithm)) and done
        finally:
            library.GDALAlgorithmRelease(algorithm)
            library.GDALAlgorithmRelease(vector)
        watch.check()
        if not done:
            heard.fail("The polygons cannot be simplified.")
        heard.check()
