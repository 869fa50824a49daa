"""One folder or file per system: each implements a port, owns its SDK, and knows nothing of the others."""
