"""Documents: what goes in comes out as text, the same to the byte, tagged, with its fonts."""

import io
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from terrafusion import fonts
from terrafusion.charts import Chart, Points
from terrafusion.documents import DocumentError, Pdf, html, pdf, png

TEMPLATES = Path(__file__).parent / "documents"
MADE_AT = datetime(2025, 11, 25, 12, tzinfo=UTC)
HOSTILE = [
    "#panic()", "$x$", "*bold*", "] [", "@label", "<label>", "_em_", "`raw`", "\\u{41}", "// gone", "/* gone */",
    "= Heading", "- item",
    "--- ---", '"quotes"', "#read(\"/etc/passwd\")", "{% x %}{{ 7*7 }}", "~", "'a'...", "https://example.org/x",
]  # fmt: skip
SCATTER = Chart("Ratio by price", [Points("Sale", [1, 2, 3], [0.9, 1.0, 1.1])]).svg()


def data(**changes: Any) -> dict[str, Any]:
    plain = {
        "title": "Ratio study", "office": "Sample County Assessor", "subtitle": "Sales of 2025", "date": "2025-11-25",
        "inputs": "properties of 2025-11-01", "sections": ["Level"], "text": "All is well.", "rows": [["A", "12"]],
        "pictures": [],
    }  # fmt: skip
    return plain | changes


def study(**changes: Any) -> Pdf:
    return pdf(TEMPLATES / "study.typ", data(**changes), made_at=MADE_AT, pictures={"scatter.svg": SCATTER})


def text_of(document: Pdf) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(document.content)).pages)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_from_data_is_never_markup(hostile: str) -> None:
    document = study(title=f"T {hostile}", office=hostile, subtitle=hostile, sections=[hostile], text=hostile,
                     inputs=hostile, rows=[[hostile, "1"]])  # fmt: skip
    written = "".join(text_of(document).split())
    assert written.count("".join(hostile.split())) >= 8
    assert PdfReader(io.BytesIO(document.content)).metadata.title == f"T {hostile}"  # type: ignore[union-attr]


def test_the_same_data_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); from test_documents import study; "
        "print(hashlib.sha256(study(pictures=[['scatter.svg', 'Three sales']]).content).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(Path(__file__).parent)], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(digests) == 1


@pytest.mark.parametrize("rows", [1, 30, 400])
def test_pages_are_counted_and_numbered(rows: int) -> None:
    document = study(rows=[[f"Group {index}", str(index)] for index in range(rows)])
    reader = PdfReader(io.BytesIO(document.content))
    assert document.pages == len(reader.pages)
    for number, page in enumerate(reader.pages, 1):
        assert f"Page {number} of {document.pages}" in page.extract_text()
    headers = sum("Group" in page.extract_text() and "Sales\n" in page.extract_text() + "\n" for page in reader.pages)
    assert headers >= (document.pages if rows > 30 else 1) - 1


def test_a_long_document_has_contents_and_bookmarks() -> None:
    sections = [f"Section {index}" for index in range(9)]
    long, short = study(sections=sections), study(sections=sections[:3])
    assert "Contents" in text_of(long)
    assert "Contents" not in text_of(short)
    outline = PdfReader(io.BytesIO(long.content)).outline
    assert [entry.title for entry in outline if not isinstance(entry, list)][-9:] == sections  # type: ignore[union-attr]


def elements(node: Any, kind: str) -> list[Any]:
    """All structure elements of a kind below a node of the tag tree."""
    node = node.get_object()
    if isinstance(node, list):
        return [found for child in node for found in elements(child, kind)]
    if not hasattr(node, "get"):
        return []
    below = elements(node["/K"], kind) if "/K" in node else []
    return ([node] if node.get("/S") == kind else []) + below


def test_a_pdf_is_tagged_for_those_who_listen() -> None:
    reader = PdfReader(io.BytesIO(study(pictures=[["scatter.svg", "Three sales near one."]]).content))
    root: Any = reader.trailer["/Root"]
    assert root["/Lang"] == "en-US"
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    tree = root["/StructTreeRoot"]
    assert [figure["/Alt"] for figure in elements(tree, "/Figure")] == ["Three sales near one."]
    assert len(elements(tree, "/TH")) == 2
    assert len(elements(tree, "/TD")) == 2
    assert elements(tree, "/H1")


def test_fonts_are_embedded() -> None:
    reader = PdfReader(io.BytesIO(study(pictures=[["scatter.svg", "x"]]).content))
    seen: set[str] = set()
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
            descriptor = font["/DescendantFonts"][0]["/FontDescriptor"]
            assert "/FontFile3" in descriptor
            seen.add(descriptor["/FontName"].split("+")[1])
    assert seen == {"SourceSansPro-Regular", "SourceSansPro-Bold"}


