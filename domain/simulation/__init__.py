"""The pure run of a scenario: what would be issued, without a server, a database or a clock."""
