"""Moving money through a payment provider."""
