"""Charts, rendered by the real helm: what comes out, what is refused and where, and that nothing secret is kept."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import resource
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import process
from reconciler.adapters.helm import Helm
from reconciler.errors import Invalid, Permanent, Problem, Transient
from reconciler.model.hosts import Hosts
from reconciler.spec import desired_state
from reconciler.spec.load import FLEET, DesiredCluster
from reconciler.spec.render import objects
from reconciler.toolchain import Toolbox
from tests.unit.examples import CLUSTER, FILE
from tests.unit.spec.tenancy.scene import entry, fleet

pytestmark = pytest.mark.live

C = "manifests/web"
LINE = len(CLUSTER.splitlines()) + 2  # where the workload stands
CHART = {
    f"{C}/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
    f"{C}/values.yaml": "image: {repository: example.org/web, tag: '1'}\nreplicas: 1\nmode: 0640\n",
    f"{C}/templates/_helpers.tpl": '{{- define "web.name" -}}{{ .Release.Name }}-web{{- end }}\n',
    f"{C}/templates/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ include "web.name" . }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, kube: {{ .Capabilities.KubeVersion.Version }}}}
    spec:
      hostNetwork: no
      containers: [{name: web, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"}]
      volumes: [{name: a, configMap: {name: a, defaultMode: 0640}}]
{{- if .Capabilities.APIVersions.Has "example.org/v1" }}
---
apiVersion: example.org/v1
kind: Widget
metadata: {name: one}
{{- end }}
""",
    f"{C}/templates/NOTES.txt": "Thank you for {{ .Values.replicas }}\n",
    f"{C}/templates/test.yaml": """\
apiVersion: v1
kind: Pod
metadata: {name: try, annotations: {helm.sh/hook: test}}
spec: {containers: [{name: a, image: a}]}
""",
    f"{C}/crds/widgets.yaml": """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec: {group: example.org, scope: Cluster, names: {kind: Widget, plural: widgets}}
""",
}
HOOK = """\
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}
"""


@pytest.fixture(scope="session")
def program(toolbox: Toolbox) -> Path:
    return toolbox.ensure("helm")["helm"].path


