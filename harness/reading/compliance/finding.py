"""What a rule says."""

from __future__ import annotations

import msgspec

from harness.reading.study import EntryRuns, SettingRuns


class Finding(msgspec.Struct, frozen=True):
    """ok: true, false, or null where the rule does not apply or the records cannot tell.

    scope: ``study``, a strategy's name, a setting's title, or ``setting: entry``.
    """

    rule: str
    ok: bool | None
    why: str
    scope: str


Ruling = tuple[bool | None, str]
"""ok and why."""


def entry_scope(setting: SettingRuns, entry: EntryRuns) -> str:
    """The scope of what is found on one entry."""
    return f"{setting.title}: {entry.entry.title}"
