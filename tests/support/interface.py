"""What users rely on, as the sources and the documentation name it: for checks that both agree."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_REASON = re.compile(r'std::string_view (\w+) =\s*"(\w+)";')
_METRIC_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def reasons() -> set[str]:
    """The reasons of the condition Ready, by outcome.hpp; not DryRun, which no status has."""
    source = (ROOT / "controller/reconcile/status/outcome.hpp").read_text()
    return {text for name, text in _REASON.findall(source) if name != "dry_run"}


def documented_metrics() -> dict[str, tuple[str, frozenset[str]]]:
    """Type and labels of each metric, by docs/metrics.md."""
    rows = _METRIC_ROW.findall((ROOT / "docs/metrics.md").read_text())
    return {
        name: (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in rows
        if name != "metric"
    }


def prose(page: Path) -> str:
    """A Markdown file without its code blocks."""
    return _FENCE.sub("", page.read_text())


def headings(page: Path, depth: int | None = None) -> list[str]:
    """All headings, or those with so many `#`."""
    found = _HEADING.findall(prose(page))
    return [text for marks, text in found if depth is None or len(marks) == depth]


def anchors(page: Path) -> set[str]:
    """What a link's `#...` may name in a Markdown file, as GitHub makes it of the headings."""
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings(page))
    return {text.replace(" ", "-") for text in kept}
