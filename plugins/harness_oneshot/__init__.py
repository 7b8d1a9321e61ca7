"""One-shot search: weights shared by all architectures, trained within the search's own budget of epochs."""
