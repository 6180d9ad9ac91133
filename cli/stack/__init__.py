"""The servers that `weir dev`, the demo and the tests bring along: PostgreSQL and Temporal as child processes."""
