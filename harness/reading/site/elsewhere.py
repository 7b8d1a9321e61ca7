"""What stands beside the boards and is never ranked: results from elsewhere, and numbers as papers print them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import RecordError
from harness.reading import numbers
from harness.reading.ingested import IngestedStudy, IngestedSummary, read_ingested
from harness.records.store import INGESTED

PUBLISHED = "published.toml"
"""The file of published numbers in a folder of studies."""


class Published(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One number of a paper. task: the task here that it is of, or what the paper calls it where there is none.

    std as printed; n: how many runs or architectures, null where the paper does not say. under: the budget and such.
    """

    task: str
    entry: str
    quantity: str
    value: float
    std: float | None = None
    n: int | None = None
    under: str = ""
    paper: str
    table: str
    note: str = ""

    @property
    def shown(self) -> str:
        """The number with its deviation, two digits at least."""
        return _digits(self.value) + ("" if self.std is None else f" ± {_digits(self.std)}")


def _digits(value: float) -> str:
    return f"{value:.2f}" if value == round(value, 2) else f"{value:.10g}"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: list[Published]


@dataclass(frozen=True)
class Elsewhere:
    """Of all folders given."""

    studies: tuple[IngestedStudy, ...] = ()
    published: tuple[Published, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.studies or self.published)

    def published_on(self, task: str) -> list[Published]:
        return [p for p in self.published if p.task == task]

    def ingested_on(self, task: str) -> list[tuple[IngestedStudy, IngestedSummary]]:
        return [(study, s) for study in self.studies for s in study.summaries if s.task == task]

    @property
    def tasks(self) -> list[str]:
        """Of the published numbers."""
        return list(dict.fromkeys(p.task for p in self.published))


def elsewhere_of(folders: Sequence[Path]) -> Elsewhere:
    """Raises RecordError where a file is not what it should be."""
    studies = [read_ingested(path) for given in folders for path in _within(given, INGESTED)]
    published = [p for given in folders for path in _within(given, PUBLISHED) for p in _published(path / PUBLISHED)]
    return Elsewhere(tuple(studies), tuple(dict.fromkeys(published)))


def holds_something(folder: Path) -> bool:
    return any(True for name in (INGESTED, PUBLISHED) for _ in _within(folder, name))


def _within(folder: Path, name: str) -> Iterator[Path]:
    """The folder and the folders in it that have a file of this name."""
    inside = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    return (p for p in (folder, *inside) if (p / name).is_file() and (p / name).stat().st_size)


def _published(path: Path) -> list[Published]:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=_File).number
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: {error}; each [[number]] has task, entry, quantity, value, paper, table") from error


def ri(of: IngestedSummary) -> str:
    return f"{numbers.number(of.ri_paper, signed=True)} {numbers.interval(of.ri_low, of.ri_high, signed=True)}"
