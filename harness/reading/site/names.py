"""Names from outside: as a page shows them, and as a file may be called."""

from __future__ import annotations

import re
import unicodedata

from harness.errors import visible
from harness.records.identity import digest

LONGEST = 2000
"""Characters of one value that a page shows."""


def shown(text: str, most: int = LONGEST) -> str:
    """On one line: control characters and those that turn or hide text as ``\\u202e``, cut after ``most``."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return visible(re.sub("[\t\n\r]", " ", cut))


def file_name(*parts: str) -> str:
    """Of a-z, 0-9 and ``-`` alone, at most 57 characters, and another one for other parts."""
    plain = unicodedata.normalize("NFKD", " ".join(parts)).encode("ascii", "ignore").decode().lower()
    return f"{re.sub('[^a-z0-9]+', '-', plain[:LONGEST])[:48].strip('-') or 'x'}-{digest('file', parts)[:8]}"
