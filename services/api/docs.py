"""The OpenAPI document as one plain page: no script, nothing fetched from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from services.api.problems import KINDS

_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
code,pre{font:13px/1.4 ui-monospace,monospace;background:#f4f4f2;border-radius:3px;padding:.1em .3em}
pre{padding:.6em;overflow:auto} table{border-collapse:collapse;width:100%} td,th{text-align:left;vertical-align:top;
padding:.25em .6em .25em 0;border-bottom:1px solid #e5e5e5} details{margin:.3rem 0;border-bottom:1px solid #eee}
summary{cursor:pointer;padding:.3rem 0} b{display:inline-block;min-width:4rem}
"""


def page_of(document: Mapping[str, Any]) -> str:
    """HTML with every operation, its parameters, an example and its answers, and the table of problem codes."""
    return "".join(_page(document))


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(info['title'])} API</title>"
    yield f"<style>{_STYLE}</style><h1>{escape(info['title'])} API {escape(info['version'])}</h1>"
    yield f"<p>{escape(info['description'])}</p><p>"
    yield "For machines: <a href=/openapi.json>openapi.json</a>, events: <a href=/asyncapi.json>asyncapi.json</a>.</p>"
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>"
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    yield from _operation(method, path, operation)
    yield "<h2>Problems</h2><table><tr><th>Code<th>Status<th>Meaning<th>What to do"
    for code, kind in sorted(KINDS.items()):
        yield f"<tr id={code}><td><code>{code}</code><td>{kind.status}<td>{escape(kind.title)}<td>{escape(kind.remedy)}"
    yield "</table></html>"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<details id={escape(operation['operationId'])}><summary><b>{method.upper()}</b> "
    yield f"<code>{escape(path)}</code> {escape(operation['summary'])}</summary>"
    yield f"<p>{escape(operation.get('description', ''))}</p>"
    if "x-scope" in operation:
        yield f"<p>Needs: <code>{escape(operation['x-scope'])}</code></p>"
    yield "<table>"
    for parameter in operation["parameters"]:
        schema = json.dumps(parameter["schema"])
        yield f"<tr><td><code>{escape(parameter['name'])}</code><td>{parameter['in']}<td><code>{escape(schema)}</code>"
    yield "</table>"
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if content.get("example") is not None:
            example = content["example"]
            text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
            yield f"<pre>{escape(text)}</pre>"
    yield "<table>"
    for status, answer in operation["responses"].items():
        yield f"<tr><td>{status}<td>{escape(answer['description'])}"
    yield "</table></details>"
