"""What each command changes and bills, a file a theme."""
