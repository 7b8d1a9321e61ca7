"""The controller pi(theta): an LSTM that takes a script's decisions one by one, n architectures at a time.

Sizes, initialisation and attention are those of the released code (core/controller/nasbench.py). Scripts of other
spaces than NAS-Bench-101 get the same parts for their decisions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from harness import Architecture, Decision, Script

WIDTH = 64
_BOUND = 0.1
_NEVER = -1e9
_SURVEYED = 512


class Rollout(NamedTuple):
    """archs: n valid architectures. log_p, entropy: float32 [n], sums over the decisions of each architecture."""

    archs: list[Architecture]
    log_p: Tensor
    entropy: Tensor


def family(decision: Decision) -> str:
    """Decisions of one family share an output layer and embeddings of their options.

    Families are operations of one list, edges, counts, stops. A choice of other options is a family alone.
    """
    if decision.kind != "op":
        return f"{decision.kind}_{decision.options}"
    if decision.option_ops is None:
        return f"choice_{decision.slot}"
    return "op_" + "_".join(map(str, decision.option_ops.tolist()))


def survey(script: Script) -> list[Decision]:
    """One decision of every slot, from uniformly random architectures."""
    rng, state = np.random.default_rng(0), script.start(_SURVEYED)
    found: dict[int, Decision] = {}
    while (decision := script.decision(state)) is not None:
        found.setdefault(decision.slot, decision)
        legal = decision.legal | decision.done[:, None]
        state = script.apply(state, (rng.random(legal.shape) * legal).argmax(axis=1))
    return list(found.values())


class CellController(nn.Module):
    """The LSTM of one cell, with an output layer a family, and attention over nodes for pointers."""

    def __init__(self, decisions: list[Decision]) -> None:
        super().__init__()
        self.lstm = nn.LSTMCell(WIDTH, WIDTH)
        self.outputs, self.embeddings = nn.ModuleDict(), nn.ModuleDict()
        nodes = max((d.options for d in decisions if d.kind == "pointer"), default=0)
        if nodes:
            self.nodes = nn.Embedding(nodes, WIDTH)
            self.of_node, self.of_state = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
            self.attention = nn.Linear(WIDTH, 1, bias=False)
        for name, options in {family(d): d.options for d in decisions if d.kind != "pointer"}.items():
            self.outputs[name] = nn.Linear(WIDTH, options)
            self.embeddings[name] = nn.Embedding(options, WIDTH)

    def logits(self, decision: Decision, h: Tensor) -> Tensor:
        """float32 [n, options]. Of a pointer: v^T tanh(W_emb e_node + W_hid h)."""
        if decision.kind == "pointer":
            named = self.of_node(self.nodes.weight[: decision.options])
            scores: Tensor = self.attention(torch.tanh(named[None] + self.of_state(h)[:, None]))
            return scores[:, :, 0]
        found: Tensor = self.outputs[family(decision)](h)
        return found

    def embedded(self, decision: Decision, actions: Tensor) -> Tensor:
        table = self.nodes if decision.kind == "pointer" else self.embeddings[family(decision)]
        found: Tensor = table(actions)
        return found


class Controller(nn.Module):
    """One `CellController` for every distinct cell; log-probabilities and entropies add up over cells."""

    def __init__(self, script: Script, generator: torch.Generator) -> None:
        super().__init__()
        self._script, self._generator = script, generator
        decisions = survey(script)
        cells = sorted({d.cell for d in decisions})
        with torch.random.fork_rng(devices=[]):  # torch's own initialisation, overwritten below
            self.cells = nn.ModuleDict(
                {str(cell): CellController([d for d in decisions if d.cell == cell]) for cell in cells}
            )
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -_BOUND, _BOUND, generator=generator)

    def roll_out(self, n: int) -> Rollout:
        """n architectures drawn from pi; log-probabilities and entropies have gradients where gradients are on."""
        script, state = self._script, self._script.start(n)
        log_p, entropy = torch.zeros(n), torch.zeros(n)
        zeros = torch.zeros(n, WIDTH)
        memory: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        while (decision := script.decision(state)) is not None:
            net = self.cells[str(decision.cell)]
            assert isinstance(net, CellController)
            x, h, c = memory.get(decision.cell, (zeros, zeros, zeros))
            h_new, c_new = net.lstm(x, (h, c))
            logits = net.logits(decision, h_new)
            if not decision.legal.all():
                legal = torch.from_numpy(decision.legal | decision.done[:, None])
                logits = logits.masked_fill(~legal, _NEVER)
            log_probs = logits.log_softmax(dim=1)
            probs = log_probs.exp()
            actions = torch.multinomial(probs.detach(), 1, generator=self._generator)[:, 0]
            taken = log_probs.gather(1, actions[:, None])[:, 0]
            spread = -(probs * log_probs).sum(dim=1)
            x_new = net.embedded(decision, actions)
            if decision.done.any():
                # An architecture that does not take this decision keeps its state.
                active = torch.from_numpy(~decision.done)
                taken, spread = taken * active, spread * active
                x_new, h_new, c_new = (
                    torch.where(active[:, None], new, old) for new, old in ((x_new, x), (h_new, h), (c_new, c))
                )
            memory[decision.cell] = x_new, h_new, c_new
            log_p, entropy = log_p + taken, entropy + spread
            state = script.apply(state, np.where(decision.done, 0, actions.numpy()))
        archs, violations = script.finish(state)
        if violations.any():
            raise RuntimeError(f"the masked script built {int((violations > 0).sum())} invalid architectures")
        return Rollout(archs, log_p, entropy)

    def sample(self, n: int) -> list[Architecture]:
        """n architectures drawn from pi, with replacement."""
        with torch.inference_mode():
            return self.roll_out(n).archs
