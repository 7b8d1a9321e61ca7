"""Peephole: an LSTM over the codes of a network's layers predicts its score.

Source: Deng, Yan and Lin, "Peephole: Predicting Network Performance Before Training" (arXiv:1712.03351, 2017). ReNAS's
paper compares ReNAS with it (Tables 1, 2 and 4).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np

from harness import Labelled, Ranker, SearchSpace, said
from harness_rankers.search import RankingParams, RankingStrategy


class PeepholeParams(RankingParams):
    width: Annotated[int, said("size of a layer's vector, a multiple of 4", ge=4, multiple_of=4)] = 40
    hidden: Annotated[int, said("size of the LSTM's state", ge=1)] = 160
    epochs: Annotated[int, said("passes over the labels (ours)", ge=1)] = 200
    lr: Annotated[float, said("Adam's learning rate (ours)", gt=0.0)] = 1e-3
    weight_decay: Annotated[float, said("Adam's L2 penalty (ours)", ge=0.0)] = 5e-4
    batch: Annotated[int, said("architectures a step at most (ours)", ge=3)] = 64

    @classmethod
    def smallest(cls) -> Any:
        return cls(verify=3, population=8, generations=3, width=4, hidden=4, epochs=2)


class Peephole(RankingStrategy[PeepholeParams]):
    """An LSTM over layers that predicts scores (Deng et al. 2017), the best predicted verified.

    An LSTM and a perceptron regress validation scores on layer codes, with a smooth L1 loss. A code is a layer's
    operation and the width and height of its kernel. The paper's code also has the ratio of output to input channels,
    which no space here knows of a layer. The paper's predictor also has the number of epochs, which is equal for all
    labels here. The layers are those of one repetition of each distinct cell, input to output by depth, since
    repetitions are alike. An LSTM sees no edges, here as in the paper.
    """

    name: ClassVar[str] = "peephole"
    paper: ClassVar[str] = (
        "Deng, Yan and Lin, Peephole: Predicting Network Performance Before Training (arXiv:1712.03351, 2017)"
    )

    def learn(self, space: SearchSpace, known: Labelled, rng: np.random.Generator) -> Ranker:
        from harness_rankers.layers import fit

        return fit(space, known, rng, self.params)
