"""Images to train on: importers that write tables, splits of them, and what a training reads."""
