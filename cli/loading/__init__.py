"""From a county's file to the files of a snapshot: read, mapped, repaired, checked, counted.

Nothing is published here: `prepare` writes a folder and the manifest that vouches for it.
"""

from cli.loading.errors import LoadError
from cli.loading.mapping import read_mapping
from cli.loading.preparation import PreparedLayer, prepare

__all__ = ["LoadError", "PreparedLayer", "prepare", "read_mapping"]
