"""`weir demo`: a month of an AI company, from usage to money."""
