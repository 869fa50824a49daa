"""Kustomize folders: built from a commit's files by the real kubectl, mistakes at their line, nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.adapters.kustomize import Kustomize
from reconciler.errors import Invalid, Permanent, Problem
from reconciler.progress import QuietProgress
from reconciler.settings import Settings
from reconciler.spec import desired_state
from reconciler.spec.kustomize import sources
from reconciler.spec.load import FLEET, DesiredCluster
from reconciler.spec.render import objects
from reconciler.toolchain import Toolbox
from tests.unit.examples import CLUSTER, FILE
from tests.unit.spec.tenancy.scene import entry, fleet

K = "kustomization.yaml"
BASE, OVER = "manifests/base", "manifests/over"
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue, size: '1'}\n"
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: example.org/web:1, envFrom: [{configMapRef: {name: made}}]}]
"""
FILES = {
    f"{BASE}/{K}": "resources: [settings.yaml, web.yaml]\n",
    f"{BASE}/settings.yaml": SETTINGS,
    f"{BASE}/web.yaml": DEPLOYMENT,
    f"{OVER}/{K}": """\
resources:
- ../base
namePrefix: blue-
images:
- {name: example.org/web, newTag: '2'}
patches:
- path: patch.yaml
configMapGenerator:
- name: made
  envs: [made.env]
""",
    f"{OVER}/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: red}\n",
    f"{OVER}/made.env": "WORD=one\n",
}
REMOTE = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: g}\nfiles: ['https://example.org/a']\n"
PROGRAM = """\
apiVersion: example.org/v1
kind: Function
metadata:
  name: f
  annotations: {config.kubernetes.io/function: "exec: {path: /bin/true}"}
"""


@pytest.fixture(scope="module")
def kubectl() -> Path:
    found = Toolbox(Settings().cache_folder, progress=QuietProgress()).find("kubectl")
    if found is None:
        pytest.skip("kubectl is not here, and building it takes minutes: `reconciler tools kubectl` does so")
    return found.path


@pytest.fixture
def kustomize(kubectl: Path, tmp_path: Path) -> Kustomize:
    return Kustomize(lambda: kubectl, "1", tmp_path / "cache")


class Stub:
    """A program that says what it was told to, and remembers what it was given."""

    def __init__(self, text: bytes | None = b"") -> None:
        self.text = text
        self.given: list[dict[str, bytes]] = []

    def build(self, folder: str, files: Mapping[str, bytes]) -> bytes | None:
        self.given.append(dict(files))
        return self.text


def files(more: Mapping[str, str] = {}, path: str = OVER) -> dict[str, bytes]:
    cluster = CLUSTER + f"  workloads:\n    - {{name: w, path: {path}, namespace: sid}}\n"
    return {name: text.encode() for name, text in {FILE: cluster, **FILES, **more}.items()}


def load(program: Kustomize | Stub, more: Mapping[str, str] = {}, path: str = OVER) -> DesiredCluster:
    (cluster,) = desired_state.load(files(more, path), program)
    return cluster


def problems(program: Kustomize | Stub, more: Mapping[str, str], path: str = OVER) -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as caught:
        load(program, more, path)
    return caught.value.problems


