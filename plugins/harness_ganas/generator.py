"""The generator G: an autoregressive policy over a script's decisions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from harness import Script
from harness_ganas.encoder import KGNN, Graphs, Inputs
from harness_ganas.episodes import Bools, Episodes, Ints, Step

_NEVER = -1e9


class Judged(NamedTuple):
    """What the policy says of given episodes, float32 [T, n] each."""

    log_p: Tensor
    entropy: Tensor
    value: Tensor


class Generator(nn.Module):
    """k-GNN encoder of the partial cell, operator head, GRU edge decoder, critic.

    Operator head: an MLP on the graph embedding, the embedding of the node that is decided, and one of the decision's
    slot (spaces of fixed topology must be told which node it is; in one that grows it is the last). Its outputs
    are operations of the space's vocabulary, so that all nodes share them, and plain options for decisions
    that name no operations. Edge decoder: h_0 = tanh(W [graph; operation of the node; slot]); for each earlier node v
    in order a GRU step on [h_v; previous decision], then the logit of the edge. For pointers, attention of the state
    over [h_v plus a learned vector per option] plus a bias per slot and option, since an option's number need not
    be that of a node of the graph. Critic: an MLP on graph and slot embeddings.
    """

    def __init__(
        self, script: Script, vocabulary: int, cells: int, widest: int, *, hidden: int = 64, layers: int = 3
    ) -> None:
        super().__init__()
        self.vocabulary, self.widest, self.hidden = vocabulary, widest, hidden
        self.encoder = KGNN(vocabulary, cells, hidden=hidden, layers=layers, padding=False)
        graph = self.encoder.graph_size
        self.slot = nn.Embedding(script.slots, hidden)
        self.operator = nn.Sequential(
            nn.Linear(graph + 2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, vocabulary + widest)
        )
        self.operation = nn.Embedding(vocabulary + 1, hidden)
        self.first_state = nn.Linear(graph + 2 * hidden, hidden)
        self.gru = nn.GRUCell(hidden + 1, hidden)
        self.edge = nn.Linear(hidden, 1)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.option = nn.Embedding(widest, hidden)
        self.pointer_bias = nn.Embedding(script.slots, widest)
        self.critic = nn.Sequential(nn.Linear(graph + hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        with torch.no_grad():  # so that the first policy is close to uniform
            for last in (self.operator[2], self.edge, self.query, self.critic[2]):
                assert isinstance(last, nn.Linear)
                last.weight.mul_(0.01)
                if last.bias is not None:
                    last.bias.zero_()
            self.pointer_bias.weight.zero_()

    # -- the parts ---------------------------------------------------------------------------------------------------

    def _operator_logits(self, nodes: Tensor, graph: Tensor, slots: Tensor, steps: list[Step]) -> Tensor:
        """float32 [s, n, widest] for s decisions; nodes [s, n, hidden], graph [s, n, ...], slots [s, 1, hidden]."""
        out = self.operator(torch.cat([graph, nodes, slots.expand(-1, graph.shape[1], -1)], dim=2))
        pick = np.zeros((len(steps), 1, self.widest), dtype=np.int64)
        for i, step in enumerate(steps):
            named = step.option_ops or range(self.vocabulary, self.vocabulary + step.options)
            pick[i, 0, : step.options] = named
        return torch.gather(out, 2, torch.from_numpy(pick).expand(-1, graph.shape[1], -1))

    def _first_state(self, graph: Tensor, block_op: Tensor, slots: Tensor) -> Tensor:
        chosen = self.operation(torch.where(block_op < 0, self.vocabulary, block_op))
        return torch.tanh(self.first_state(torch.cat([graph, chosen, slots.expand(-1, graph.shape[1], -1)], dim=2)))

    def _edge_logits(
        self, state: Tensor, nodes: list[Tensor], steps: list[Step], previous: Tensor, fresh: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One GRU step of s decisions at once: the new state [s, n, hidden] and logits [s, n, widest].

        nodes: for each decision the embeddings [n, v, hidden] of its cell; previous: int64 [s, n], the block's last
        edge decision; fresh: bool [s], the block has none yet.
        """
        s, n, _ = state.shape
        reading, bits = [], []
        for i, step in enumerate(steps):
            if step.kind == "edge":
                assert step.source is not None
                reading.append(nodes[i][:, step.source])
                bits.append(torch.where(fresh[i], torch.zeros(n), previous[i].float()))
            else:
                known = previous[i].clamp(max=nodes[i].shape[1] - 1)
                at = known.view(n, 1, 1).expand(-1, 1, self.hidden)
                pointed = torch.gather(nodes[i], 1, at).squeeze(1)
                reading.append(torch.where(fresh[i], torch.zeros_like(pointed), pointed))
                bits.append(torch.where(fresh[i], torch.zeros(n), torch.ones(n)))
        seen = torch.cat([torch.stack(reading), torch.stack(bits).unsqueeze(2)], dim=2)
        state = self.gru(seen.view(s * n, -1), state.reshape(s * n, -1)).view(s, n, -1)
        rows = []
        asked = self.query(state)
        for i, step in enumerate(steps):
            if step.kind == "edge":
                yes = self.edge(state[i])
                logits = torch.cat([torch.zeros_like(yes), yes], dim=1)
            else:
                missing = max(0, step.options - nodes[i].shape[1])
                shown = nn.functional.pad(nodes[i][:, : step.options], (0, 0, 0, missing))
                keys = shown + self.option.weight[: step.options]
                match = (keys @ asked[i].unsqueeze(2)).squeeze(2) / self.hidden**0.5
                logits = match + self.pointer_bias.weight[step.slot, : step.options]
            rows.append(nn.functional.pad(logits, (0, self.widest - logits.shape[1])))
        return state, torch.stack(rows)

    @staticmethod
    def _decided(nodes: Tensor, rows: Tensor, step: Step) -> Tensor:
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
            decided = torch.stack([self._decided(nodes, rows[t], steps[t]) for t in plain])
            found = self._operator_logits(decided, seen[plain], slots[plain], [steps[t] for t in plain])
            for t, row in zip(plain, found, strict=True):
                logits[t] = row
        for t, row in self._edges(episodes, nodes, seen, slots):
            logits[t] = row
        every = torch.stack([row for row in logits if row is not None])
        every = every[:, :, : episodes.legal.shape[2]].masked_fill(~torch.from_numpy(episodes.legal), _NEVER)
        log_p = every.log_softmax(dim=2)
        entropy = -(log_p.exp() * log_p).sum(dim=2)
        taken = torch.gather(log_p, 2, torch.from_numpy(episodes.actions).unsqueeze(2)).squeeze(2)
        return Judged(taken, entropy, value)

    def _edges(self, episodes: Episodes, nodes: Tensor, seen: Tensor, slots: Tensor) -> list[tuple[int, Tensor]]:
        """Logits of the edge decoder's decisions; the j-th of all blocks in one GRU step, longest blocks first."""
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
        state = self._first_state(seen[first], torch.from_numpy(episodes.block_op[first]), slots[first])
        actions = torch.from_numpy(episodes.actions)
        rows = torch.from_numpy(episodes.rows)
        embedded = [nodes[rows[t], steps[t].cell] for t in first]
        found = []
        for j in range(len(blocks[0])):
            now = [b[j] for b in blocks if j < len(b)]
            here = [steps[t] for t in now]
            fresh = torch.tensor([s.opens for s in here])
            state, logits = self._edge_logits(
                state[: len(now)], embedded[: len(now)], here, actions[[max(t - 1, 0) for t in now]], fresh
            )
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

    def decide(self, step: Step, legal: Bools, block_op: Ints, previous: Ints, rng: np.random.Generator) -> Ints:
        g = self._g
        with torch.no_grad():
            slot = g.slot(torch.tensor([[step.slot]]))
            graph = self._graph.unsqueeze(0)
            if step.recurrent:
                if step.opens:
                    self._state = g._first_state(graph, torch.from_numpy(block_op).unsqueeze(0), slot)
                self._state, logits = g._edge_logits(
                    self._state, [self._nodes[self._rows, step.cell]], [step], torch.from_numpy(previous).unsqueeze(0),
                    torch.tensor([step.opens]),
                )  # fmt: skip
            else:
                decided = g._decided(self._nodes, self._rows, step).unsqueeze(0)
                logits = g._operator_logits(decided, graph, slot, [step])
            plain: npt.NDArray[np.float64] = logits[0, :, : step.options].double().numpy()
        return draw(np.where(legal, plain, -np.inf), rng)


def draw(logits: npt.NDArray[np.float64], rng: np.random.Generator) -> Ints:
    """One option for each row of logits [n, options], -inf where it is not open."""
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    total = p.cumsum(axis=1)
    u = rng.random((len(p), 1)) * total[:, -1:]
    found = (u >= total).sum(axis=1)
    last_open = p.shape[1] - 1 - (p[:, ::-1] > 0).argmax(axis=1)  # by rounding, u may reach the very end
    chosen: Ints = np.minimum(found, last_open).astype(np.int64)
    return chosen