@pytest.fixture
def helm(program: Path, tmp_path: Path) -> Helm:
    return Helm(lambda: program, "1", tmp_path / "cache", online=True, hosts=Hosts.of("127.0.0.1"))


ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: {{ .Release.Name }}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: a, namespace: {{ list "kube" "system" | join "-" }}}
"""


def files(more: Mapping[str, str] = {}, release: Mapping[str, Any] = {}, **workload: Any) -> dict[str, bytes]:
    entry = {"name": "w", "path": C, "namespace": "sid", **workload} | ({"helm": dict(release)} if release else {})
    cluster = CLUSTER + "  workloads:\n    - " + yaml.safe_dump(entry, default_flow_style=True, width=10_000)
    return {name: text.encode() for name, text in {FILE: cluster, **CHART, **more}.items()}


def load(helm: Helm, given: dict[str, bytes], raw: dict[str, bytes] | None = None) -> DesiredCluster:
    (cluster,) = desired_state.load(given, None, raw, helm)
    return cluster


def made(helm: Helm, given: dict[str, bytes], raw: dict[str, bytes] | None = None) -> dict[str, Any]:
    return {str(objects.key(m)): m for m in objects.workloads(load(helm, given, raw), given)}


def problems(helm: Helm, given: dict[str, bytes], raw: dict[str, bytes] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as caught:
        load(helm, given, raw)
    return caught.value.problems


def test_a_chart_in_the_repository(helm: Helm) -> None:
    found = made(helm, files())
    assert found.keys() == {"CustomResourceDefinition widgets.example.org", "Deployment sid/w-web"}, "no test, no notes"
    spec = found["Deployment sid/w-web"]["spec"]
    assert (spec["replicas"], spec["template"]["metadata"]["labels"]["kube"]) == (1, "v1.36.3")
    pod = spec["template"]["spec"]
    assert (pod["hostNetwork"], pod["volumes"][0]["configMap"]["defaultMode"]) == (False, 0o640), (
        "as Kubernetes reads it"
    )


def test_values_names_and_what_the_cluster_has(helm: Helm) -> None:
    more = {"manifests/values/a.yaml": "replicas: 2\nimage: {tag: '2'}\n", "manifests/values/b.yaml": "replicas: 3\n"}
    release = {
        "release": "other",
        "valuesFiles": ["manifests/values/a.yaml", "manifests/values/b.yaml"],
        "values": {"image": {"tag": "4"}},
        "apiVersions": ["example.org/v1"],
    }
    found = made(helm, files(more, release))
    spec = found["Deployment sid/other-web"]["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (3, "example.org/web:4")
    assert "Widget one" in found, "cluster-scoped, as its definition says"


def test_what_was_rendered_starts_no_program(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(Helm(lambda: program, "1", tmp_path, online=False), files())

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(process, "run", refuse)
    assert made(Helm(lambda: None, "1", tmp_path, online=False), files()) == first
    changed = files({f"{C}/values.yaml": CHART[f"{C}/values.yaml"] + "more: 1\n"})
    assert load(Helm(lambda: None, "1", tmp_path, online=False), changed).unbuilt == ("w",)
    with pytest.raises(Permanent, match="manifests/web was not built"):
        made(Helm(lambda: None, "1", tmp_path, online=False), changed)


@pytest.mark.parametrize(
    ("more", "release", "place", "message"),
    [
        ({"t.yaml": "a: {{ .Values.a.b.c }}\n"}, {}, ("templates/t.yaml", 1), "nil pointer"),
        ({"t.yaml": "\n{{ if }}\n"}, {}, ("templates/t.yaml", 2), "missing value for if"),
        ({"t.yaml": "a: {{ required `say a` .Values.a }}\n"}, {}, ("templates/t.yaml", 1), "say a"),
        ({"t.yaml": "a: b\n  c: d\n"}, {}, ("templates/t.yaml", 1), "mapping values are not allowed"),
        ({"t.yaml": "a: {{ include `lost` . }}\n"}, {}, ("templates/t.yaml", 1), "lost"),
        (
            {"t.yaml": "kind: Thing\nmetadata: {name: a}\n"},
            {},
            ("templates/t.yaml", 1),
            "line 1 of what helm makes of it: apiVersion is",
        ),
        (
            {"t.yaml": "apiVersion: v1\nkind: A\nmetadata: {generateName: a-}\n"},
            {},
            ("templates/t.yaml", 1),
            "new object",
        ),
        ({"t.yaml": HOOK}, {}, ("templates/t.yaml", 1), "Job migrate is a hook (pre-install, pre-upgrade)"),
        ({"t.yaml": "\n\nr: {{ randAlphaNum 8 }}\n"}, {}, ("templates/t.yaml", 3), "randAlphaNum makes"),
        ({"t.yaml": "{{ $ca := genCA `a` 1 }}\nr: {{ $ca.Cert | b64enc }}\n"}, {}, ("templates/t.yaml", 1), "genCA"),
        ({"t.yaml": "r: {{ now | date `2006-01-02` }}\n"}, {}, ("templates/t.yaml", 1), "now makes"),
        ({"t.yaml": "r: {{ now | unixEpoch }}\n"}, {}, ("templates/t.yaml", 1), "now makes"),
        (
            {"../values.schema.json": '{"properties": {"replicas": {"type": "integer"}}}'},
            {"values": {"replicas": "x"}},
            (FILE, LINE),
            "got string, want integer",
        ),
        (
            {"../Chart.yaml": CHART[f"{C}/Chart.yaml"] + "dependencies:\n- name: redis\n  version: 1.0.0\n"},
            {},
            ("Chart.yaml", 5),
            "missing in charts/ directory: redis",
        ),
        ({"../Chart.yaml": "apiVersion: v2\nversion: 0.1.0\n"}, {}, (FILE, LINE), "chart.metadata.name is required"),
        ({}, {"valuesFiles": ["manifests/lost.yaml"]}, (FILE, LINE), "there is no file 'manifests/lost.yaml'"),
        ({"../values.yaml": "a: [\n"}, {}, (FILE, LINE), "values.yaml"),
    ],
)
def test_a_chart_that_fails_has_its_place(
    helm: Helm, more: Mapping[str, str], release: Mapping[str, Any], place: tuple[str, int], message: str
) -> None:
    changed = {f"{C}/templates/{name}".replace("templates/../", ""): text for name, text in more.items()}
    (problem,) = problems(helm, files(changed, release))
    file = place[0] if place[0] == FILE else f"{C}/{place[0]}"
    assert (problem.file, problem.line) == (file, place[1]), problem
    assert message in problem.message
    assert problem.hint
    assert "reconciler-helm" not in problem.message, "the private folder means nothing to anybody"


def test_hooks_are_left_out_or_applied_when_that_is_asked_for(helm: Helm) -> None:
    more = {
        f"{C}/templates/t.yaml": HOOK,
        f"{C}/templates/d.yaml": HOOK.replace('"pre-install,pre-upgrade"', "post-delete"),
    }
    assert "Job sid/migrate" not in made(helm, files(more, {"hooks": "skip"}))
    assert "Job sid/migrate" in made(helm, files(more, {"hooks": "apply"}))


def test_words_that_helm_reads_otherwise_are_refused_in_inline_values(helm: Helm) -> None:
    given = files()
    given[FILE] = (CLUSTER + f"  workloads:\n    - {{name: w, path: {C}, helm: {{values: {{debug: no}}}}}}\n").encode()
    (problem,) = problems(helm, given)
    assert (problem.line, problem.message) == (LINE, "'no' is false to Helm and something else here")


@pytest.mark.parametrize(
    "template",
    [
        '{{- $s := "x" }}{{- range until 60 }}{{- $s = print $s $s }}{{- end }}\na: {{ $s }}\n',
        "a: {{ repeat 2000000000 `x` }}\n",
    ],
)
def test_a_chart_that_blows_up_is_refused_and_the_machine_goes_on(helm: Helm, template: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    (problem,) = problems(helm, files({f"{C}/templates/t.yaml": template}))
    assert (problem.file, problem.line) == (FILE, LINE)
    assert problem.message == "helm needs more than 1024 MiB of memory"
    assert problem.hint
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert most < max(before, 1400 * 1024), "KiB: with the program itself"


def test_a_render_reaches_nobody(helm: Helm, repository: Repository) -> None:
    """Neither by a template nor by what a chart says of its dependencies."""
    more = {
        f"{C}/Chart.yaml": CHART[f"{C}/Chart.yaml"]
        + f"dependencies:\n- {{name: web, version: 0.1.0, repository: '{repository.url}'}}\n",
        f"{C}/templates/t.yaml": "a: {{ getHostByName `localhost` | quote }}\n",
    }
    assert problems(helm, files(more))
    del more[f"{C}/Chart.yaml"]
    assert problems(helm, files(more))
    assert repository.asked == []


# Secrets

SEALED = "ENC[AES256_GCM,data:YWJj,iv:YWJj,tag:YWJj,type:str]"
SOPS = "sops:\n  mac: ENC[AES256_GCM,data:eHl6,iv:YWJj,tag:YWJj,type:str]\n  version: 3.13.3\n"
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {word: {{ .Values.word | b64enc }}}
stringData:
  url: "db://me:{{ .Values.word }}@db"
"""
V = "manifests/values/secret.yaml"


