"""The search spaces of the recorded benchmarks."""
