"""What runs for long: the daemon."""
