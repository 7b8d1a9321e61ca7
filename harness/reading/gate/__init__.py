"""The gate: whether the entries of a study lost anything against reference records, run by run over common seeds."""
