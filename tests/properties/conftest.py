"""Laws are no measurements: on a busy machine an example may take its time."""

from hypothesis import settings

settings.register_profile("laws", deadline=None)
settings.load_profile("laws")
