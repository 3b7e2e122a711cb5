"""Puts the fifth plugin into a copy of the template, as a developer would: its folder, and its stanza."""

from pathlib import Path

from tests.conftest import ROOT

PLUGIN = Path(__file__).with_name("layer_digest")


def template_with_layer_digest(folder: Path) -> Path:
    """Lay out a project in a folder that has the plugin beside those of this one; gives its template."""
    (folder / "functions").mkdir(parents=True)
    for name in ("shared", "layers"):
        (folder / name).symlink_to(ROOT / name)
    for code in [*(ROOT / "functions").iterdir(), PLUGIN]:
        (folder / "functions" / code.name).symlink_to(code)
    before, outputs, after = (ROOT / "template.yaml").read_text(encoding="utf-8").partition("\nOutputs:\n")
    stanza = (PLUGIN / "stanza.yaml").read_text(encoding="utf-8")
    template = folder / "template.yaml"
    template.write_text(f"{before}\n{stanza}{outputs}{after}", encoding="utf-8")
    return template
