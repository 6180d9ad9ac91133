"""What `weir repair` looks at, and what it does."""