def sealed(template: str) -> tuple[dict[str, bytes], dict[str, bytes]]:
    more = {f"{C}/templates/s.yaml": template, f"{C}/values.schema.json": '{"properties": {"sops": false}}'}
    release = {"valuesFiles": [V]}
    raw = files({**more, V: f"word: {SEALED}\n{SOPS}"}, release)
    return raw, files({**more, V: "word: hunter22\n"}, release)


def test_an_encrypted_value_is_opened_in_a_secret_and_nowhere_on_disk(helm: Helm, tmp_path: Path) -> None:
    raw, clear = sealed(SECRET)
    secret = made(helm, clear, raw)["Secret sid/s"]
    assert base64.b64decode(secret["data"]["word"]) == b"hunter22"
    assert secret["stringData"] == {"url": "db://me:hunter22@db"}
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert SEALED.encode() in kept
    for form in (b"hunter22", base64.b64encode(b"hunter22")):
        assert form not in kept
    assert "hunter22" not in repr(load(helm, clear, raw))


def test_what_logs_in_to_a_registry_is_opened_in_base64_of_base64(helm: Helm) -> None:
    template = """\
apiVersion: v1
kind: Secret
metadata: {name: s}
type: kubernetes.io/dockerconfigjson
data:
  .dockerconfigjson: {{ printf `{"auths":{"r":{"auth":"%s"}}}` (printf "me:%s" .Values.word | b64enc) | b64enc }}
"""
    raw, clear = sealed(template)
    said = base64.b64decode(made(helm, clear, raw)["Secret sid/s"]["data"][".dockerconfigjson"])
    assert said == b'{"auths":{"r":{"auth":"' + base64.b64encode(b"me:hunter22") + b'"}}}'


