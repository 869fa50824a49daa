"""How a desired state is loaded on this machine: which programs build it, which keys open it, whom they may ask."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .adapters.helm import Helm
from .adapters.kustomize import Kustomize
from .adapters.sops import Sops
from .control.revision import Purpose, Reader
from .errors import Blocked
from .ports import Progress, Repository
from .settings import Settings
from .spec import desired_state, sops
from .spec.desired_state import Loaded, Sources
from .spec.outline import Outline
from .spec.tree import Checked
from .toolchain import Toolbox, pins


@dataclass
class Loading:
    """For several threads. What was decrypted is kept in memory, by what it was. `name` is the repository's, where a
    daemon has several: what is made of its files, and what was fetched from hosts that it may ask, is kept apart."""

    settings: Settings
    repository: Repository
    toolbox: Toolbox
    progress: Progress
    name: str = ""
    _plain: dict[str, bytes] = field(default_factory=dict, repr=False)
    _checked: Checked = field(default_factory=Checked, repr=False)

    def reader(self, *, trusted: bool) -> Reader:
        """Loads clusters; of what is not `trusted`, encrypted values stay closed, and no chart is fetched."""

        def loaded(
            files: Mapping[str, bytes],
            raw: Mapping[str, bytes],
            names: Collection[str] | None,
            others: Sequence[Outline],
        ) -> Loaded:
            return desired_state.each(self.sources(files, raw, online=trusted), names, others)

        if trusted:
            return Reader(self._opened, loaded, self.repository.verify, self._checked)
        return Reader(_closed, loaded, _checked=self._checked)

    def sources(
        self, files: Mapping[str, bytes], raw: Mapping[str, bytes], *, here: bool = False, online: bool = True
    ) -> Sources:
        """What a desired state is loaded from; `here`: nothing is fetched or built for it. Without `online` no chart is
        fetched."""
        cache = self.settings.cache_folder / "repositories" / self.name if self.name else self.settings.cache_folder

        def program(name: str) -> Path | None:
            found = self.toolbox.find(name) if here else self.toolbox.ensure(name)[name]
            return found.path if found else None

        kustomize = Kustomize(lambda: program("kubectl"), self._which("kubectl"), cache / "kustomize")
        hosts = self.settings.fetch.allowed
        online = online and not here
        helm = Helm(lambda: program("helm"), self._which("helm"), cache / "helm", online=online, hosts=hosts)
        return Sources(files, raw, kustomize, helm, self.settings.ansible.allow_variables)

    def _which(self, name: str) -> str:
        return f"{pins.load()[name].version} {self.settings.tools.get(name, '')}"

    def trusted(self, commit: str, purpose: Purpose) -> bool:
        """Is the commit signed as it has to be? Raises Blocked where it is to be applied and is not."""
        try:
            self.repository.verify(commit)
        except Blocked as error:
            if purpose is Purpose.APPLY:
                raise
            kept = "what SOPS keeps stays closed, so that Secrets look changed, and no chart is fetched"
            self.progress.log(f"{error.message}: {kept}")
            return False
        return True

    def _opened(self, path: str, text: bytes) -> bytes:
        """The file in the clear. What SOPS keeps is decrypted once for each content, in memory only."""
        if not desired_state.opens(path, text):
            return text
        name = hashlib.sha256(text).hexdigest()
        if name not in self._plain:
            keys = sops.Keys(self.settings.sops.named)
            reduced = sops.reduced(path, text, keys)
            program = Sops(
                self.toolbox.ensure("sops")["sops"].path, self.settings.sops.key_file, keys.types, alone=not self.name
            )
            self._plain[name] = program.decrypt(reduced, path)
        return self._plain[name]


def _closed(path: str, text: bytes) -> bytes:
    """The file with a word for each encrypted value."""
    return sops.closed(path, text) if desired_state.opens(path, text) else text
