"""Scenarios: stories with a timeline, read whole before they are run."""
