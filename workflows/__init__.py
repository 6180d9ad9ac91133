"""What happens, in order, for years."""