def test_poppler_reads_it_as_tagged() -> None:
    if shutil.which("pdfinfo") is None:
        pytest.skip("pdfinfo is not installed (Debian: poppler-utils)")
    done = subprocess.run(["pdfinfo", "-"], input=study().content, capture_output=True, check=True)
    lines = {
        name: value.strip() for name, _, value in (line.partition(":") for line in done.stdout.decode().splitlines())
    }
    assert (lines["Tagged"], lines["Title"], lines["Author"]) == ("yes", "Ratio study", "Sample County Assessor")
    assert "2025" in lines["CreationDate"]


def test_what_the_typeface_lacks_becomes_a_box() -> None:
    written = text_of(study(text="Nguy\u1ec5n \u6f22\u5b57 \U0001f3e0 \x00 \u200b caf\u00e9"))
    assert "Nguy\u1ec5n \u2610\u2610 \u2610 \u2610" in written
    assert "caf\u00e9" in written
    chart = Chart("\u6f22 \U0001f3e0", [Points("\u5b57", [1], [1]), Points("b", [1], [1])]).svg()
    pdf(TEMPLATES / "study.typ", data(pictures=[["a.svg", "x"]]), made_at=MADE_AT, pictures={"a.svg": chart})


def test_a_picture_without_words_is_refused() -> None:
    with pytest.raises(DocumentError, match="alt"):
        study(pictures=[["scatter.svg", None]])


@pytest.mark.parametrize("name", ["../x.svg", "/x.svg", "x.png", "X Y.svg"])
def test_a_picture_stays_in_its_folder(name: str) -> None:
    with pytest.raises(DocumentError, match="no name for a picture"):
        pdf(TEMPLATES / "study.typ", data(), made_at=MADE_AT, pictures={name: SCATTER})


def test_a_png_is_as_wide_as_asked() -> None:
    content = png(SCATTER, 1360)
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == (1360, 800)
    assert content == png(SCATTER, 1360)
    with pytest.raises(ValueError, match="0 pixels"):
        png(SCATTER, 0)


def test_text_is_drawn_with_the_house_typeface() -> None:
    without = SCATTER.replace(">Ratio by price</text>", "></text>")
    assert without != SCATTER
    assert png(SCATTER, 400) != png(without, 400)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(text: str = "x", svg: str = SCATTER) -> Page:
    columns = [{"title": "Group"}, {"title": text, "number": True}]
    filled = {"title": text, "subtitle": text, "text": text, "columns": columns, "rows": [[text, text]], "svg": svg}
    return Page(html(TEMPLATES / "study.html", data() | filled))


def test_a_page_has_landmarks_and_a_table_that_can_be_read_aloud() -> None:
    found = page()
    assert found.all("html") == [{"lang": "en-US"}]
    for landmark in ("header", "main", "footer", "h1", "caption"):
        assert len(found.all(landmark)) == 1
    assert found.all("a")[0] == {"class": "skip", "href": "#content"}
    assert [cell["scope"] for cell in found.all("th")] == ["col", "col", "row"]
    assert [picture["role"] for picture in found.all("svg")] == ["img"]


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "</style>"]
)
def test_a_page_escapes_all_data(hostile: str) -> None:
    found = page(hostile)
    assert not found.all("script")
    assert not found.all("img")
    assert found.texts.count(hostile) >= 6


def test_a_page_needs_nothing_from_outside() -> None:
    found = page()
    assert not [tag for tag, attributes in found.tags if "src" in attributes or tag in {"link", "script"}]
    assert any("@media print" in text for text in found.texts)


@pytest.mark.parametrize(
    "bad",
    [
        "<p>x</p>", "<svg ><script>1</script></svg>", "<svg ><foreignObject/></svg>", '<svg onload="x"></svg>',
        '<svg ><use href="https://example.org/x.svg#a"/></svg>', "<svg ><image/></svg>",
        '<svg ><g\nonclick="x"/></svg>',
        '<svg ><use xlink:href="x"/></svg>', "<svg ><!-- --></svg>", '<svg ><g style="x"/></svg>',
    ],
)  # fmt: skip
def test_only_drawings_are_let_into_a_page(bad: str) -> None:
    with pytest.raises(ValueError, match="no drawing"):
        page(svg=bad)


def test_a_drawing_of_hostile_text_is_let_in() -> None:
    chart = Chart('x onload="1" href="y" <script>', [Points("style=1", [1], [1])]).svg()
    assert page(svg=chart).all("svg")


def test_the_typeface_knows_its_characters() -> None:
    for text in ("Assessor's value: $412,500 \u2212 12.5%", "\u2713 \u00d7 \u2192 \u2610 \u2264 \u2265 \u00b2"):
        assert fonts.printable(text) == text
    assert fonts.printable("a\nb\u6f22") == "a b\u2610"
    assert (fonts.DIRECTORY / "LICENSE.txt").read_text().count("SIL OPEN FONT LICENSE") == 1