def test_a_checksum_is_one_of_the_encrypted_text(helm: Helm) -> None:
    """Charts restart pods by it. It changes when the value is encrypted again, and nobody can guess a value from it."""
    template = "apiVersion: v1\nkind: A\nmetadata: {name: c, annotations: {sum: {{ .Values.word | sha256sum }}}}\n"
    raw, clear = sealed(template)
    sums = made(helm, clear, raw)["A sid/c"]["metadata"]["annotations"]
    assert sums == {"sum": hashlib.sha256(SEALED.encode()).hexdigest()}


def test_a_number_is_opened_nowhere(helm: Helm) -> None:
    raw, clear = sealed("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: '{{ .Values.word }}'}\n")
    raw[V] = raw[V].replace(b"type:str]\nsops", b"type:int]\nsops")
    clear[V] = b"word: 739018465\n"
    (problem,) = problems(helm, clear, raw)
    assert "is no text" in problem.message
    assert f"word of {V}:1" in problem.message
    assert "739018465" not in str(problem)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Values.word | b64enc | trunc 40 }}}\n", "can't be"),
        ("apiVersion: v1\nkind: A\nmetadata: {name: c}\n{{ .Values.word | b64enc | quote }}: a\n", "A c"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '{{ .Values.word }}'}\n", "ConfigMap c"),
        ("apiVersion: v1\nkind: A\nmetadata: {name: c, labels: {a: {{ .Values.word | b64enc }}}}\n", "A c"),
        (
            "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: '{{ .Values.word | upper }}'}\n",
            "can't be",
        ),
    ],
)
def test_an_encrypted_value_comes_out_nowhere_else(helm: Helm, template: str, message: str) -> None:
    raw, clear = sealed(template)
    (problem,) = problems(helm, clear, raw)
    assert (problem.file, problem.line) == (FILE, LINE)
    assert message in problem.message
    assert "hunter22" not in str(problem)


def test_a_value_encrypted_in_the_clusters_own_file_is_refused(helm: Helm) -> None:
    def cluster(word: str) -> bytes:
        return files({}, {"values": {"word": word}})[FILE]

    (problem,) = problems(helm, files() | {FILE: cluster("hunter22")}, files() | {FILE: cluster(SEALED)})
    assert "would be decrypted" in problem.message
    assert "valuesFiles" in (problem.hint or "")


# Charts of a repository


def packed(more: Mapping[str, str] = {}) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, text in sorted({**CHART, **more}.items()):
            entry = tarfile.TarInfo(name.removeprefix("manifests/"))
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


class Repository:
    """A chart repository on loopback: an index and one archive."""

    def __init__(self) -> None:
        self.archive = packed()
        self.asked: list[str] = []
        self.pages: dict[str, bytes] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                known = outer.pages.get(self.path)
                self.wfile.write(known or (outer.archive if self.path.endswith(".tgz") else outer.index()))

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.archive).hexdigest()

    def index(self) -> bytes:
        entry = {"apiVersion": "v2", "name": "web", "version": "0.1.0", "urls": ["web-0.1.0.tgz"]}
        return yaml.safe_dump({"apiVersion": "v1", "entries": {"web": [entry]}}).encode()

    def chart(self, **more: str) -> dict[str, Any]:
        pinned = {"repository": self.url, "name": "web", "version": "0.1.0", "digest": f"sha256:{self.digest}"}
        return {"chart": {**pinned, **more}}


@pytest.fixture
def repository() -> Iterator[Repository]:
    made = Repository()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def remote(release: Mapping[str, Any]) -> dict[str, bytes]:
    given = {name: text for name, text in files({}, release, path="").items() if not name.startswith(C)}
    return given | {FILE: given[FILE].replace(b"path: '', ", b"")}


def test_a_chart_of_a_repository_is_fetched_once(helm: Helm, repository: Repository) -> None:
    given = remote({**repository.chart(), "values": {"replicas": 5}})
    assert made(helm, given)["Deployment sid/w-web"]["spec"]["replicas"] == 5
    asked = len(repository.asked)
    assert repository.asked[-1] == "/web-0.1.0.tgz"
    assert made(helm, remote({**repository.chart(), "values": {"replicas": 6}})).keys() == made(helm, given).keys()
    assert len(repository.asked) == asked, "other values, the same archive"


def test_a_repository_that_may_not_be_asked_is_refused_at_its_line(
    program: Path, repository: Repository, tmp_path: Path
) -> None:
    given = remote(repository.chart())
    (problem,) = problems(Helm(lambda: program, "1", tmp_path, online=True), given)
    assert (problem.file, problem.line) == (FILE, LINE)
    assert "has no public address" in problem.message
    assert "fetch: {hosts: [" in (problem.hint or "")
    assert repository.asked == []


