"""Official files as memory-mapped, checksummed tables, and a pickle reader that runs nothing."""
