"""The example plugin of nas-harness."""
