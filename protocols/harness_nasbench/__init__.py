"""Recorded training protocols: published tables and surrogates of NAS benchmarks."""
