"""What clients are told of GDAL's messages."""

import pytest

from gis_export.gdal import Messages


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("in file /tmp/x/out.parts/out.tab; `/tmp/x/out.tab' no", "in file out.tab; `out.tab' no"),
        ("/vsis3/bucket/counties/x/data.fgb cannot be opened.", "data.fgb cannot be opened."),
        ("/vsizip//tmp/x/a.zip/b.shp", "b.shp"),
        *[(text, text) for text in ("see https://example.org/a/b.html", "on 2024/03/01, 3 m/s")],
    ],
)
def test_messages_name_files_without_their_folders(said: str, told: str) -> None:
    messages = Messages()
    messages.add(3, said)

    assert messages.errors == (told,)
