"""The generator G: an autoregressive policy over a script's decisions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from harness import Script
from harness_ganas.decoder import EdgeDecoder, OperatorDecoder
from harness_ganas.encoder import KGNN, Graphs, Inputs
from harness_ganas.episodes import Bools, Episodes, Ints, Step

_NEVER = -1e9


class Judged(NamedTuple):
    """What the policy says of given episodes, float32 [T, n] each."""

    log_p: Tensor
    entropy: Tensor
    value: Tensor


class Generator(nn.Module):
    """Section 3.2: the k-GNN encoder of the partial cell, then the decoder: operation first, then edges.

    Beside them a critic for PPO, an MLP on graph and slot embeddings.
    """

    def __init__(
        self, script: Script, vocabulary: int, cells: int, widest: int, *, hidden: int = 64, layers: int = 3
    ) -> None:
        super().__init__()
        self.encoder = KGNN(vocabulary, cells, hidden=hidden, layers=layers, padding=False)
        graph = self.encoder.graph_size
        self.slot = nn.Embedding(script.slots, hidden)
        self.operators = OperatorDecoder(graph, vocabulary, widest, hidden)
        self.edges = EdgeDecoder(graph, vocabulary, script.slots, widest, hidden)
        self.critic = nn.Sequential(nn.Linear(graph + hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        with torch.no_grad():  # so that the first policy is close to uniform
            for last in (self.operators.layers[2], self.edges.edge, self.edges.query, self.critic[2]):
                assert isinstance(last, nn.Linear)
                last.weight.mul_(0.01)
                if last.bias is not None:
                    last.bias.zero_()
            self.edges.pointer_bias.weight.zero_()

    @staticmethod
    def decided(nodes: Tensor, rows: Tensor, step: Step) -> Tensor:
        """Embeddings of the node that is decided, [n, hidden]; zeros where the partial graph does not show it."""
        if 0 <= step.node < nodes.shape[2]:
            return nodes[rows, step.cell, step.node]
        return nodes.new_zeros(len(rows), nodes.shape[3])

    # -- given episodes ----------------------------------------------------------------------------------------------

    def judge(self, episodes: Episodes, inputs: Inputs) -> Judged:
        """Log-probability of each action taken, entropy of each decision, and the critic's value.

        ``inputs``: of the episodes' graphs, as `KGNN.inputs` makes them.
        """
        steps, n = episodes.steps, len(episodes)
        nodes, graph = self.encoder(inputs)
        rows = torch.from_numpy(episodes.rows)
        seen = graph[rows]
        slots = self.slot(torch.tensor([[s.slot] for s in steps]))
        value = self.critic(torch.cat([seen, slots.expand(-1, n, -1)], dim=2)).squeeze(2)
        logits: list[Tensor | None] = [None] * len(steps)
        plain = [t for t, s in enumerate(steps) if not s.recurrent]
        if plain:
            decided = torch.stack([self.decided(nodes, rows[t], steps[t]) for t in plain])
            found = self.operators(seen[plain], decided, slots[plain], [steps[t] for t in plain])
            for t, row in zip(plain, found, strict=True):
                logits[t] = row
        for t, row in self._along_blocks(episodes, nodes, seen, slots):
            logits[t] = row
        every = torch.stack([row for row in logits if row is not None])
        every = every[:, :, : episodes.legal.shape[2]].masked_fill(~torch.from_numpy(episodes.legal), _NEVER)
        log_p = every.log_softmax(dim=2)
        entropy = -(log_p.exp() * log_p).sum(dim=2)
        taken = torch.gather(log_p, 2, torch.from_numpy(episodes.actions).unsqueeze(2)).squeeze(2)
        return Judged(taken, entropy, value)

    def _along_blocks(self, episodes: Episodes, nodes: Tensor, seen: Tensor, slots: Tensor) -> list[tuple[int, Tensor]]:
        """Logits of the edge decoder's decisions. A GRU step takes the j-th of all blocks, longest blocks first."""
        steps = episodes.steps
        opening = [t for t, s in enumerate(steps) if s.opens]
        if not opening:
            return []
        blocks = []
        for t in opening:
            end = t + 1
            while end < len(steps) and steps[end].recurrent and not steps[end].opens:
                end += 1
            blocks.append(range(t, end))
        blocks.sort(key=len, reverse=True)
        first = [b[0] for b in blocks]
        state = self.edges.start(seen[first], torch.from_numpy(episodes.block_op[first]), slots[first])
        told = torch.from_numpy(episodes.told)
        rows = torch.from_numpy(episodes.rows)
        embedded = [nodes[rows[t], steps[t].cell] for t in first]
        found = []
        for j in range(len(blocks[0])):
            now = [b[j] for b in blocks if j < len(b)]
            here = [steps[t] for t in now]
            state, logits = self.edges(state[: len(now)], embedded[: len(now)], here, told[now])
            found += list(zip(now, logits, strict=True))
        return found


class Sampler:
    """The generator as a policy for `roll_out`: keeps the embeddings and the GRU state of the block."""

    def __init__(self, generator: Generator) -> None:
        self._g = generator
        self._nodes = self._graph = self._state = torch.empty(0)
        self._rows = torch.empty(0, dtype=torch.int64)

    def embed(self, graphs: Graphs, rows: Ints) -> None:
        with torch.no_grad():
            self._nodes, graph = self._g.encoder(self._g.encoder.inputs(graphs))
        self._rows = torch.from_numpy(rows)
        self._graph = graph[self._rows]

    def decide(self, step: Step, legal: Bools, block_op: Ints, told: Ints, rng: np.random.Generator) -> Ints:
        g = self._g
        with torch.no_grad():
            slot = g.slot(torch.tensor([[step.slot]]))
            graph = self._graph.unsqueeze(0)
            if step.recurrent:
                if step.opens:
                    self._state = g.edges.start(graph, torch.from_numpy(block_op).unsqueeze(0), slot)
                nodes = self._nodes[self._rows, step.cell]
                self._state, logits = g.edges(self._state, [nodes], [step], torch.from_numpy(told).unsqueeze(0))
            else:
                decided = g.decided(self._nodes, self._rows, step).unsqueeze(0)
                logits = g.operators(graph, decided, slot, [step])
            plain: npt.NDArray[np.float64] = logits[0, :, : step.options].double().numpy()
        return draw(np.where(legal, plain, -np.inf), rng)


def draw(logits: npt.NDArray[np.float64], rng: np.random.Generator) -> Ints:
    """One option for each row of logits [n, options], -inf where it is not open."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    total = p.cumsum(axis=1)
    u = rng.random((len(p), 1)) * total[:, -1:]
    found = (u >= total).sum(axis=1)
    last_open = p.shape[1] - 1 - (p[:, ::-1] > 0).argmax(axis=1)  # through rounding, u may reach the end
    chosen: Ints = np.minimum(found, last_open).astype(np.int64)
    return chosen
