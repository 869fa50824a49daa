"""The services' databases: made once per set of pins, which takes half a minute, and copied for every new cloud."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ... import process
from ...errors import Permanent
from ...ports import Progress, Task
from .environment import GUEST, Environment, locked
from .layout import EXTRAS, Layout

_STEP_SECONDS = 300.0
_BOOTSTRAP_PASSWORD = "replaced in every copy"  # noqa: S105
_MARK = "made-for"
_CORE = "core"


def guest_environment(root: Path) -> Mapping[str, str]:
    """The whole environment of programs that run for the cloud at `root`: nothing of the user's, so that no proxy,
    no OS_* variable and no /etc of theirs gets in."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(root),
        "PYTHONPATH": str(GUEST),
        "PYTHONWARNINGS": "ignore",
        "MALLOC_ARENA_MAX": "2",  # glibc's arenas, one per thread, would cost 150 MB
        "OS_NOVA_DISABLE_EVENTLET_PATCHING": "1",
    }


class Schema:
    """The databases of an environment's services, as nobody has used them yet: one folder for those that every cloud
    has, and one for each optional service."""

    def __init__(self, environment: Environment, progress: Progress) -> None:
        self._environment = environment
        self._progress = progress
        recipe = b"".join(path.read_bytes() for path in [*sorted(GUEST.glob("*_schema.py")), Path(__file__)])
        self._key = f"{environment.folder.name}-{hashlib.sha256(recipe).hexdigest()[:8]}"

    def copy_to(self, layout: Layout, password: str) -> None:
        """Give the cloud its databases, unless it has them, and make them say where it lies and listens.

        Raises Permanent when they were made by other versions of the services.
        """
        parts = (_CORE, *layout.extras)
        marks = {part: layout.root / "db" / (_MARK if part == _CORE else f"{_MARK}-{part}") for part in parts}
        for mark in marks.values():
            if mark.exists() and mark.read_text().split("-")[0] != self._environment.folder.name:
                raise Permanent(
                    f"the cloud in {layout.root} was made with other versions of OpenStack",
                    hint="delete it (reconciler sandbox down --wipe) and start it again",
                )
        new = [part for part in parts if not marks[part].exists()]
        self._ensure(new)
        for part in new:
            _copy(self._folder(part), layout.root / "db")
        process.run(
            [self._environment.program("python"), GUEST / "relocate.py", layout.root],
            env=guest_environment(layout.root),
            stdin=json.dumps({"password": password, "endpoints": layout.endpoints}),
            timeout=60,
        )
        for mark in marks.values():
            mark.write_text(self._key)

    def _folder(self, part: str) -> Path:
        return self._environment.folder / f"schema-{self._key}-{part}"

    def _missing(self, parts: Sequence[str]) -> Sequence[str]:
        return [part for part in parts if not self._folder(part).exists()]

    def _ensure(self, parts: Sequence[str]) -> None:
        if not self._missing(parts):
            return
        with locked(self._environment.folder / "schema.lock"):
            missing = self._missing(parts)
            if missing:
                self._build(missing)

    def _build(self, parts: Sequence[str]) -> None:
        folder = self._environment.folder / "building"
        shutil.rmtree(folder, ignore_errors=True)  # of a build that was interrupted
        layouts = {part: Layout(folder / part, "127.0.0.1", 1, "127.0.0.0/24", EXTRAS) for part in parts}
        for layout in layouts.values():
            layout.configure(self._environment.venv, _BOOTSTRAP_PASSWORD)
        chains = [(layout.root, chain) for part, layout in layouts.items() for chain in self._chains(part, layout)]
        with self._progress.task("making the databases (once)") as task, ThreadPoolExecutor(len(chains)) as pool:
            task.total(sum(len(chain) for _, chain in chains))
            for done in [pool.submit(self._run, root, chain, task) for root, chain in chains]:
                done.result()
        for part, layout in layouts.items():
            (layout.root / "db").rename(self._folder(part))
        shutil.rmtree(folder)

    def _chains(self, part: str, layout: Layout) -> Sequence[Sequence[Sequence[str | Path]]]:
        """What can run side by side, each a sequence of programs with its arguments."""
        if part == _CORE:
            return self._core_chains(layout)
        configuration = layout.root / f"etc/{part}.conf"
        return ([[self._environment.program("python"), GUEST / f"{part}_schema.py", configuration]],)

    def _core_chains(self, layout: Layout) -> Sequence[Sequence[Sequence[str | Path]]]:
        etc, db = layout.root / "etc", f"sqlite:///{layout.root}/db"

        def manage(name: str, configuration: str, *argv: str) -> Sequence[str | Path]:
            return [self._environment.program(f"{name}-manage"), "--config-file", etc / configuration, *argv]

        cell1 = ("--name", "cell1", "--transport-url", "fake://", "--database_connection", f"{db}/nova_cell1.sqlite")
        python = self._environment.program("python")
        return (
            [
                manage("nova", "nova.conf", "api_db", "sync"),
                manage("nova", "nova.conf", "cell_v2", "map_cell0", "--database_connection", f"{db}/nova_cell0.sqlite"),
                manage("nova", "nova.conf", "db", "sync"),
                manage("nova", "nova.conf", "cell_v2", "create_cell", *cell1),
            ],
            [
                manage("keystone", "keystone.conf", "db_sync"),
                manage("keystone", "keystone.conf", "bootstrap", "--bootstrap-region-id", "RegionOne"),
                manage("glance", "glance-api.conf", "db", "sync"),
                manage("placement", "placement.conf", "db", "sync"),
                [python, GUEST / "neutron_schema.py", f"{db}/neutron.sqlite"],
            ],
        )

    def _run(self, root: Path, chain: Sequence[Sequence[str | Path]], task: Task) -> None:
        environment = {**guest_environment(root), "OS_BOOTSTRAP_PASSWORD": _BOOTSTRAP_PASSWORD}
        for argv in chain:
            program = Path(argv[0]).name
            task.status(Path(argv[1]).stem if program == "python" else program)
            process.run(argv, env=environment, timeout=_STEP_SECONDS)
            task.advance()


def _copy(made: Path, db: Path) -> None:
    for path in made.iterdir():
        for left in db.glob(f"{path.name}*"):  # half a copy, with a journal that does not fit
            left.unlink()
        shutil.copy(path, db)
