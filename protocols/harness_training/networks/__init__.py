"""The networks of the first-party spaces, built from the spaces' own graphs, at any size."""
