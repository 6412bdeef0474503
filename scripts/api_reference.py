"""Writes docs/api.md from crds/; with --check, only checks that it is current (exit 1 if not)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Iterator

import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
HEAD = """\
# API reference

Generated from [crds/](../crds/) by `scripts/api_reference.py`. `kubectl explain oconn.spec --recursive`
shows the same. *Rules* lists the messages with which the API server rejects invalid objects.
"""
TABLE = "| field | type | meaning |\n| --- | --- | --- |\n"
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
}


def one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def type_of(schema: dict[str, Any]) -> str:
    if schema["type"] == "array":
        return f"list of {type_of(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map of {type_of(schema['additionalProperties'])}"
    return {"date-time": "time"}.get(schema.get("format", ""), schema["type"])


def scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def meaning(schema: dict[str, Any], required: bool, bounds: bool) -> str:
    """The description and what goes with it, as sentences."""
    parts = [one_line(schema.get("description", ""))]
    if required:
        parts.append("**Required.**")
    if "enum" in schema:
        parts.append("One of " + ", ".join(f"`{scalar(v)}`" for v in schema["enum"]) + ".")
    if "default" in schema and not isinstance(schema["default"], dict):
        parts.append(f"Default: `{scalar(schema['default'])}`.")
    limits = [text.format(schema[name]) for name, text in BOUNDS.items() if name in schema]
    limits = ["not empty" if limit == "at least 1 characters" else limit for limit in limits]
    if limits and bounds:
        sentence = ", ".join(limits)
        parts.append(sentence[0].upper() + sentence[1:] + ".")
    return " ".join(part for part in parts if part)


def children(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Fields below this one: suffix of the path, schema, whether it is required."""
    holder, suffix = schema, "."
    if schema["type"] == "array":
        holder, suffix = schema["items"], "[]."
    for name, child in holder.get("properties", {}).items():
        yield suffix + name, child, name in holder.get("required", [])


def rows(path: str, schema: dict[str, Any], bounds: bool) -> Iterator[str]:
    for suffix, child, required in children(schema):
        below = path + suffix
        yield f"| `{below.lstrip('.')}` | {type_of(child)} | {meaning(child, required, bounds)} |\n"
        yield from rows(below, child, bounds)


def rules(schema: dict[str, Any]) -> Iterator[str]:
    """The messages of all CEL rules, each once, in the order of the schema."""
    for rule in schema.get("x-kubernetes-validations", []):
        yield one_line(rule["message"])
    below = [*schema.get("properties", {}).values(), schema.get("items")]
    below.append(schema.get("additionalProperties"))
    for child in below:
        if isinstance(child, dict):
            yield from rules(child)


def section(crd: dict[str, Any]) -> str:
    names, version = crd["spec"]["names"], crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    spec, status = (schema["properties"][part] for part in ("spec", "status"))
    messages = dict.fromkeys(rules(spec))
    return "".join(
        [
            f"\n## {names['kind']}\n\n{one_line(schema['description'])}\n\n",
            f"`{crd['spec']['group']}/{version['name']}`, short name `{names['shortNames'][0]}`.\n",
            f"\n### {names['kind']} spec\n\n{TABLE}",
            *rows("", spec, bounds=True),
            f"\n### {names['kind']} rules\n\n",
            *(f"- {message}\n" for message in messages),
            f"\n### {names['kind']} status\n\nWritten by the operator.\n\n{TABLE}",
            *rows("", status, bounds=False),
        ]
    )


def page() -> str:
    crds = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "crds").glob("*.yaml"))]
    return HEAD + "".join(map(section, crds))


def main() -> int:
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    wanted = page()
    if not sys.argv[1:]:
        PAGE.write_text(wanted)
        return 0
    if PAGE.exists() and PAGE.read_text() == wanted:
        return 0
    print(f"{PAGE.relative_to(ROOT)} does not match crds/: run scripts/api_reference.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
