"""Names of live tasks: ``train/<data>@<space>+<protocol>``, such as ``train/digits@darts+C+D``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import msgspec

from harness import HarnessError, Task
from harness_training.data.catalogue import known_names
from harness_training.protocol_files import load_recipe, protocol_names, protocol_parts
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
        """Those on the protocol file, in order."""
        return tuple(protocol_parts(self.data, self.protocol)[1:])


def task_of(name: TaskName) -> Task:
    """Raises UnknownName and HarnessError for a protocol that is none, and for a trick that changes nothing."""
    recipe = load_recipe(name.data, name.protocol)
    if trick := _idle(name, recipe):
        raise HarnessError(f"{name}: the trick {trick} changes nothing of trainings on {name.space}; leave it out")
    return _task(name, recipe)


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
                name = TaskName(data, space, protocol)
                if _idle(name, recipe) is None:
                    yield _task(name, recipe)


def _idle(name: TaskName, recipe: Recipe) -> str | None:
    """A trick without which the task would be the same; none where the protocol has no networks of the space."""
    if name.space not in recipe.network:
        return None
    file, *tricks = protocol_parts(name.data, name.protocol)
    for trick in tricks:
        with suppress(HarnessError):  # what is no protocol without the trick is another with it
            without = load_recipe(name.data, "+".join([file, *(t for t in tricks if t != trick)]))
            if _on(name.space, without) == _on(name.space, recipe):
                return trick
    return None


def _on(space: str, recipe: Recipe) -> Recipe:
    """What of it is said of this space, without the words."""
    return msgspec.structs.replace(recipe, summary="", source="", network={space: recipe.network[space]})


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
