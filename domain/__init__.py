"""Pure rules of billing: standard library only, no clock, no I/O, no float."""
