"""``python -m harness_training TASK...``: measure whether live tasks tell architectures apart, printed as TOML."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from harness import HarnessError
from harness.records.identity import stream
from harness.registry import default_registry
from harness.running.environment import single_thread
from harness.spaces.base import under_law
from harness_training.discrimination import Discrimination, discriminate
from harness_training.task_names import TaskName, task_of
from harness_training.trainer import Trainer, open_trainer


def main(arguments: Sequence[str] | None = None) -> None:
    """Raises HarnessError for a task that is none."""
    parser = argparse.ArgumentParser(prog="python -m harness_training", description=__doc__)
    parser.add_argument("task", nargs="+", help="such as train/digits@nasbench201+smoke")
    parser.add_argument("--architectures", type=int, default=30, help="drawn by the space's law, not those of a study")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args(arguments)
    for name in given.task:
        parsed = TaskName.parse(name)
        if parsed is None:
            raise HarnessError(f"{name!r} is no live task; want train/<data>@<space>+<protocol>")
        task_of(parsed)
        trainer = open_trainer(default_registry(), *parsed, purpose="final")
        space = trainer.networks.space
        archs = under_law(space, space.default_law).sample(stream(0, "discrimination", name), given.architectures)
        with single_thread():
            found = discriminate(trainer, archs, range(given.seeds), watch=_shown)
        print(_toml(name, trainer, found), flush=True)


def _shown(done: int, of: int) -> None:
    print(f"\r{done}/{of}", end="\n" if done == of else "", file=sys.stderr, flush=True)


def _toml(name: str, trainer: Trainer, found: Discrimination) -> str:
    lines = [
        f'["{name}"]',
        f'recipe = "{trainer.recipe.digest(trainer.networks.name)}"',
        f'images = "{trainer.data.digest}"',
    ]
    plain = asdict(found)
    parts = {key: plain.pop(key) for key in ("every", "better")}
    lines += [f"{key} = {_number(value)}" for key, value in plain.items()]
    for part, values in parts.items():
        inside = ", ".join(f"{key} = {_number(value)}" for key, value in values.items())
        lines.append(f"{part} = {{ {inside} }}")
    return "\n".join(lines) + "\n"


def _number(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_number, value))}]"
    return str(value) if isinstance(value, int) else np.format_float_positional(value, 3, fractional=False, trim="-")


if __name__ == "__main__":
    main()
