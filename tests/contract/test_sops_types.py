"""Numbers, true and null among what SOPS keeps: a Secret holds texts, so each is refused where it stands, with a key
and without one, whichever way it goes. Real SOPS says which type it noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler import process
from reconciler.adapters.helm import Helm
from reconciler.adapters.kustomize import Kustomize
from reconciler.adapters.sops import Sops
from reconciler.errors import Invalid, Problem
from reconciler.spec import desired_state
from reconciler.toolchain import Toolbox
from tests.contract.test_sops import new_key
from tests.unit.examples import CLUSTER, FILE

pytestmark = pytest.mark.live

# What is no text, by the word that stands for it in each of the two sections.
WRONG = ("true", "null", "739018465", "73.9018")
SECRET = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: database\n" + "".join(
    f"{section}:\n  good: '{good}'\n" + "".join(f"  w{n}: {word}\n" for n, word in enumerate(WRONG))
    for section, good in (("data", "b25l"), ("stringData", "true"))
)
LINES = [f"{section}.w{number}" for section in ("data", "stringData") for number in range(len(WRONG))]
ENVIRONMENT = """\
apiVersion: research.moc/v1alpha1
kind: Environment
metadata: {name: ada}
spec: {type: jupyter, owner: ada, cpu: '1', memory: 1Gi, volume: 1Gi}
"""


@pytest.fixture(scope="module")
def tools(toolbox: Toolbox) -> dict[str, Path]:
    return {name: found.path for name, found in toolbox.ensure("sops", "age-keygen", "kubectl", "helm").items()}


class Keeper:
    """Encrypts for one key, and loads what it encrypted."""

    def __init__(self, tools: dict[str, Path], folder: Path) -> None:
        self.tools, self.folder, self.key = tools, folder, folder / "key.txt"
        self.recipient = new_key(tools, self.key)

    def encrypted(self, text: str, pattern: str = "^(data|stringData)$") -> bytes:
        file = self.folder / "kept.yaml"
        file.write_text(text)
        argv: list[str | Path] = [self.tools["sops"], "--encrypt", "--age", self.recipient, "--in-place"]
        process.run([*argv, "--encrypted-regex", pattern, file], timeout=60)
        return file.read_bytes()

    def refused(self, raw: dict[str, bytes], kept: str) -> list[Problem]:
        """What is wrong, the same with the key and without it."""
        clear = {**raw, kept: Sops(self.tools["sops"], self.key).decrypt(raw[kept], kept)}
        told: list[list[Problem]] = []
        for files in (clear, raw):
            kustomize = Kustomize(lambda: self.tools["kubectl"], "1", self.folder / "kustomize")
            helm = Helm(lambda: self.tools["helm"], "1", self.folder / "helm", online=False)
            with pytest.raises(Invalid) as caught:
                desired_state.load(files, kustomize, raw, helm)
            told.append(list(caught.value.problems))
        assert told[0] == told[1]
        assert not any(word in repr(told) for word in ("739018465", "73.9018"))
        assert all(problem.hint for problem in told[0])
        return told[0]


@pytest.fixture
def keeper(tools: dict[str, Path], tmp_path: Path) -> Keeper:
    return Keeper(tools, tmp_path)


def with_workload(path: str) -> dict[str, bytes]:
    return {FILE: f"{CLUSTER}  workloads: [{{name: w, path: {path}}}]\n".encode()}


@pytest.mark.parametrize("file", ["manifests/w/secret.yaml", "manifests/environments/jupyter/secret.yaml"])
def test_of_a_manifest_or_a_template_at_its_line(keeper: Keeper, file: str) -> None:
    environment = {"desired/demo/environments/ada.yaml": ENVIRONMENT.encode()} if "environments" in file else {}
    raw = {**with_workload("manifests/w"), "manifests/w/none.yaml": b"# none\n", **environment}
    problems = keeper.refused({**raw, file: keeper.encrypted(SECRET)}, file)
    lines = keeper.encrypted(SECRET).decode().splitlines()
    assert sorted(problem.path for problem in problems) == LINES
    for problem in problems:
        assert problem.file == file
        assert lines[problem.line - 1].strip().startswith(f"{problem.path.partition('.')[2]}:")
        assert "is no text" in problem.message or "that is no text" in problem.message


def test_of_what_kustomize_passes_on_at_the_encrypted_file(keeper: Keeper) -> None:
    kept = "manifests/base/secret.yaml"
    overlay = b"resources: [../base]\nnamePrefix: a-\n"
    raw = {
        **with_workload("manifests/over"),
        "manifests/over/kustomization.yaml": overlay,
        "manifests/base/kustomization.yaml": b"resources: [secret.yaml]\n",
        kept: keeper.encrypted(SECRET),
    }
    problems = keeper.refused(raw, kept)
    encrypted = [problem for problem in problems if problem.file == kept]
    assert sorted(p.path for p in encrypted) == [name for name in LINES if not name.endswith("1")]
    left = [problem for problem in problems if problem.file != kept]  # SOPS leaves null as it is
    assert {(p.file, p.path) for p in left} <= {
        ("manifests/over/kustomization.yaml", path) for path in ("data.w1", "stringData.w1")
    }


def test_of_a_charts_values_at_the_values(keeper: Keeper) -> None:
    kept, chart = "manifests/values.yaml", "manifests/chart"
    template = (
        b"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n"
        b"  port: {{ .Values.port | quote }}\n  on: {{ .Values.on | quote }}\n  word: {{ .Values.word | quote }}\n"
    )
    workload = f"{{name: w, path: {chart}, helm: {{valuesFiles: [{kept}]}}}}"
    raw = {
        FILE: f"{CLUSTER}  workloads: [{workload}]\n".encode(),
        f"{chart}/Chart.yaml": b"apiVersion: v2\nname: chart\nversion: 1.0.0\n",
        f"{chart}/templates/secret.yaml": template,
        kept: keeper.encrypted("port: 739018465\non: true\nword: good\n", ".*"),
    }
    problems = keeper.refused(raw, kept)
    assert [(p.file, p.line, p.path) for p in problems] == [(kept, 1, "port"), (kept, 2, "on")]
