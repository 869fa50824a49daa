"""Pure decisions: what differs, what to do about it, what must not be done. No clock, no network, no environment."""