def test_a_registry_as_helm_pushed_it(program: Path, repository: Repository, tmp_path: Path) -> None:
    """The layer of a chart is its archive: what helm would pull is what we fetch."""
    digest = f"sha256:{repository.digest}"
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": digest}
    repository.pages = {
        "/v2/charts/web/manifests/0.1.0": json.dumps({"schemaVersion": 2, "layers": [layer]}).encode(),
        f"/v2/charts/web/blobs/{digest}": repository.archive,
    }
    given = remote(repository.chart(repository=repository.url.replace("http", "oci") + "/charts"))
    helm = Helm(lambda: program, "1", tmp_path, online=True, hosts=Hosts.of("localhost", "127.0.0.0/8"))
    assert "Deployment sid/w-web" in made(helm, given)


def test_validate_fetches_nothing(program: Path, repository: Repository, tmp_path: Path) -> None:
    assert load(Helm(lambda: program, "1", tmp_path, online=False), remote(repository.chart())).unbuilt == ("w",)
    assert not repository.asked


def test_a_chart_that_the_policy_does_not_allow_is_not_fetched(helm: Helm, repository: Repository) -> None:
    given = {**remote(repository.chart()), FLEET: fleet(entry("demo", charts=["https://**"])).encode()}
    (problem,) = problems(helm, given)
    assert f"demo may not use chart 'web' of '{repository.url}'" in problem.message
    assert not repository.asked
    assert made(helm, {**given, FLEET: fleet(entry("demo", charts=[f"{repository.url}/web"])).encode()})
    assert repository.asked, "the canary: an allowed one is"


def test_what_a_chart_makes_is_held_against_the_policy(helm: Helm) -> None:
    given = files({f"{C}/templates/role.yaml": ROLE})
    policy = entry("demo", namespaces=["sid"], clusterScoped=["CustomResourceDefinition/*"])
    refused = problems(helm, {**given, FLEET: fleet(policy).encode()})
    assert [(p.file, p.message.rpartition("demo may not use ")[2].partition(",")[0]) for p in refused] == [
        (f"{C}/templates/role.yaml", "ClusterRole 'w'"),
        (f"{C}/templates/role.yaml", "namespace 'kube-system'"),
    ]


def test_another_archive_under_the_same_version_is_refused(helm: Helm, repository: Repository) -> None:
    given = remote(repository.chart())
    repository.archive = packed({f"{C}/templates/more.yaml": "apiVersion: v1\nkind: A\nmetadata: {name: a}\n"})
    with pytest.raises(Permanent, match="is not the archive that is pinned") as caught:
        load(helm, given)
    assert repository.digest in (caught.value.hint or "")


def test_a_repository_that_does_not_have_it_or_is_not_there(helm: Helm, repository: Repository) -> None:
    with pytest.raises(Permanent, match=r"9\.9\.9"):
        load(helm, remote(repository.chart(version="9.9.9")))
    with pytest.raises(Transient, match="can't be had"):
        load(helm, remote(repository.chart(repository="http://127.0.0.1:9")))


@pytest.mark.parametrize(
    ("chart", "message"),
    [
        ({"digest": "latest"}, "digest"),
        ({"version": "1.x"}, "version"),
        ({"repository": "http://example.org"}, "repository"),
    ],
)
def test_a_chart_that_is_not_pinned_is_refused(
    helm: Helm, repository: Repository, chart: dict[str, str], message: str
) -> None:
    (problem,) = problems(helm, remote(repository.chart(**chart)))
    assert (problem.file, problem.line) == (FILE, LINE)
    assert message in problem.path
    assert not repository.asked


def test_a_mistake_in_a_chart_of_a_repository_is_told_at_the_workload(helm: Helm, repository: Repository) -> None:
    repository.archive = packed({f"{C}/templates/t.yaml": "a: {{ .Values.a.b.c }}\n"})
    (problem,) = problems(helm, remote(repository.chart()))
    assert (problem.file, problem.line) == (FILE, LINE)
    assert "web/templates/t.yaml:1" in problem.message


def test_one_source_each(helm: Helm, repository: Repository) -> None:
    (both,) = problems(helm, files({}, repository.chart()))
    assert "two sources" in both.message
    neither = files()
    neither[FILE] = (CLUSTER + "  workloads:\n    - {name: w}\n").encode()
    assert "path is missing" in problems(helm, neither)[0].message
    (no_chart,) = problems(helm, {k: v for k, v in files({}, {"hooks": "skip"}).items() if "Chart" not in k})
    assert "is no chart" in no_chart.message
