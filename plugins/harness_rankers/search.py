"""What the rankers have beside the harness's own search: pruning, rounds, and ReNAS's way of reporting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import harness
from harness import Architecture, Labelled, Mode, best_first, labelled, said, verify

if TYPE_CHECKING:
    from harness import Oracle

PUBLISHED: dict[str, Any] = {"verify": 0, "candidates": "all", "generations": 500}
"""What ReNAS's paper does with every predictor: no verification, the ten best of all, the paper's evolution."""


class RankingParams(harness.RankingParams):
    rounds: Annotated[
        int, said("verify in so many rounds; before each but the first, learn anew from what was verified", ge=1)
    ] = 1
    pruned: Annotated[
        bool, said("drop parts of a cell on no input-output path before encoding it; one-hot choices are not changed")
    ] = True
    generations: Annotated[int, said("generations of the evolution", ge=0)] = 200


def with_paper(params: dict[str, Any]) -> dict[str, Mode]:
    """The modes of a ranker: ``paper`` sets `PUBLISHED` and these parameters."""
    note = "the best by test score of the ten best predicted of all, as ReNAS's paper reports"
    mode = Mode(report="best_of_returned", top=10, note=note, params={**PUBLISHED, **params})
    return {"strict": Mode(), "paper": mode}


P_co = TypeVar("P_co", bound=RankingParams, covariant=True)


class RankingStrategy(harness.RankingStrategy[P_co]):
    """Verified in rounds, each but the first after learning anew."""

    modes: ClassVar[dict[str, Mode]] = with_paper({})
    ablations: ClassVar[dict[str, dict[str, Any]]] = {"no verification": {"verify": 0}}

    def verified(self, oracle: Oracle, known: Labelled) -> list[Architecture]:
        left = self.params.verify
        for rest in range(min(self.params.rounds, left), 0, -1):
            if oracle.ended_by is not None and self.ranker is not None:
                break
            now = -(-left // rest)
            left -= now
            proposed = self.proposed(oracle, known, now)
            with self.timed("verify"):
                verify(oracle, proposed)
            known = labelled(oracle)
        return best_first(oracle, self.params.top)
