"""Official benchmark files as memory-mapped, checksummed tables."""
