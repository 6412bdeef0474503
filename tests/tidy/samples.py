"""README.md shows files of deploy/samples; each must be shown exactly as it is.

A file is named by a comment in the line above its block: <!-- deploy/samples/NAME.yaml -->
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^<!-- (deploy/samples/\S+) -->\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main() -> int:
    shown = BLOCK.findall((ROOT / "README.md").read_text())
    if not shown:
        print("README.md: shows no file of deploy/samples")
        return 1
    bad = [path for path, text in shown if (ROOT / path).read_text() != text]
    for path in bad:
        print(f"README.md: {path} is not shown as it is")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
