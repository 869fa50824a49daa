"""`python -m reconciler` is the `reconciler` command."""

from .cli import main

main()
