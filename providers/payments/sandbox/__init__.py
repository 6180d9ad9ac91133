"""An emulator of what we use of Stripe, over HTTP, for development and tests: scriptable, with faults."""
