"""One search of a folder carried out again in this process, every query shown, for who looks for a mistake."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BudgetExhausted, InvalidArchitecture, RecordError, StillAsking, shortened
from harness.protocol import Fidelity
from harness.reading.replay import searches_called, titles_in
from harness.records.lines import SearchRecord
from harness.records.store import Folder, read_folder
from harness.registry import Registry
from harness.running.plan import code_of
from harness.running.runner import Runner
from harness.running.search import Searched
from harness.search.oracle import Oracle
from harness.spaces import Architecture


@dataclass(frozen=True, slots=True)
class Debugged:
    """What the search did now, beside its record. changed: whether the strategy's code is other than it was."""

    record: SearchRecord
    title: str
    now: Searched
    changed: bool

    @property
    def traceback(self) -> str:
        """Of what the search raised; empty where it raised nothing."""
        return "" if self.now.raised is None else "".join(traceback.format_exception(self.now.raised))


def debug(folder: Path, identity: str = "", *, registry: Registry, show: Callable[[str], None]) -> Debugged:
    """Carry out the search whose id begins with ``identity``, by default the first that failed; ``show`` each query.

    No limit of time or memory ends it, and the records stay as they are. Raises RecordError where there is no such
    search, or several.
    """
    found = read_folder(folder)
    record = _chosen(found, identity)
    title = titles_in(found).get(record.id, record.spec.strategy)
    show(f"{title} ({record.id[:12]}): {shortened(record.error or 'it ended well')}")
    searched = Runner(registry, oracle=_shown_by(show)).search(record.spec)
    return Debugged(record, title, searched, code_of(record.spec.strategy, registry) != record.spec.code)


def _chosen(found: Folder, identity: str) -> SearchRecord:
    if identity:
        matching = searches_called(found, identity)
        if len(matching) > 1:
            raise RecordError(f"{found.path} holds {len(matching)} searches whose ids begin with {identity!r}")
        return matching[0]
    failed = next((record for record in found.searches.values() if record.status != "ok"), None)
    if failed is None:
        raise RecordError(f"{found.path} holds no search that failed: name one by how its id begins")
    return failed


def _shown_by(show: Callable[[str], None]) -> type[Oracle]:
    """An oracle that shows each call and its answer, and the first of its refusals at the end."""

    class ShownOracle(Oracle):
        _refused = False

        def query(self, arch: Architecture, *, fidelity: Fidelity | None = None, repeat: int | None = None) -> float:
            before = len(self.ledger)
            try:
                score = super().query(arch, fidelity=fidelity, repeat=repeat)
            except (BudgetExhausted, StillAsking) as end:
                if not self._refused:
                    show(f"refused: {end}")
                self._refused = True
                raise
            except (InvalidArchitecture, ValueError) as error:
                show(f"refused: {error}")
                raise
            at: Any = fidelity.name if fidelity is not None else ""
            about = " ".join(str(x) for x in (at, "" if repeat is None else f"repeat {repeat}") if x != "")
            paid = f"{len(self.ledger)} paid" if len(self.ledger) > before else "free"
            show(f"{paid:>10}  {self.space.describe(arch)}{f' ({about})' if about else ''}  {score:.6g}")
            return score

    return ShownOracle
