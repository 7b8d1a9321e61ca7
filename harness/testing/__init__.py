"""What plugin authors test with: toy spaces, made-up evaluators, conformance checks."""
