"""The documentation agrees with what it describes: links lead somewhere, pages are short, each reason
has its entry, each alert its runbook. Prints what is wrong and ends with 1 if anything is.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from interface import anchors, headings, prose, reasons  # noqa: E402

DOCS = ROOT / "docs"
MOST_LINES = 120
GENERATED = {"api.md"}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)", re.DOTALL)


def pages() -> list[Path]:
    top = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "controller/README.md"]
    found = [*(ROOT / name for name in top), *DOCS.glob("*.md"), *(ROOT / "deploy").rglob("*.md")]
    return sorted(found)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def local_links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Link, file, anchor; links to other sites are left out."""
    for link in LINK.findall(prose(page)):
        if "://" not in link:
            path, _, anchor = link.partition("#")
            yield link, (page.parent / path).resolve() if path else page, anchor


def broken_links() -> Iterator[str]:
    for page in pages():
        for link, target, anchor in local_links(page):
            if not target.exists():
                yield f"{name(page)}: {link} leads nowhere"
            elif anchor and anchor not in anchors(target):
                yield f"{name(page)}: {link}: there is no such heading"


def long_pages() -> Iterator[str]:
    for page in DOCS.glob("*.md"):
        lines = len(page.read_text().splitlines())
        if lines >= MOST_LINES and page.name not in GENERATED:
            yield f"{name(page)}: {lines} lines; a page has fewer than {MOST_LINES}"


def orphans() -> Iterator[str]:
    """Every page of docs/ can be reached from README.md."""
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        todo += [target for _, target, _ in local_links(page)]
    for page in sorted(set(DOCS.glob("*.md")) - reached):
        yield f"{name(page)}: no way leads there from README.md"


def reasons_without_entry() -> Iterator[str]:
    page = DOCS / "troubleshooting.md"
    entries = set(headings(page, depth=3))
    for reason in sorted(reasons() - entries):
        yield f"{name(page)}: no entry for the reason {reason}"
    for entry in sorted(entries - reasons()):
        yield f"{name(page)}: {entry} is no reason of outcome.hpp"


def main() -> int:
    checks = (broken_links, long_pages, orphans, reasons_without_entry)
    found = [problem for check in checks for problem in check()]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
