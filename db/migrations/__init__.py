"""The schema, one file a step: raw SQL that PostgreSQL 15 understands."""
