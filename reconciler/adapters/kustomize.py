"""Kustomize as kubectl has it: files in, text out, in a private folder, without network; what was built is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from .. import process
from ..confine import Limits
from ..errors import Invalid
from ..toolchain.kept import Kept, name_of

_SECONDS = 60.0
# A remote base needs git or a download. There is no git on this PATH, no network, and nobody behind this proxy.
_NOBODY = "http://127.0.0.1:9"
_ALONE = {
    "PATH": "/nonexistent",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), _NOBODY),
}


class Kustomize:
    """Builds folders. `program` gets kubectl, or None where it is not to be had; it is asked for what is not in `cache`
    only. `version` says which kubectl it is: another one may make something else of the same files."""

    def __init__(self, program: Callable[[], Path | None], version: str, cache: Path) -> None:
        self._program = program
        self._version = version
        self._kept = Kept(cache)

    def build(self, folder: str, files: Mapping[str, bytes]) -> bytes | None:
        """What kustomize makes of `folder`, reading `files` (paths from the repository's root) and nothing else. None
        when there is no program. Raises Invalid with kustomize's own words, Transient when it takes too long, and what
        getting the program raises."""
        name = name_of([self._version, folder, *(part for file in sorted(files.items()) for part in file)])
        if kept := self._kept.get(name):
            return kept
        program = self._program()
        if program is None:
            return None
        text = _run(program, folder, files)
        self._kept.put(name, text)
        return text


def _run(program: Path, folder: str, files: Mapping[str, bytes]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="reconciler-kustomize-") as name:
        root = Path(name).resolve()
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text)
        environment = {**_ALONE, "HOME": name, "TMPDIR": name}
        argv: list[str | Path] = [program, "kustomize", folder]
        try:
            done = process.run(argv, cwd=root, env=environment, timeout=_SECONDS, check=False, limits=Limits())
        except process.Exceeded as error:
            raise Invalid(error.message) from None
        if done.exit_code:
            words = (done.stderr.strip() or f"exit code {done.exit_code}").replace(f"{root}/", "")
            raise Invalid(" ".join(words.removeprefix("error: ").split()))
        return done.stdout.encode()
