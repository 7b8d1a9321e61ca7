"""The task family ``train/<data>@<space>+<protocol>``: what a network scores is found out by training it here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness import DataSet, Evaluator, HarnessError, Task, TrainingProtocol
from harness.protocol import Stock
from harness.registry import default_registry
from harness_training.data.catalogue import image_data_sets, missing
from harness_training.protocol_files import load_recipe
from harness_training.task_names import FAMILY, TaskName, task_of, usual_tasks

if TYPE_CHECKING:
    from harness_training.data.reading import Purpose
    from harness_training.trainer import Trainer


class LiveTraining(TrainingProtocol):
    """Networks trained here: any space that has networks, any image data set, any protocol file.

    A task is called train/<data>@<space>+<protocol>, such as train/digits@darts+C+D. Fidelities are epochs. A search
    sees accuracy, or a contrastive loss without labels, on images held out of the training split; a final score is
    trained from scratch on all of that split.
    Budgets are queries or epochs.
    """

    name = "train"

    def tasks(self) -> Iterable[Task]:
        return usual_tasks()

    def task(self, name: str) -> Task | None:
        parsed = TaskName.parse(name)
        if parsed is None:
            return None
        missing(parsed.data)  # a data set that is none is named before its protocols are
        return task_of(parsed)

    def open(self, task: Task) -> Evaluator:
        from harness_training.live import LiveEvaluator
        from harness_training.supernet_task import SupernetEvaluator
        from harness_training.trainer import open_trainer

        name = TaskName.parse(task.name)
        if name is None:
            raise HarnessError(f"{task.name!r} is no live task; want {FAMILY}/<data>@<space>+<protocol>")
        registry = default_registry()

        def opened(purpose: Purpose) -> Trainer:
            return open_trainer(registry, *name, purpose=purpose)

        supernet = load_recipe(name.data, name.protocol).supernet
        if supernet is None:
            return LiveEvaluator(task, name, opened)
        return SupernetEvaluator(task, name, opened, supernet)

    def missing(self, task: Task) -> str | None:
        name = TaskName.parse(task.name)
        assert name is not None
        item = default_registry().items.get(("network", name.space))
        if item is None:
            return f"no plugin that is installed here has networks of the space {name.space}"
        return missing(name.data) if item.status == "ok" else item.status

    def closed(self) -> Sequence[str]:
        from harness_training.data.catalogue import ROOM as IMAGES
        from harness_training.store import ROOM

        return f"{ROOM}/final", IMAGES

    def stock(self) -> Sequence[Stock]:
        from harness_training.store import stock

        return stock()

    def prune(self, most_bytes: int) -> tuple[int, int]:
        from harness_training.store import prune

        return prune(most_bytes=most_bytes)

    def datasets(self) -> Sequence[DataSet]:
        return image_data_sets([t.name for t in self.tasks()])
