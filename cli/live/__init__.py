"""`weir simulate --live`: a scenario through the REST API, Temporal and PostgreSQL, on a test clock."""