def test_bases_patches_images_and_generators(kustomize: Kustomize) -> None:
    made = {str(objects.key(m)): m for m in objects.workloads(load(kustomize), files())}
    (name,) = (key for key in made if key.startswith("ConfigMap sid/blue-made-"))
    assert made[name]["data"] == {"WORD": "one"}
    assert made["ConfigMap sid/blue-settings"]["data"] == {"colour": "red", "size": "1"}
    (container,) = made["Deployment sid/blue-web"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "example.org/web:2"
    assert f"ConfigMap sid/{container['envFrom'][0]['configMapRef']['name']}" == name


def test_components(kustomize: Kustomize) -> None:
    part = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -x\n"
    more = {f"{OVER}/{K}": "resources: [../base]\ncomponents: [../part]\n", f"manifests/part/{K}": part}
    found = {str(objects.key(m)) for m in objects.workloads(load(kustomize, more), files(more))}
    assert found == {"ConfigMap sid/settings-x", "Deployment sid/web-x"}


def test_what_a_build_makes_is_held_against_the_policy(kustomize: Kustomize) -> None:
    patch = "apiVersion: v1\nkind: Namespace\nmetadata: {name: sid}\n"
    more = {
        f"{OVER}/{K}": "resources: [../base, n.yaml]\nnamespace: kube-system\nnamePrefix: kube-\n",
        f"{OVER}/n.yaml": patch,
        FLEET: fleet(entry("demo", namespaces=["sid"])),
    }
    refused = problems(kustomize, more)
    assert {p.file for p in refused} == {f"{OVER}/{K}"}
    assert {p.message.rpartition("demo may not use ")[2].partition(",")[0] for p in refused} == {
        "namespace 'kube-system'"
    }
    assert load(kustomize, {**more, FLEET: fleet(entry("demo", namespaces=["sid", "kube-system"]))})
    (reached,) = problems(kustomize, {**more, FLEET: fleet(entry("demo", paths=[f"{OVER}/**"]))})
    assert (reached.file, reached.line, reached.column) == (f"{OVER}/{K}", 1, 13)


def test_what_was_built_is_not_built_again(kubectl: Path, tmp_path: Path) -> None:
    asked = []

    def program() -> Path:
        asked.append(1)
        return kubectl

    def made(more: Mapping[str, str]) -> object:
        again = Kustomize(program, "1", tmp_path)
        return objects.workloads(load(again, more), files(more))

    first = made({})
    assert (made({}), made({"manifests/elsewhere/a.yaml": SETTINGS}), len(asked)) == (first, first, 1)
    assert made({f"{BASE}/settings.yaml": SETTINGS.replace("'1'", "'2'")}) != first
    assert len(asked) == 2, "a change in the base counts"


@pytest.mark.parametrize("torn", [b"", b"x", b"x\n"])
def test_what_is_torn_in_the_cache_is_built_again(kustomize: Kustomize, tmp_path: Path, torn: bytes) -> None:
    first = objects.workloads(load(kustomize), files())
    (kept,) = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    for left in (torn, whole[:-9]):
        kept.write_bytes(left)
        assert objects.workloads(load(kustomize), files()) == first
        assert kept.read_bytes() == whole


def test_a_cache_that_can_not_be_written_is_no_mistake(kubectl: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cluster = load(Kustomize(lambda: kubectl, "1", tmp_path / "file" / "cache"))
    assert len(objects.workloads(cluster, files())) == 3


def test_of_two_clusters_with_one_folder_it_is_built_once() -> None:
    program = Stub(SETTINGS.encode())
    both = {**files(), "desired/two/cluster.yaml": files()[FILE].replace(b"name: demo", b"name: two")}
    assert len(desired_state.load(both, program)) == 2
    assert len(program.given) == 1


def test_only_the_files_it_refers_to_are_given() -> None:
    program = Stub(SETTINGS.encode())
    load(program, {"manifests/elsewhere/a.yaml": SETTINGS})
    (given,) = program.given
    assert given.keys() == FILES.keys()


def test_without_the_program_the_rest_is_checked_and_nothing_is_rendered() -> None:
    cluster = load(Stub(None))
    assert cluster.unbuilt == ("w",)
    with pytest.raises(Permanent, match="was not built"):
        objects.workloads(cluster, files())
    assert desired_state.load(files())[0].unbuilt == ("w",)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("resources:\n- https://example.org/base\n", 2, "asks no network"),
        ("resources:\n- github.com/a/b//c?ref=v1\n", 2, "asks no network"),
        ("resources:\n- git@example.org:a/b\n", 2, "asks no network"),
        ("components:\n- git::https://example.org/a\n", 2, "asks no network"),
        ("openapi:\n  path: https://example.org/schema.json\n", 2, "asks no network"),
        ("patches:\n- path: http://example.org/p.yaml\n", 2, "asks no network"),
        ("configMapGenerator:\n- name: a\n  files:\n  - k=https://example.org/f\n", 4, "asks no network"),
        ("resources:\n- ../../../x\n", 2, "leads out of the repository"),
        ("resources:\n- /etc/passwd\n", 2, "leads out of the repository"),
        ("resources:\n- ../base/web.yaml\n", 2, "outside of this kustomization's folder"),
        ("resources:\n- ../base\n- lost.yaml\n", 3, "there is no 'lost.yaml'"),
        ("resources:\n- ..\n", 2, "is a folder without a kustomization.yaml"),
        ("helmCharts:\n- name: a\n", 1, "Helm charts are not rendered here"),
        ("secretGenerator:\n- name: a\n  literals: [word=one]\n", 1, "would keep a Secret's data in plain text"),
        ("resources: [../base\n", 1, "broken YAML"),
    ],
)
def test_what_is_refused_before_a_build(text: str, line: int, message: str) -> None:
    program = Stub()
    (problem,) = problems(program, {f"{OVER}/{K}": text})
    assert (problem.file, problem.line) == (f"{OVER}/{K}", line)
    assert message in problem.message
    assert problem.hint
    assert not program.given


