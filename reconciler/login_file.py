"""A settled login as the file that programs read: private, of one run, and gone after it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import unwritable, write
from .model.login import Login

_FOLDER = "login"


@contextmanager
def given(login: Login | None, root: Path) -> Iterator[dict[str, str]]:
    """Write a clouds.yaml below `root`, which is private, and yield the variables that lead a program there; without a
    login, none. The file is removed after the block; one that a killed run left goes before anything else.

    Raises Transient where it can't be written."""
    folder = root / _FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    if login is None:
        yield {}
        return
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        file = folder / "clouds.yaml"
        write(file, json.dumps(login.document(), indent=2))
        yield {
            "OS_CLIENT_CONFIG_FILE": str(file.resolve()),
            "OS_CLOUD": login.cloud,
            # Terraform's provider takes it from here only, and openstackclient from the other one
            "OS_ENDPOINT_TYPE": login.interface,
            "OS_INTERFACE": login.interface,
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
