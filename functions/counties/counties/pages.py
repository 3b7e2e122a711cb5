"""The API's description as one HTML page, without scripts."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733 }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #cfd8e0 } code, pre { font-family: ui-monospace, monospace }
details { border: 1px solid #cfd8e0; border-radius: 6px; margin: .5rem 0; padding: .5rem .8rem }
summary { cursor: pointer } .method { display: inline-block; width: 4rem; font-weight: 700; color: #0b5d8a }
pre { background: #f3f6f8; padding: .8rem; overflow: auto } table { border-collapse: collapse }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top }
"""


def docs_page(openapi: bytes) -> str:
    """Render the description: routes by tag, their parameters, bodies and answers."""
    document = json.loads(openapi)
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["platform"])[0]
            by_tag.setdefault(tag, []).append(_operation(document, path, method, operation))
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(entries)}" for tag, entries in sorted(by_tag.items()))
    info = document["info"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f"<style>{STYLE}</style><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info.get('description', ''))} "
        f'<a href="/api/v1/openapi.json">The same for machines.</a></p>{sections}</html>'
    )


def _operation(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
        f"<td><code>{escape(json.dumps(p.get('schema', {})))}</code></td></tr>"
        for p in operation.get("parameters", ())
    )
    parameters = f"<table><tr><th>parameter</th><th>in</th><th>schema</th></tr>{rows}</table>" if rows else ""
    answers = "".join(
        f"<li><code>{escape(status)}</code> {escape(answer.get('description', ''))}</li>"
        for status, answer in sorted(operation["responses"].items())
    )
    return (
        f'<details><summary><span class="method">{escape(method.upper())}</span> <code>{escape(path)}</code> '
        f"{escape(operation.get('summary', ''))}</summary><p>{escape(operation.get('description', ''))}</p>"
        f"{parameters}{_body(document, operation)}<ul>{answers}</ul></details>"
    )


def _body(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if not content:
        return ""
    schema = content["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return f"<p>Body:</p><pre>{escape(json.dumps(schema, indent=2))}</pre>"
