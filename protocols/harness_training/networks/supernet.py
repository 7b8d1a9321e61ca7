"""A network with weights for every option of every choice, told with each pass which of them to use."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn

from harness import Architecture, HarnessError

Path = Architecture | Sequence[Tensor]


class MixedOperation(nn.Module):
    """All options of one choice. ``route``: the option to use, or the weights of all, float32 [options].

    An option that is None carries nothing: zeros, shaped as what the others give. stride: theirs.
    """

    def __init__(self, choice: int, options: Sequence[nn.Module | None], stride: int = 1) -> None:
        super().__init__()
        self.choice, self.stride, self.carries = choice, stride, tuple(option is not None for option in options)
        self.options = nn.ModuleDict({str(i): option for i, option in enumerate(options) if option is not None})
        self.route: int | Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.route is None:
            raise HarnessError("a mixed operation is used through its SharedNetwork, which sets its route")
        if not isinstance(self.route, Tensor):
            name = str(self.route)
            return self.options[name](x) if name in self.options else self._nothing(x)
        total = self._nothing(x)
        for name, option in self.options.items():
            weight = self.route[int(name)]
            if float(weight.detach()) != 0.0:
                total = total + weight * option(x)
        return total

    def _nothing(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x if self.stride == 1 else x[:, :, :: self.stride, :: self.stride])


class SharedNetwork(nn.Module):
    """``network``, in which each choice stands as a `MixedOperation` at one place or more: a `harness.Supernet`."""

    options: tuple[tuple[bool, ...], ...]

    def __init__(self, network: nn.Module, kept: Sequence[tuple[Sequence[int], int]] = ()) -> None:
        super().__init__()
        self.network, self.kept = network, kept
        self._mixed = [m for m in network.modules() if isinstance(m, MixedOperation)]
        of = {m.choice: m.carries for m in self._mixed}
        self.options = tuple(of[choice] for choice in range(len(of)))

    def forward(self, images: Tensor, path: Path) -> Tensor:
        self._check(path)
        for mixed in self._mixed:
            mixed.route = path[mixed.choice]
        try:
            logits: Tensor = self.network(images)
        finally:
            for mixed in self._mixed:
                mixed.route = None
        return logits

    def paths(self, path: Path) -> Fraction:
        self._check(path)
        if not isinstance(path[0], Tensor):
            return Fraction(1)
        evaluated = 0
        for weights, carries in zip(path, self.options, strict=True):
            assert isinstance(weights, Tensor)
            evaluated += sum(w != 0.0 and c for w, c in zip(weights.detach().tolist(), carries, strict=True))
        return max(Fraction(evaluated, len(self.options)), Fraction(1))

    def _check(self, path: Path) -> None:
        if len(path) != len(self.options):
            raise ValueError(f"a path has {len(path)} entries, the space {len(self.options)} choices")
