"""Pure functions on arrays: metrics, intervals, tests and corrections."""
