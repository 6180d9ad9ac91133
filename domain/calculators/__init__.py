"""The calculators: one JSON object asked, one answered, as a command and over HTTP."""
