"""Finds any piece of a credential in a text where none may be."""

from __future__ import annotations

import base64
import json
import re

RUN = 8  # so many bytes in a row are a leak


class LeakSearch:
    """Knows credentials. Random ones only: pieces of words would be found everywhere."""

    def __init__(self) -> None:
        self._runs: dict[str, str] = {}  # RUN characters -> the name of what they are a piece of

    def keep(self, value: str, name: str) -> None:
        """From now on no piece of `value` may be shown, neither as it is nor in base64."""
        for part in _substance(value):
            for form in (part, base64.b64encode(part.encode()).decode().rstrip("=")):
                for at in range(len(form) - RUN + 1):
                    self._runs[form[at : at + RUN]] = name

    def leaks(self, text: str) -> set[str]:
        """The names of the credentials that `text` shows a piece of."""
        seen = {text[at : at + RUN] for at in range(len(text) - RUN + 1)}
        return {self._runs[run] for run in seen & self._runs.keys()}


def _substance(value: str) -> list[str]:
    """What is secret of a value: not what is the same in every key, and in every file of Google."""
    if value.startswith("{"):
        return _substance(json.loads(value)["private_key"])
    if value.startswith("-----BEGIN"):
        lines = re.sub(r"-----[A-Z0-9 ]+-----", "", value).split()
        return lines[1:]  # the first says no more than RSA
    return [value]
