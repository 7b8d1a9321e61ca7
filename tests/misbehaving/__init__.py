"""Code that misbehaves in every way we could think of, and a probe of what it may leave behind."""
