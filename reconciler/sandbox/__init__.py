"""A real cloud and a real cluster on one machine, for the demo, the tests and anyone who wants to try a change."""
