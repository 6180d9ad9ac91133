"""Outbound webhooks: who is told of what, where to, and when it is tried again."""
