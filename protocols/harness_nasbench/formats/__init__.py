"""Readers of the benchmarks' official files: bytes in, plain numpy arrays and Python values out.

Each module reads one format and knows nothing of spaces, tasks or tables. A file that cannot be trusted is refused with
`harness.errors.DataError`, which names the file, the place and the reason.
"""
