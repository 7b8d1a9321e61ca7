"""What plugin authors test with: toy spaces, made-up evaluators, conformance checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

_WHERE = {
    "Report": "conformance", "assert_conforms": "conformance", "check_named": "conformance",
    "check_protocol": "conformance", "check_space": "conformance", "check_strategy": "conformance",
    "paths_to": "reachability", "ShuffledEvaluator": "shuffled", "ToyEdgeSpace": "spaces", "ToyNodeSpace": "spaces",
    "SyntheticEvaluator": "synthetic", "SyntheticValidator": "synthetic",
}  # fmt: skip

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    import importlib

    if name in _WHERE:
        return getattr(importlib.import_module(f"harness.testing.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'harness.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from harness.testing.conformance import Report as Report
    from harness.testing.conformance import assert_conforms as assert_conforms
    from harness.testing.conformance import check_named as check_named
    from harness.testing.conformance import check_protocol as check_protocol
    from harness.testing.conformance import check_space as check_space
    from harness.testing.conformance import check_strategy as check_strategy
    from harness.testing.reachability import paths_to as paths_to
    from harness.testing.shuffled import ShuffledEvaluator as ShuffledEvaluator
    from harness.testing.spaces import ToyEdgeSpace as ToyEdgeSpace
    from harness.testing.spaces import ToyNodeSpace as ToyNodeSpace
    from harness.testing.synthetic import SyntheticEvaluator as SyntheticEvaluator
    from harness.testing.synthetic import SyntheticValidator as SyntheticValidator
