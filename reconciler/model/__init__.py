"""Frozen types: what is desired, what was observed, how they differ, what is planned, what came of it."""