@pytest.mark.parametrize(
    ("more", "file", "line", "message"),
    [
        ({f"{OVER}/{K}": "resources:\n- ../base\nnamePrefx: a\n"}, f"{OVER}/{K}", 3, "unknown field"),
        ({f"{BASE}/settings.yaml": "a: b\nc: [d\n"}, f"{BASE}/settings.yaml", 2, "broken YAML"),
        ({f"{BASE}/{K}": "resources: [web.yaml]\n"}, f"{OVER}/{K}", 1, "no matches for"),
        ({f"{OVER}/{K}": "transformers: [g.yaml]\n", f"{OVER}/g.yaml": PROGRAM}, f"{OVER}/{K}", 1, "plugin"),
    ],
)
def test_what_kustomize_refuses(
    kustomize: Kustomize, more: Mapping[str, str], file: str, line: int, message: str
) -> None:
    (problem,) = problems(kustomize, more)
    assert (problem.file, problem.line) == (file, line), problem
    assert message in problem.message
    assert "reconciler-kustomize" not in problem.message, "the private folder means nothing to anybody"


@pytest.mark.parametrize(
    ("made", "path", "message"),
    [
        (
            SETTINGS.replace("name: settings", "generateName: a-"),
            "metadata.generateName",
            "a new object at every apply",
        ),
        (SETTINGS + "---\n" + SETTINGS, "metadata.name", "is already defined"),
        (SETTINGS.replace("size: '1'", "mode: 0644"), "data.mode", "octal"),
        (SETTINGS.replace("size: '1'", "password: hunter22"), "data.password", "secret in plain text"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: aHVudGVy}\n", "data.a", "in plain text"),
        ("a: [", "", "broken YAML"),
    ],
)
def test_what_comes_out_is_held_to_the_same_rules(made: str, path: str, message: str) -> None:
    (problem,) = problems(Stub(made.encode()), {})
    assert (problem.file, problem.line, problem.path) == (f"{OVER}/{K}", 1, path)
    assert "of what kustomize makes of it" in problem.message
    assert message in problem.message
    assert "hunter22" not in str(problem)


@pytest.mark.parametrize("name", ["made.env", "notes.txt"])
def test_a_secret_in_any_file_of_the_folder_is_refused(name: str) -> None:
    (problem,) = problems(Stub(), {f"{OVER}/{name}": "WORD=one\nDB_PASSWORD=hunter22\n"})
    assert (problem.file, problem.line) == (f"{OVER}/{name}", 2)
    assert "hunter22" not in str(problem)


SEALED = "ENC[AES256_GCM,data:YWJj,iv:YWJj,tag:YWJj,type:str]"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ndata:\n  word: {}\n"
SOPS = "sops: {mac: 'ENC[AES256_GCM,data:eHl6,iv:YWJj,tag:YWJj,type:str]', version: 3.13.3}\n"


