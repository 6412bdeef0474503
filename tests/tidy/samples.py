"""README.md and docs/ show files of deploy/; each must be shown exactly as it is.

A file is named by a comment in the line above its block: <!-- deploy/samples/NAME.yaml -->
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^<!-- (deploy/\S+) -->\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main() -> int:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    shown = [(page, *block) for page in pages for block in BLOCK.findall(page.read_text())]
    if not any(page.name == "README.md" and page.parent == ROOT for page, *_ in shown):
        print("README.md: shows no file of deploy/")
        return 1
    bad = [(page, path) for page, path, text in shown if (ROOT / path).read_text() != text]
    for page, path in bad:
        print(f"{page.relative_to(ROOT)}: {path} is not shown as it is")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
