"""ENAS's controller: an LSTM that decides one choice after another (Pham et al., ICML 2018, Section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from harness import Architecture

WIDTH = 100
TEMPERATURE, BOUND = 5.0, 2.5
"""Logits are ``BOUND`` times the tanh of logits / ``TEMPERATURE``."""
_FIRST = 0.1
"""Parameters start uniform in [-.1, .1]."""


class Drawn(NamedTuple):
    """log_p, entropy: scalars, summed over choices, with gradients where gradients are on."""

    arch: Architecture
    log_p: Tensor
    entropy: Tensor


class Controller(nn.Module):
    """radices: how many options each choice has. Every combination of options is an architecture."""

    def __init__(self, radices: Sequence[int], rng: np.random.Generator) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        with torch.random.fork_rng(devices=[]):  # torch's own initialisation, overwritten below
            self.first = nn.Parameter(torch.empty(1, WIDTH))
            self.lstm = nn.LSTMCell(WIDTH, WIDTH)
            self.outputs = nn.ModuleList(nn.Linear(WIDTH, radix) for radix in radices)
            self.embeddings = nn.ModuleList(nn.Embedding(radix, WIDTH) for radix in radices[:-1])
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -_FIRST, _FIRST, generator=generator)
        self._rng = rng

    def draw(self) -> Drawn:
        """An architecture from the policy."""
        return self._walk(None)

    def judge(self, arch: Architecture) -> Drawn:
        """The same of a given architecture."""
        return self._walk(arch)

    def _walk(self, arch: Architecture | None) -> Drawn:
        x, state = self.first, (torch.zeros(1, WIDTH), torch.zeros(1, WIDTH))
        taken: list[int] = []
        log_p, entropy = torch.zeros(()), torch.zeros(())
        for place, output in enumerate(self.outputs):
            state = self.lstm(x, state)
            log_probs = (BOUND * torch.tanh(output(state[0])[0] / TEMPERATURE)).log_softmax(0)
            probs = log_probs.exp()
            if arch is None:
                cumulative = probs.detach().numpy().astype(np.float64).cumsum()
                option = int(np.searchsorted(cumulative, self._rng.random() * cumulative[-1], side="right"))
            else:
                option = arch[place]
            log_p = log_p + log_probs[option]
            entropy = entropy - (probs * log_probs).sum()
            taken.append(option)
            if place < len(self.embeddings):
                x = self.embeddings[place](torch.tensor([option]))
        return Drawn(tuple(taken), log_p, entropy)
