"""Search spaces: the contract, scripts, and graphs."""

from harness.spaces.base import LAWS, Choice, SearchSpace, scalar_rng
from harness.spaces.graphs import PAD, CellBatch, CellGraph, on_path, pad, summed
from harness.spaces.networks import ImageShape, Networks, Supernet
from harness.spaces.restricted import RestrictedSpace
from harness.spaces.script import Architecture, ChoiceScript, Decision, Script

__all__ = [
    "LAWS",
    "PAD",
    "Architecture",
    "CellBatch",
    "CellGraph",
    "Choice",
    "ChoiceScript",
    "Decision",
    "ImageShape",
    "Networks",
    "RestrictedSpace",
    "Script",
    "SearchSpace",
    "Supernet",
    "on_path",
    "pad",
    "scalar_rng",
    "summed",
]
