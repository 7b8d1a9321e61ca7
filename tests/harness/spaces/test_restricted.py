"""Spaces of fewer options, held to what every space keeps."""

from __future__ import annotations

from harness.spaces.restricted import FewerOptions
from harness.testing import ToyEdgeSpace, assert_conforms


class WithoutSkips(FewerOptions):
    """Toy cells without skips."""

    name = "toy-edges-without-skips"

    def __init__(self) -> None:
        super().__init__(ToyEdgeSpace(), {"skip"})


def test_a_space_of_fewer_options_conforms_with_the_default_script() -> None:
    assert_conforms(WithoutSkips)
