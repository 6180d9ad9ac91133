"""Why a line says what it says: every amount from its cent back to its events."""