def sealed(program: Kustomize, kustomization: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    more = {f"{OVER}/{K}": kustomization}
    raw = files({**more, f"{OVER}/s.yaml": SECRET.format(SEALED) + SOPS})
    return raw, files({**more, f"{OVER}/s.yaml": SECRET.format("b25l")})


def test_a_secret_stays_encrypted_until_it_is_an_object(kustomize: Kustomize, tmp_path: Path) -> None:
    raw, clear = sealed(kustomize, "resources: [s.yaml]\nnamePrefix: a-\n")
    (cluster,) = desired_state.load(clear, kustomize, raw)
    (made,) = objects.workloads(cluster, clear)
    assert (made["metadata"]["name"], made["data"]) == ("a-s", {"word": "b25l"})
    assert "sops" not in made
    kept = [file.read_text() for file in (tmp_path / "cache").iterdir()]
    assert [SEALED in text and "b25l" not in text for text in kept] == [True]
    assert "b25l" not in repr(cluster)


def test_an_encrypted_value_is_passed_on_whole_or_not_at_all(kustomize: Kustomize) -> None:
    part = """\
resources: [s.yaml, c.yaml]
replacements:
- source: {kind: Secret, name: s, fieldPath: data.word}
  targets:
  - {select: {kind: ConfigMap}, fieldPaths: [data.a], options: {delimiter: ':', index: 0}}
"""
    raw, clear = sealed(kustomize, part)
    config = SETTINGS.replace("colour: blue", "a: 'x:y'").encode()
    with pytest.raises(Invalid) as caught:
        desired_state.load({**clear, f"{OVER}/c.yaml": config}, kustomize, {**raw, f"{OVER}/c.yaml": config})
    assert "can only be passed on whole" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("part", "line", "at"),
    [
        (
            "replacements:\n- source: {kind: Secret, name: s, fieldPath: data.word}\n  targets:\n"
            "  - {select: {kind: ConfigMap}, fieldPaths: [data.colour]}\n",
            2,
            "data.colour",
        ),
        (
            "replacements:\n- source: {kind: Secret, name: s, fieldPath: data.word}\n  targets:\n"
            "  - {select: {kind: ConfigMap}, fieldPaths: [metadata.labels.a], options: {create: true}}\n",
            2,
            "metadata.labels.a",
        ),
        (
            "vars:\n- {name: WORD, objref: {kind: Secret, name: s, apiVersion: v1}, fieldref: {fieldPath: data.word}}\n"
            "configurations: [v.yaml]\n",
            2,
            "data.size",
        ),
        ("configMapGenerator: [{name: c, files: [../other/s.yaml]}]\n", 2, ""),
    ],
)
def test_the_value_of_another_teams_secret_is_carried_nowhere(
    kustomize: Kustomize, tmp_path: Path, part: str, line: int, at: str
) -> None:
    """Neither by what kustomize has for it, nor into what is kept."""
    own, other = f"{OVER}/{K}", "manifests/other"
    more = {
        own: f"resources: [../other, c.yaml]\n{part.replace('../other/s.yaml', 's.yaml')}",
        f"{OVER}/c.yaml": SETTINGS.replace("'1'", "$(WORD)"),
        f"{OVER}/v.yaml": "varReference: [{path: data/size, kind: ConfigMap}]\n",
        f"{OVER}/s.yaml": SECRET.format(SEALED) + SOPS,
        f"{other}/{K}": "resources: [s.yaml]\n",
    }
    raw = files({**more, f"{other}/s.yaml": SECRET.format(SEALED) + SOPS})
    clear = files({**more, f"{other}/s.yaml": SECRET.format("Y2FuYXJ5")})
    with pytest.raises(Invalid) as caught:
        desired_state.load(clear, kustomize, raw)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (own, line)
    assert at in problem.path
    assert "would come to lie in ConfigMap" in problem.message
    assert "data.word of manifests/o" in problem.message
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    for text in (repr(caught.value.problems), kept.decode()):
        assert "Y2FuYXJ5" not in text
        assert "canary" not in text


def test_an_encrypted_config_map_is_refused_at_its_own_line(kustomize: Kustomize) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  word: {}\n"
    more = {f"{OVER}/{K}": "resources: [s.yaml]\n"}
    raw = files({**more, f"{OVER}/s.yaml": text.format(SEALED) + SOPS})
    with pytest.raises(Invalid) as caught:
        desired_state.load(files({**more, f"{OVER}/s.yaml": text.format("canary")}), kustomize, raw)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.path) == (f"{OVER}/s.yaml", 5, "data.word")
    assert "canary" not in str(problem)


def test_an_object_of_two_workloads_is_refused_with_both_places() -> None:
    text = CLUSTER + "  workloads:\n    - {name: a, path: manifests/a}\n    - {name: b, path: manifests/b}\n"
    wanted = {FILE: text, "manifests/a/x.yaml": "# first\n" + SETTINGS, "manifests/b/y.yaml": SETTINGS}
    with pytest.raises(Invalid) as caught:
        desired_state.load({name: content.encode() for name, content in wanted.items()})
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("manifests/b/y.yaml", 3)
    assert problem.message == "ConfigMap default/settings is already defined at manifests/a/x.yaml:2"


