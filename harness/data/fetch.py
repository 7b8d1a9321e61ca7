"""Downloads of official files: resumed where they were cut, checked before they are placed."""

from __future__ import annotations

import errno
import http.client
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from harness.data.tables import Progress, SourceFile, sha256
from harness.errors import DataError

_BLOCK = 1 << 20
_HOPELESS = frozenset({400, 401, 403, 404, 410})


@dataclass(frozen=True, slots=True)
class Patience:
    """stall: seconds without a byte before a connection is given up. attempts: how many in a row may bring nothing.
    pause: seconds before the second attempt, doubled each time."""

    stall: float = 30.0
    attempts: int = 5
    pause: float = 1.0


def fetch(
    file: SourceFile, folder: Path, *, progress: Progress | None = None, patience: Patience | None = None
) -> tuple[Path, str]:
    """Download ``file`` into ``folder``. Its path and SHA-256. A whole file already there is checked and kept.

    When the connection is lost, what has arrived stays in ``<name>.part``; this or a later call resumes it. Size and
    SHA-256 are compared, where they are known, before the file gets its name. Raises DataError.
    """
    patience = patience or Patience()
    target, part = folder / file.name, folder / f"{file.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if target.is_file():
            return target, _checked(file, target, keep=True)
        _download(file, part, progress, patience)
        digest = _checked(file, part, keep=False)
        os.replace(part, target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            part.unlink(missing_ok=True)
        raise DataError(f"{target}: cannot be written: {error.strerror or error}; nothing was placed") from error
    return target, digest


def _checked(file: SourceFile, path: Path, *, keep: bool) -> str:
    """The file's SHA-256. Raises DataError where the file is not the official one, and removes it unless ``keep``."""
    digest, size = sha256(path), path.stat().st_size
    wrong = ""
    if file.size is not None and size != file.size:
        wrong = f"has {size} bytes instead of {file.size}"
    elif file.sha256 is not None and digest != file.sha256:
        wrong = f"has SHA-256 {digest} instead of {file.sha256}"
    if not wrong:
        return digest
    if keep:
        raise DataError(f"{path}: {wrong}; it is not the official file: move it away and fetch again")
    path.unlink()
    raise DataError(f"{file.url}: what arrived {wrong}; it was removed: fetch again")


def _download(file: SourceFile, part: Path, progress: Progress | None, patience: Patience) -> None:
    idle = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        why = ""
        try:
            if _continue(file, part, progress, patience.stall):
                return
            why = "the connection was closed early"
        except urllib.error.HTTPError as error:
            if error.code == 416 and before:  # the part that is here is not the beginning of the file that is there
                part.unlink()
            elif error.code in _HOPELESS:
                raise DataError(f"{file.url}: the server answers {error.code} {error.reason}") from error
            why = f"the server answers {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            if isinstance(error, urllib.error.URLError) and isinstance(error.reason, ValueError):
                raise DataError(f"{file.url}: {error.reason}") from error
            why = str(getattr(error, "reason", error)) or type(error).__name__
        arrived = (part.stat().st_size if part.exists() else 0) > before
        idle = 0 if arrived else idle + 1
        if idle >= patience.attempts:
            raise DataError(
                f"{file.url}: given up after {idle} attempts that brought nothing ({why}); what has arrived is kept, "
                "the same command resumes"
            )
        time.sleep(patience.pause * 2 ** (idle - 1) if idle else 0)


def _continue(file: SourceFile, part: Path, progress: Progress | None, stall: float) -> bool:
    """Append what is missing; whether the server sent all that it announced."""
    have = part.stat().st_size if part.exists() else 0
    if not file.url.startswith(("https://", "http://")):
        raise DataError(f"{file.url}: only http and https addresses are fetched")
    request = urllib.request.Request(file.url, headers={"User-Agent": "nas-harness", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=stall) as answer:
        resumed = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        have = have if resumed else 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length is not None and length.isdigit() else file.size
        if file.size is not None and total is not None and total != file.size:
            raise DataError(f"{file.url}: the server offers {total} bytes instead of {file.size}")
        with open(part, "ab" if resumed else "wb") as stream:
            while block := answer.read1(_BLOCK):
                stream.write(block)
                have += len(block)
                if file.size is not None and have > file.size:
                    raise DataError(f"{file.url}: the server sends more than {file.size} bytes")
                if progress is not None and total:
                    progress(f"fetching {file.name}", have / total)
    return total is None or have >= total
