"""What documents look like, in and out."""