def test_an_encrypted_file_that_is_no_yaml_is_refused(kustomize: Kustomize) -> None:
    (problem,) = problems(kustomize, {f"{OVER}/made.env": f"WORD={SEALED}\n"})
    assert "can't be opened" in problem.message


def test_objects_of_two_api_groups_and_one_name_can_not_be_told_apart() -> None:
    text = CLUSTER + "  workloads:\n    - {name: a, path: manifests/a}\n"
    service = "apiVersion: {}\nkind: Service\nmetadata: {{name: web}}\n"
    made = service.format("v1") + "---\n" + service.format("serving.knative.dev/v1")
    with pytest.raises(Invalid) as caught:
        desired_state.load({FILE: text.encode(), "manifests/a/x.yaml": made.encode()})
    (problem,) = caught.value.problems
    assert problem.message == "Service default/web is already defined at manifests/a/x.yaml:1, as v1"
    assert "give one of them another name" in (problem.hint or "")


def test_one_folder_in_two_namespaces() -> None:
    line = "    - {{name: {0}, path: manifests/a, namespace: {0}}}\n"
    text = CLUSTER + "  workloads:\n" + line.format("one") + line.format("two")
    wanted = {FILE: text.encode(), "manifests/a/x.yaml": SETTINGS.encode()}
    (cluster,) = desired_state.load(wanted)
    made = [str(objects.key(m)) for m in objects.workloads(cluster, wanted)]
    assert made == ["ConfigMap one/settings", "ConfigMap two/settings"]


@pytest.mark.parametrize(
    ("more", "file", "line"),
    [
        ({f"{OVER}/{K}": "generators: [g.yaml]\n", f"{OVER}/g.yaml": REMOTE}, f"{OVER}/g.yaml", 4),
        ({f"{OVER}/{K}": "generators:\n- |\n  " + REMOTE.replace("\n", "\n  ")}, f"{OVER}/{K}", 2),
    ],
)
def test_a_generator_downloads_nothing(more: Mapping[str, str], file: str, line: int) -> None:
    program = Stub()
    (problem,) = problems(program, more)
    assert (problem.file, problem.line) == (file, line)
    assert "asks no network" in problem.message
    assert not program.given


def test_what_gets_past_that_finds_nobody(kustomize: Kustomize) -> None:
    given = {f"{OVER}/{K}": b"generators: [g.yaml]\n", f"{OVER}/g.yaml": REMOTE.encode()}
    with pytest.raises(Invalid, match="proxyconnect"):
        kustomize.build(OVER, given)
    with pytest.raises(Invalid, match="no 'git' program"):
        kustomize.build(OVER, {f"{OVER}/{K}": b"resources: ['https://example.org/a/b']\n"})


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("Resources: [http://127.0.0.1/x]\n", "Resources", "write resources"),
        ("RESOURCES: [a.yaml]\n", "RESOURCES", "write resources"),
        ("SecretGenerator: [{name: a, literals: [a=b]}]\n", "SecretGenerator", "write secretGenerator"),
        ("helmcharts: [{name: a}]\n", "helmcharts", "write helmCharts"),
        ("configMapGenerator: [{name: a, Files: [http://127.0.0.1/x]}]\n", "configMapGenerator.0.Files", "write files"),
        ("patches: [{PATH: http://127.0.0.1/x}]\n", "patches.0.PATH", "write path"),
        ("openapi: {Path: http://127.0.0.1/x}\n", "openapi.Path", "write path"),
        ("Configmapgenerator: [1, a, {}]\n", "Configmapgenerator", "write configMapGenerator"),
    ],
)
def test_a_key_that_kustomize_reads_in_any_case_is_written_in_one(text: str, place: str, hint: str) -> None:
    files = {f"{BASE}/kustomization.yaml": text.encode(), f"{BASE}/a.yaml": b"{}\n"}
    with pytest.raises(Invalid) as caught:
        sources(files, BASE)
    assert [(p.path, p.hint) for p in caught.value.problems if "is not how" in p.message] == [(place, hint)]
