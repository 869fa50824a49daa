"""A value that SOPS encrypted, whatever way it takes, is in no output: it arrives in a Secret's data, or nowhere."""

from __future__ import annotations

import base64
import json
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import report
from reconciler.adapters.kubernetes.connection import Request, failure
from reconciler.control import host_keys, images, output_memory, record
from reconciler.errors import Invalid
from reconciler.ports import Manifest, Rendering
from reconciler.spec import desired_state, wiring
from reconciler.spec.load import DesiredCluster
from reconciler.spec.render import objects
from reconciler.spec.render.application import Sealed
from tests.outputs import OUTPUTS, Ended, ended, refused, written
from tests.unit.examples import CLUSTER, FILE, application

CANARY = "canary/7f3a+91c0 d=e5"
NUMBER = 739_018_465_213
_FORMS = (CANARY, base64.b64encode(CANARY.encode()).decode(), quote(CANARY, safe=""), quote_plus(CANARY), str(NUMBER))
CANARIES = (
    *_FORMS,
    base64.b64encode(CANARY.encode()).decode().rstrip("="),
    base64.b64encode(b"x" + CANARY.encode())[8:20].decode(),
)

TOKEN = (
    "ENC[AES256_GCM,data:bm90IGEgc2VjcmV0,iv:{0}0m1o2pQkq7r8sVt9wXz2aRcQeFgPiWkLb7oPzRsTs=,"
    "tag:q1W2{0}R4t5Y6u7I8o9P0aA==,type:{1}]"
)
TEXT, COUNT = TOKEN.format("Yx", "str"), TOKEN.format("Zz", "int")
SOPS = {"mac": TOKEN.format("Qq", "str"), "version": "3.13.3"}
CLEAR = {TEXT: CANARY, COUNT: NUMBER}

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"word": TEXT}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"colour": "blue"}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"a": "b"}, "annotations": {"checksum": "c"}},
    "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "i", "args": ["--a"], "env": []}]}}},
}
OBJECTS = [SECRET, {**SECRET, "data": {"coded": ""}, "type": "Opaque"}, CONFIG, DEPLOYMENT]


