"""One team's folder that uses something, a policy about it, and the ways such a folder is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.control.revision import Desired, Reader, Revision
from reconciler.errors import Invalid, Problem, ReconcilerError
from reconciler.ports import Rendering
from reconciler.spec import desired_state
from reconciler.spec.desired_state import Sources
from reconciler.spec.load import FLEET, DesiredCluster
from reconciler.spec.sealed import is_kept
from tests.unit.examples import CLUSTER

HEAD = "apiVersion: research.moc/v1alpha1\nkind: Fleet\nmetadata: {name: moc}\nspec:\n"
LISTS = (
    *("charts", "clouds", "clusterScoped", "existing", "hosts", "namespaces"),
    *("outputs", "paths", "secrets", "targets", "variables"),
)
OWN, OTHER = "desired/physics/cluster.yaml", "desired/biology/cluster.yaml"
SEALED = "ENC[AES256_GCM,data:dw==,iv:W+5zeKl8R0Q=,tag:RZ1LrB5Ggpp2Mg==,type:str]"
SOPS = f'sops: {{mac: "{SEALED}"}}\n'
CANARY = "canary-5e1f"


def cluster(name: str, more: str = "") -> str:
    return CLUSTER.replace("name: demo", f"name: {name}") + more


def workload(path: str, more: str = "") -> str:
    return f"  workloads:\n    - name: w\n      path: {path}\n{more}"


def entry(clusters: str, **lists: Sequence[str]) -> dict[str, Sequence[str]]:
    """An entry that allows everything but for what `lists` say otherwise; an empty list is left out."""
    return {"clusters": [clusters], **{k: v for k, v in {**{key: ["*"] for key in LISTS}, **lists}.items() if v}}


def fleet(*entries: Mapping[str, Sequence[str]], defaults: str = "") -> str:
    """The text of desired/fleet.yaml with a policy of these entries."""
    tenants = "".join(f"      - {json.dumps(dict(one))}\n" for one in entries) or "      []\n"
    return f"{HEAD}{defaults}  policy:\n    tenants:\n{tenants}"


class Joined:
    """Kustomize and helm as far as it matters here: every manifest there is, as it is."""

    def build(self, folder: str, files: Mapping[str, bytes]) -> bytes:
        wanted = (t for p, t in sorted(files.items()) if "kustomization" not in p and p.endswith(".yaml"))
        return b"---\n".join(wanted)

    def render(self, wanted: Rendering) -> bytes:
        parts = [(path, text) for path, text in sorted(wanted.files.items()) if path.startswith("templates/")]
        parts = parts or [("templates/a.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")]
        return b"".join(f"---\n# Source: c/{path}\n".encode() + text for path, text in parts)


@dataclass
class World:
    """A repository, and which of its encrypted files were opened."""

    files: dict[str, str]
    opened: list[str] = field(default_factory=list)

    @property
    def raw(self) -> dict[str, bytes]:
        return {path: text.encode() for path, text in self.files.items()}

    def validated(self) -> tuple[DesiredCluster, ...]:
        """As `validate` loads the working tree: nothing is decrypted."""
        return desired_state.load(self.raw, Joined(), None, Joined())

    def planned(self) -> tuple[DesiredCluster, ...]:
        """As plan and apply load a commit."""
        return self._of(self._reader().everything(Revision("c" * 40, self.raw)))

    def followed(self, name: str = "physics") -> tuple[DesiredCluster, ...]:
        """As a daemon reads one cluster."""
        return self._reader().read(Revision("c" * 40, self.raw), name).clusters

    def _reader(self) -> Reader:
        return Reader(
            self._decrypt,
            lambda clear, raw, names, others: desired_state.each(
                Sources(clear, raw, Joined(), Joined()), names, others
            ),
        )

    @staticmethod
    def _of(desired: Desired) -> tuple[DesiredCluster, ...]:
        if desired.failed:
            raise Invalid("some can't be loaded", problems=[p for e in desired.failed.values() for p in problems_of(e)])
        return desired.clusters

    def refused(self, way: str) -> tuple[Problem, ...]:
        """What is wrong, loaded by one of the ways; nothing for none."""
        try:
            getattr(self, way)()
        except Invalid as error:
            return error.problems
        return ()

    def line(self, problem: Problem) -> str:
        """The line a problem points to."""
        return self.files[problem.file].splitlines()[problem.line - 1]

    def _decrypt(self, path: str, text: bytes) -> bytes:
        if not is_kept(path, text):
            return text
        self.opened.append(path)
        return text.replace(SOPS.encode(), b"").replace(SEALED.encode(), CANARY.encode())


def problems_of(error: ReconcilerError) -> tuple[Problem, ...]:
    assert isinstance(error, Invalid)
    return error.problems


def world(files: Mapping[str, str], policy: str | None) -> World:
    """Two clusters, what is changed or added to them, and a fleet."""
    there = {OWN: cluster("physics"), OTHER: cluster("biology"), **files}
    return World({**there, **({FLEET: policy} if policy is not None else {})})
