"""From usage events to quantities."""
