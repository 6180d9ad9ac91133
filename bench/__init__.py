"""Reproducible measurements, each a ratio against a yardstick taken in the same run."""
