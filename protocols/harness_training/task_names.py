"""Names of live tasks: ``train/<data>@<space>+<protocol>``, such as ``train/digits@darts+C+D``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness import HarnessError, Task
from harness_training.data.catalogue import known_names
from harness_training.protocol_files import load_recipe, protocol_names
from harness_training.recipe import Recipe

FAMILY = "train"
FINAL = "trained"
_FORM = re.compile(rf"{FAMILY}/(?P<data>[^@]+)@(?P<space>[^@+]+)\+(?P<protocol>.+)")


class TaskName(NamedTuple):
    """data: of the catalogue. space: that has networks. protocol: a file of the data set, with tricks on it."""

    data: str
    space: str
    protocol: str

    def __str__(self) -> str:
        return f"{FAMILY}/{self.data}@{self.space}+{self.protocol}"

    @classmethod
    def parse(cls, name: str) -> TaskName | None:
        """None where ``name`` is not of the form."""
        match = _FORM.fullmatch(name)
        return None if match is None else cls(**match.groupdict())

    @property
    def tricks(self) -> tuple[str, ...]:
        """Those on the protocol file, in order; the file may be left out where it is ``base``."""
        parts = self.protocol.split("+")
        return tuple(parts if parts[0] not in protocol_names(self.data)[0] else parts[1:])


def task_of(name: TaskName) -> Task:
    """Raises UnknownName and HarnessError for a protocol that is none, or that says nothing of the space."""
    return _task(name, load_recipe(name.data, name.protocol))


def usual_tasks() -> Iterator[Task]:
    """Each protocol file of each data set alone and with each trick, on each space that it has networks for.

    A file that is wrong is passed over here; whoever asks for its task is told what is wrong.
    """
    for data in known_names():
        protocols, tricks = protocol_names(data)
        for protocol in [*protocols, *tricks]:
            try:
                recipe = load_recipe(data, protocol)
            except HarnessError:
                continue
            for space in sorted(recipe.network):
                yield _task(TaskName(data, space, protocol), recipe)


def _task(name: TaskName, recipe: Recipe) -> Task:
    return Task(
        str(name),
        FAMILY,
        summary=recipe.summary + (f"; with {', '.join(name.tricks)}" if name.tricks else ""),
        finals=(FINAL,),
        recorded=False,
        data_set=name.data,
        one_training=False,
    )
