"""The generator's decoder (GA-NAS, section 3.2): which operation a node is, then which earlier nodes feed it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from harness_ganas.episodes import Step


class OperatorDecoder(nn.Module):
    """A feed-forward network, whose softmax is the distribution of the operation.

    It reads the graph embedding, the embedding of the node that is decided, and that of the decision's slot (in a space
    of fixed topology the slot says which node it is; in one that grows it is the last). Its outputs are operations of
    the space's vocabulary, so that all nodes share them, and plain options for decisions that name no operations.
    """

    def __init__(self, graph: int, vocabulary: int, widest: int, hidden: int) -> None:
        super().__init__()
        self.vocabulary, self.widest = vocabulary, widest
        self.layers = nn.Sequential(
            nn.Linear(graph + 2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, vocabulary + widest)
        )

    def forward(self, graph: Tensor, nodes: Tensor, slots: Tensor, steps: Sequence[Step]) -> Tensor:
        """Logits [s, n, widest] of s decisions; graph [s, n, ...], nodes [s, n, hidden], slots [s, 1, hidden]."""
        out = self.layers(torch.cat([graph, nodes, slots.expand(-1, graph.shape[1], -1)], dim=2))
        pick = np.zeros((len(steps), 1, self.widest), dtype=np.int64)
        for i, step in enumerate(steps):
            named = step.option_ops or range(self.vocabulary, self.vocabulary + step.options)
            pick[i, 0, : step.options] = named
        return torch.gather(out, 2, torch.from_numpy(pick).expand(-1, graph.shape[1], -1))


class EdgeDecoder(nn.Module):
    """A uni-directional GRU that decides the edges to earlier nodes one after the other.

    h_0 = tanh(W [graph; operation of the node; slot]). For each earlier node v in order it takes a step on
    [h_v; was there an edge before], and the new state gives the logit of the edge. Where a script uses pointers and not
    single edges, the step is on [h of the node last pointed to; 1], and each option's logit is the attention of the
    state over [h of the option's node + a vector of the option] plus a bias of slot and option.
    """

    def __init__(self, graph: int, vocabulary: int, slots: int, widest: int, hidden: int) -> None:
        super().__init__()
        self.vocabulary, self.widest, self.hidden = vocabulary, widest, hidden
        self.operation = nn.Embedding(vocabulary + 1, hidden)
        self.first_state = nn.Linear(graph + 2 * hidden, hidden)
        self.gru = nn.GRUCell(hidden + 1, hidden)
        self.edge = nn.Linear(hidden, 1)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.option = nn.Embedding(widest, hidden)
        self.pointer_bias = nn.Embedding(slots, widest)

    def start(self, graph: Tensor, block_op: Tensor, slots: Tensor) -> Tensor:
        """h_0 of s blocks, [s, n, hidden]; block_op: int64 [s, n], the node's operation, -1 where it has none yet."""
        chosen = self.operation(torch.where(block_op < 0, self.vocabulary, block_op))
        return torch.tanh(self.first_state(torch.cat([graph, chosen, slots.expand(-1, graph.shape[1], -1)], dim=2)))

    def forward(
        self, state: Tensor, nodes: Sequence[Tensor], steps: Sequence[Step], told: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One GRU step of s decisions at once: the new state [s, n, hidden] and logits [s, n, widest].

        nodes: for each decision the embeddings [n, v, hidden] of its cell. told: int64 [s, n], what the block decided
        just before: 1 for an edge and 0 for none, or the graph node pointed to; unused where the block opens.
        """
        s, n, _ = state.shape
        read = torch.stack([self._read(nodes[i], step, told[i]) for i, step in enumerate(steps)])
        state = self.gru(read.view(s * n, -1), state.reshape(s * n, -1)).view(s, n, -1)
        asked = self.query(state)
        logits = [
            self._edge_logits(state[i]) if step.kind == "edge" else self._pointer_logits(asked[i], nodes[i], step)
            for i, step in enumerate(steps)
        ]
        return state, torch.stack([nn.functional.pad(row, (0, self.widest - row.shape[1])) for row in logits])

    def _read(self, nodes: Tensor, step: Step, told: Tensor) -> Tensor:
        """What the GRU reads, [n, hidden + 1]."""
        if step.kind == "edge":
            assert step.source is not None
            before = torch.zeros(len(nodes)) if step.opens else told.float()
            return torch.cat([nodes[:, step.source], before.unsqueeze(1)], dim=1)
        if step.opens:
            return nodes.new_zeros(len(nodes), self.hidden + 1)
        pointed = nodes[torch.arange(len(nodes)), told]
        return torch.cat([pointed, torch.ones(len(nodes), 1)], dim=1)

    def _edge_logits(self, state: Tensor) -> Tensor:
        """[n, 2]: no edge, edge."""
        yes = self.edge(state)
        return torch.cat([torch.zeros_like(yes), yes], dim=1)

    def _pointer_logits(self, asked: Tensor, nodes: Tensor, step: Step) -> Tensor:
        """[n, options]; asked: [n, hidden]."""
        keys = nodes[:, list(step.option_nodes)] + self.option.weight[: step.options]
        match = (keys @ asked.unsqueeze(2)).squeeze(2) / self.hidden**0.5
        logits: Tensor = match + self.pointer_bias.weight[step.slot, : step.options]
        return logits
