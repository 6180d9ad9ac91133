"""The end of the usage log that has not been rolled up. As a rule it is short, and found by transaction at once; under a
backlog, or where a meter catches up with the others, it is long, and of one customer it is found by time.
"""

MOST_READ_WHOLE = 5_000  # events

IS_LONG = """
    (SELECT count(*) FROM (
        SELECT FROM usage_events WHERE tx >= {since} AND tx < CAST(CAST(:until AS text) AS xid8) LIMIT :most_read_whole
    ) tail) = :most_read_whole
"""
"""Whether so many events are of the transactions from `since` to `:until` that nobody should read them all."""