def plain(value: Any) -> Any:
    """The same in the clear, without SOPS's notes."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if key != "sops"}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return CLEAR.get(value, value) if isinstance(value, str) else value


@dataclass(frozen=True)
class Program:
    """Makes the objects of whatever it is asked to build, as kustomize and helm do of the text they are given (see
    tests/unit/spec/test_kustomize.py and tests/contract/test_helm.py)."""

    made: Sequence[Mapping[str, Any]]

    def build(self, folder: str, files: Mapping[str, bytes]) -> bytes:
        assert not any(form.encode() in text for text in files.values() for form in CANARIES)
        return yaml.safe_dump_all([{**made, "sops": SOPS} for made in self.made], width=10_000).encode()

    def render(self, wanted: Rendering) -> bytes:
        assert not any(form.encode() in text for text in (*wanted.values, *wanted.files.values()) for form in CANARIES)
        return b"".join(
            b"---\n# Source: w/templates/a.yaml\n" + yaml.safe_dump(m, width=10_000).encode() for m in self.made
        )


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every leaf of an object."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    return [path] if items is None else [at for key, item in items for at in places(item, (*path, key))]


def but(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    made = dict(value) if isinstance(value, dict) else list(value)
    made[path[0]] = but(value[path[0]], path[1:], new)
    return made


def renamed(value: Any, path: tuple[Any, ...], key: str) -> Any:
    """The object with the last key of the path called otherwise."""
    inside = value
    for step in path[:-1]:
        inside = inside[step]
    if not isinstance(inside, dict):
        return but(value, path, key)
    return but(value, path[:-1], {key if name == path[-1] else name: item for name, item in inside.items()})


# What a template or a transformer may make of a text.
WAYS: dict[str, Callable[[str], str]] = {
    "whole": lambda t: t,
    "around": lambda t: f"db://me:{t}@db",
    "base64": lambda t: base64.b64encode(t.encode()).decode(),
    "base64 of more": lambda t: base64.b64encode(f"xy{t}z".encode()).decode(),
    "base64 twice": lambda t: base64.b64encode(base64.b64encode(t.encode())).decode(),
    "url": quote,
    "upper": str.upper,
    "lower": str.lower,
    "begin": lambda t: t[: len(t) // 2],
    "end": lambda t: t[len(t) // 2 :],
    "part": lambda t: t.split(",")[-1],
    "json": json.dumps,
    "twice": lambda t: t + t,
}

spots = st.sampled_from([(one, path) for one in OBJECTS for path in places(one)])
tokens = st.sampled_from([TEXT, COUNT])
ways = st.lists(st.sampled_from(sorted(WAYS)), min_size=1, max_size=2)
carriers = st.sampled_from(["plain", "json", "list", "template", "kustomize", "helm"])


@settings(derandomize=True, max_examples=300, deadline=None)
@given(carriers, spots, tokens, ways, st.booleans())
def test_whatever_way_it_takes_it_is_in_no_output(
    carrier: str, spot: tuple[Any, tuple[Any, ...]], token: str, how: list[str], as_key: bool
) -> None:
    one, path = spot
    text = token
    for way in how if carrier in ("kustomize", "helm") else ():
        text = WAYS[way](text)
    check(carrier, renamed(one, path, text) if as_key else but(one, path, text))


def check(carrier: str, made: Mapping[str, Any]) -> list[Manifest] | None:
    """Load it, apply it, fail: nothing shows the canary. The objects it made; None where it was refused."""
    raw, program = files(carrier, made)
    clear = {name: opened(name, text) for name, text in raw.items()}
    try:
        desired_state.refuse_plain_secrets(raw)
        (desired,) = desired_state.load(clear, program, raw, program)
        manifests = list(objects.workloads(desired, clear))
        assert manifests == list(objects.workloads(desired, raw)), "which files are given makes no difference"
    except Invalid as error:
        unplaced = [p for p in error.problems if p.file not in raw or p.line < 1]
        silent(refused(error))
        if unplaced:
            pytest.fail(f"{unplaced} have no place")
        return None
    elsewhere = [{k: v for k, v in m.items() if (m["kind"], k) not in HOLDS} for m in manifests]
    assert not any(form in json.dumps(elsewhere) for form in CANARIES)
    silent(cycle(desired, manifests))
    return manifests


HOLDS = {("Secret", "data"), ("Secret", "stringData")}


def files(carrier: str, made: Mapping[str, Any]) -> tuple[dict[str, bytes], Program]:
    """The object in a file as SOPS leaves it, or what a program makes of such a file."""
    folder, kept = "manifests/w", yaml.safe_dump({**made, "sops": SOPS}, sort_keys=False, width=10_000)
    theirs = yaml.safe_dump({**SECRET, "stringData": {"word": TEXT, "count": COUNT}, "sops": SOPS}, width=10_000)
    there: dict[str, str] = {}
    helm = ""
    match carrier:
        case "plain":
            there = {f"{folder}/a.yaml": kept}
        case "json":
            there = {f"{folder}/a.json": json.dumps({**made, "sops": SOPS})}
        case "list":
            whole = {
                "apiVersion": "v1",
                "kind": "List",
                "items": [CONFIG | {"metadata": {"name": "o"}}, made],
                "sops": SOPS,
            }
            there = {f"{folder}/a.yaml": yaml.safe_dump(whole, width=10_000)}
        case "template":
            there = {f"{folder}/a.yaml": yaml.safe_dump(CONFIG), "manifests/environments/jupyter/a.yaml": kept}
            there["desired/demo/environments/a.yaml"] = ENVIRONMENT
        case "kustomize":
            there = {f"{folder}/kustomization.yaml": "resources: [db.yaml]\n", f"{folder}/db.yaml": theirs}
        case "helm":
            there = {f"{folder}/Chart.yaml": "apiVersion: v2\nname: w\nversion: 1.0.0\n", "manifests/v.yaml": theirs}
            helm = ", helm: {valuesFiles: [manifests/v.yaml]}"
    there[FILE] = CLUSTER + f"  workloads:\n    - {{name: w, path: {folder}, namespace: sid{helm}}}\n"
    return {name: text.encode() for name, text in there.items()}, Program([made])


ENVIRONMENT = """\
apiVersion: research.moc/v1alpha1
kind: Environment
metadata: {name: ada}
spec: {owner: ada, type: jupyter}
"""


def opened(name: str, text: bytes) -> bytes:
    """As SOPS does."""
    if not desired_state.opens(name, text):
        return text
    return yaml.safe_dump(plain(yaml.safe_load(text)), width=10_000, sort_keys=False).encode()


def cycle(desired: DesiredCluster, manifests: Sequence[Manifest]) -> Ended:
    """One that finds each Secret changed by hand, with a copy of itself in an annotation, and whose server explains
    with everything it has why it takes nothing."""
    live = [by_hand(m) for m in manifests if m["kind"] == "Secret"]
    said = f"failed to create typed patch object: .data.word: got {CANARY}, {NUMBER}, {_FORMS[1]}"
    answer = {"message": said, "reason": CANARY, "details": {"causes": [{"field": CANARY, "message": CANARY}]}}
    error = failure(500, answer, Request("PATCH", "/api/v1/namespaces/sid/secrets/db", SECRET), "kubeconfig")
    output = wiring.parsed("cluster.secrets.sid.db.word", "demo")
    assert output
    return ended(desired, manifests, live, error, wiring.Outputs(sealed={output: Sealed(CANARY, "1")}))


def by_hand(secret: Manifest) -> Manifest:
    copy = json.dumps({"stringData": {"word": CANARY, "count": NUMBER}})
    last = "kubectl.kubernetes.io/last-applied-configuration"
    metadata = {**secret["metadata"], "annotations": {last: copy, "example.org/original": copy}}
    return {**secret, "metadata": metadata, "data": {"word": _FORMS[1], "more": _FORMS[1]}, "stringData": {}}


def silent(cycle: Ended) -> None:
    said = written(cycle)
    assert [(name, form) for name, text in said.items() for form in CANARIES if form in text] == []


# The property above holds for a reader who refuses everything: each of these ways has its one answer.
GOES = [
    ("plain", SECRET),
    ("json", SECRET),
    ("list", SECRET),
    ("template", SECRET),
    ("kustomize", SECRET),
    ("helm", SECRET),
    ("helm", {**SECRET, "stringData": {"word": f"db://me:{TEXT}@db"}}),
    ("helm", {**SECRET, "stringData": {}, "data": {"word": WAYS["base64"](TEXT)}}),
]


@pytest.mark.parametrize(("carrier", "made"), GOES)
def test_in_a_secrets_data_it_arrives(carrier: str, made: Mapping[str, Any]) -> None:
    manifests = check(carrier, made)
    assert manifests
    (secret,) = (m for m in manifests if m["kind"] == "Secret")
    held = "".join(
        [*secret["stringData"].values(), *(base64.b64decode(v).decode() for v in secret.get("data", {}).values())]
    )
    assert CANARY in held
    assert "ENC[" not in json.dumps(manifests)


@pytest.mark.parametrize("carrier", ["plain", "json", "list", "template", "kustomize", "helm"])
@pytest.mark.parametrize(
    "made",
    [
        {**CONFIG, "data": {"a": TEXT}},
        {**CONFIG, "metadata": {"name": "c", "annotations": {"a": TEXT}}},
        but(DEPLOYMENT, ("spec", "template", "spec", "containers", 0, "args", 0), TEXT),
        {**SECRET, "metadata": {"name": TEXT}},
        {**SECRET, "type": TEXT},
        {**SECRET, "stringData": {"a": COUNT}},
        {**SECRET, "stringData": {}, "data": {"a": COUNT}},
    ],
)
def test_anywhere_else_it_is_refused(carrier: str, made: Mapping[str, Any]) -> None:
    assert check(carrier, made) is None


FLEET = """\
apiVersion: research.moc/v1alpha1
kind: Fleet
metadata: {name: fleet}
spec: {defaults: {image: ubuntu-24.04}}
"""


@pytest.mark.parametrize(
    ("file", "text", "value"),
    [
        ("desired/fleet.yaml", FLEET, "ubuntu-24.04"),
        (FILE, CLUSTER, "ubuntu-24.04"),
        (FILE, CLUSTER + "    variables: {some_key: here}\n", "here"),
        ("desired/demo/environments/a.yaml", ENVIRONMENT, "jupyter"),
        ("desired/demo/applications/web.yaml", application("web", "env: {A: here}"), "here"),
    ],
)
def test_below_desired_nothing_is_opened(file: str, text: str, value: str) -> None:
    closed = text.replace(value, f"'{TEXT}'") + f"sops: {{mac: '{SOPS['mac']}'}}\n"
    raw = {FILE: CLUSTER.encode(), file: closed.encode()}
    assert opened(file, raw[file]) == raw[file]
    with pytest.raises(Invalid) as caught:
        desired_state.load(raw)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (file, 1 + text[: text.index(value)].count("\n"))
    silent(refused(caught.value))


def test_an_applications_secret_is_in_no_output() -> None:
    name = "manifests/web/values.yaml"
    raw = {
        FILE: CLUSTER.encode(),
        "desired/demo/applications/web.yaml": application(
            "web", f"secrets: {{WORD: {{file: {name}, key: word}}}}"
        ).encode(),
        name: yaml.safe_dump({"word": TEXT, "sops": SOPS}, width=10_000).encode(),
    }
    clear = {file: opened(file, text) for file, text in raw.items()}
    (desired,) = desired_state.load(clear, None, raw)
    (app,) = desired.applications
    manifests = objects.application(app, wiring.wire(desired, app, wiring.Outputs()).secrets)
    assert CANARY in json.dumps(manifests)
    silent(cycle(desired, manifests))


def test_every_output_is_looked_at() -> None:
    """Whatever makes a text of a view or a report, and whatever is committed, is in the list."""
    helpers = {"foreign", "view", "values", "drawing", "picture", "simulation"}
    modules = {module.name for module in pkgutil.iter_modules(report.__path__)} - helpers
    assert modules <= OUTPUTS.keys()
    committed = {
        v
        for of in (record, output_memory, images, host_keys)
        for name, v in vars(of).items()
        if isinstance(v, str) and v.endswith((".yaml", ".md")) and not name.startswith("_")  # no other file leaves us
    }
    assert committed <= OUTPUTS.keys()
    memories = {output_memory.RECORD, images.RECORD, host_keys.RECORD}
    assert {record.OBSERVED, record.APPLIED, record.DRIFT, record.DIFFERENCES} | memories == committed


NAMES_ONLY = (record.APPLIED, record.DIFFERENCES, images.RECORD, host_keys.RECORD)  # and digests, and ids


def test_the_outputs_would_show_it() -> None:
    """Each of them says something: the search above is no search of empty texts."""
    (desired,) = desired_state.load({FILE: CLUSTER.encode()})
    shown = {**CONFIG, "metadata": {"name": "c", "namespace": "sid"}, "data": {"a": CANARY}}
    answer = {"message": f"said {CANARY}"}
    error = failure(400, answer, Request("PATCH", "/api/v1/namespaces/sid/configmaps/c", shown), "kubeconfig")
    output = wiring.parsed("cluster.services.sid.db.address", "demo")
    assert output
    live = [{**shown, "data": {"a": "other"}}]
    said = written(ended(desired, [shown], live, error, wiring.Outputs({output: CANARY})))
    assert {name for name, text in said.items() if CANARY not in text} == {"title", "quality", "proposal", *NAMES_ONLY}
