"""Pham et al., "Efficient Neural Architecture Search via Parameter Sharing" (ICML 2018)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from harness import Architecture, BudgetExhausted, Params, Strategy, Supernet, Training, said
from harness.protocol.training import GRADIENT_FREE
from harness_oneshot.sharing import limit_of, loss_of, most_accurate_first, right_of, training_of

if TYPE_CHECKING:
    from harness import Oracle
    from harness_oneshot.controller import Controller

_ROUNDING = 1e-9
"""Of epochs, which are sums of fractions."""


class EnasParams(Params):
    steps: Annotated[int, said("of the controller after each pass over the training images (paper: 2,000)", ge=1)] = 30
    lr: Annotated[float, said("learning rate of the controller, by Adam (paper: 3.5e-4)", gt=0.0)] = 3.5e-4
    entropy: Annotated[float, said("weight of the policy's entropy in the reward (paper: .1)", ge=0.0)] = 0.1
    decay: Annotated[
        float, said("of the moving average of rewards, the baseline (paper: gives none)", ge=0.0, lt=1.0)
    ] = 0.99
    derived: Annotated[int, said("architectures drawn at the end, the best of which is the answer", ge=1)] = 10

    @classmethod
    def smallest(cls) -> EnasParams:
        return cls(steps=2, derived=2)


class EfficientSearch(Strategy[EnasParams]):
    """ENAS: an LSTM controller by REINFORCE on validation batches, in turn with shared weights (Pham et al. 2018).

    Section 2.2. In turn: a pass over the training images, one path from the policy for each batch (M = 1), and steps of
    the controller, each by the accuracy of one drawn path on one validation batch, less a moving average, plus the
    policy's entropy; a path with a logit that is no finite number has accuracy 0. At the end several paths are drawn,
    for which the budget is kept, and the best on one validation batch is the answer. Tanh constant 2.5, temperature 5,
    100 units, parameters uniform in [-.1, .1].

    Deviations: the weights' optimiser and batches are those of the task's own trainings; 30 steps of the controller a
    pass, for 2,000 would leave the budget to it; the controller decides the space's choices one after the other, so
    that it has no attention over nodes; batch norm uses a batch's own statistics throughout.
    """

    name: ClassVar[str] = "enas"
    paper: ClassVar[str] = "Pham et al., Efficient Neural Architecture Search via Parameter Sharing (ICML 2018)"
    needs: ClassVar[frozenset[str]] = frozenset({"training"})

    def search(self, oracle: Oracle, rng: np.random.Generator) -> Sequence[Architecture]:
        """What was drawn at the end and is feasible, best first on one validation batch: `_derived`."""
        import torch

        from harness_oneshot.controller import Controller

        p = self.params
        weights, policy, order, held = rng.spawn(4)
        training = training_of(oracle)
        supernet = training.supernet(weights)
        supernet.train()
        controller = Controller(training.space.radices, policy)
        adam = torch.optim.Adam(controller.parameters(), p.lr)
        descent = training.descent(supernet)
        validation = training.endless("validation", held)
        size = training.sizes["training"]
        step_cost, judging_cost = training.batch / size, float(training.batch * GRADIENT_FREE) / size
        end = limit_of(oracle) - float(p.derived * training.batch * GRADIENT_FREE) / size

        def allowed(cost: float) -> bool:
            """Whether all that is derived can be judged after a pass of this cost: the last may cross the limit."""
            return oracle.paid.epochs + cost < end + judging_cost - _ROUNDING

        cycles, baseline = 0, 0.0
        try:
            while allowed(judging_cost):
                for batch in training.batches("training", order):
                    if not allowed(step_cost):
                        break
                    with torch.no_grad():
                        path = controller.draw().arch
                    done = oracle.paid.epochs / end
                    descent.step(loss_of(training, supernet, batch, path), done)
                for step in range(p.steps):
                    if not allowed(judging_cost):
                        break
                    drawn = controller.draw()
                    batch = next(validation)
                    right = right_of(training, supernet, batch, drawn.arch)
                    reward = 0.0 if math.isnan(right) else right / len(batch)
                    reward += p.entropy * float(drawn.entropy.detach())
                    baseline = reward if cycles == step == 0 else p.decay * baseline + (1 - p.decay) * reward
                    adam.zero_grad()
                    torch.autograd.backward(-drawn.log_p * (reward - baseline))
                    adam.step()
                cycles += 1
        except BudgetExhausted:
            pass
        self.notes |= {"cycles": cycles, "baseline": baseline}
        return self._derived(oracle, training, supernet, controller, held)

    def _derived(
        self,
        oracle: Oracle,
        training: Training,
        supernet: Supernet,
        controller: Controller,
        held: np.random.Generator,
    ) -> list[Architecture]:
        """What the policy draws, best first on one batch; behind it, as drawn, what the budget ended before."""
        import torch

        with torch.no_grad():
            archs = list(dict.fromkeys(controller.draw().arch for _ in range(self.params.derived)))
        archs = [a for a in archs if oracle.space.is_valid(a) and oracle.feasible(a) is not False]
        right: dict[Architecture, float] = {}
        try:
            batch = next(training.batches("validation", held))
            for arch in archs:
                right[arch] = right_of(training, supernet, batch, arch)
        except BudgetExhausted:
            pass
        self.notes["judged"] = len(right)
        return most_accurate_first(right) + [arch for arch in archs if arch not in right]
