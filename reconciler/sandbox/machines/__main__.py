"""`python -m reconciler.sandbox.machines ROOT --bin DIR`: runs the machines of one sandbox until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from .daemon import Daemon


def main() -> None:
    parser = argparse.ArgumentParser(prog="machines", description=__doc__)
    parser.add_argument("root", type=Path, help="the sandbox's folder")
    parser.add_argument("--bin", type=Path, required=True, help="programs that the machines' image has installed")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    asyncio.run(Daemon(arguments.root.resolve(), arguments.bin.resolve()).run())


main()
