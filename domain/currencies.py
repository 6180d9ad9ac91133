"""ISO 4217 list one: the currencies that have minor units, and how many digits they have."""

MINOR_DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
