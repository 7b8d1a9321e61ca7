"""A first-party strategy plugin."""
