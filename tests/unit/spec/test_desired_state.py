"""All that can be checked asking nobody: manifests, templates and references, every mistake at its file and line."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reconciler.errors import Invalid, Problem
from reconciler.spec import desired_state, sealed
from reconciler.spec.render import objects
from tests.unit.examples import CLUSTER, FILE, application
from tests.unit.spec.test_wiring import TWO

WORKLOAD = "manifests/sid/a.yaml"
GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
ENVIRONMENT = "desired/demo/environments/ada.yaml"
ADA = """\
apiVersion: research.moc/v1alpha1
kind: Environment
metadata: {name: ada}
spec:
  owner: ada
  type: jupyter
"""


def files(more: Mapping[str, str]) -> dict[str, bytes]:
    cluster = CLUSTER + "  workloads:\n    - {name: sid, path: manifests/sid}\n"
    return {path: text.encode() for path, text in {FILE: cluster, WORKLOAD: GOOD, **more}.items()}


def problems(more: Mapping[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as caught:
        desired_state.load(files(more))
    return caught.value.problems


def test_what_is_right_is_loaded() -> None:
    template = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ name }}\n"
    (cluster,) = desired_state.load(files({ENVIRONMENT: ADA, "manifests/environments/jupyter/pod.yaml": template}))
    assert (cluster.name, [e.name for e in cluster.environments]) == ("demo", ["ada"])


@pytest.mark.parametrize(
    ("text", "line", "path", "message"),
    [
        ("a: [", 1, "", "broken YAML"),
        (GOOD.replace("kind: ConfigMap\n", ""), 1, "kind", "kind is missing"),
        (GOOD.replace("  name: a", "  name: 1"), 4, "metadata.name", "not text"),
        (GOOD + "  namespace: {a: b}\n", 5, "metadata.namespace", "not text"),
        (GOOD + "  namespace: 12\n", 5, "metadata.namespace", "not text"),
        (GOOD + "  labels: [a]\n", 5, "metadata.labels", "not a mapping"),
        (GOOD + "---\n" + GOOD, 9, "metadata.name", "already defined at manifests/sid/a.yaml:1"),
        (GOOD + 'data:\n  a: "\\ud800"\n', 6, "", "Unicode"),
    ],
)
def test_a_mistake_in_a_manifest_has_its_line(text: str, line: int, path: str, message: str) -> None:
    (problem,) = problems({WORKLOAD: text})
    assert (problem.file, problem.line, problem.path) == (WORKLOAD, line, path)
    assert message in problem.message


def test_labels_left_empty_are_no_mistake() -> None:
    assert desired_state.load(files({WORKLOAD: GOOD + "  labels:\n  namespace:\n"}))


def test_an_environment_of_a_type_without_templates() -> None:
    (problem,) = problems({ENVIRONMENT: ADA})
    assert (problem.file, problem.line, problem.path) == (ENVIRONMENT, 6, "spec.type")
    assert problem.hint == "add the folder manifests/environments/jupyter"


def test_a_template_with_a_mistake() -> None:
    path = "manifests/environments/jupyter/pod.yaml"
    (problem,) = problems({ENVIRONMENT: ADA, path: "apiVersion: v1\nkind: {{ kidn }}\n"})
    assert (problem.file, problem.line) == (path, 2)
    assert "kidn" in problem.message


def test_wiring_and_manifests_are_checked_together() -> None:
    found = problems({WORKLOAD: "a: [", TWO: application("two", "env: {A: '${nothing}'}")})
    assert [p.file for p in found] == [TWO, WORKLOAD]


JSON = "manifests/sid/s.json"
SECRET = (
    '{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},\n "stringData": {"password": "canary7f3a"}}\n'
)
SEALED = "ENC[AES256_GCM,data:dw==,iv:W+5zeKl8R0Q=,tag:RZ1LrB5Ggpp2Mg==,type:str]"
KEPT = SECRET.replace("canary7f3a", SEALED)[:-2] + f',\n "sops": {{"mac": "{SEALED}"}}}}\n'


def refused(path: str, text: str) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        desired_state.refuse_plain_secrets({path: text.encode()})
    assert "canary7f3a" not in repr(caught.value.problems)
    return list(caught.value.problems)


@pytest.mark.parametrize("path", [WORKLOAD, JSON])
def test_a_secret_in_plain_text_is_refused_in_yaml_and_in_json(path: str) -> None:
    (problem,) = refused(path, SECRET)
    assert (problem.file, problem.line, problem.path) == (path, 2, "stringData.password")


def test_json_that_cannot_be_parsed_is_read_line_by_line() -> None:
    (problem,) = refused(JSON, '{\n  "note": null, "a" "b",\n  "password": "canary7f3a",\n  "token": null,\n}\n')
    assert problem.line == 3


@pytest.mark.parametrize("path", [WORKLOAD, JSON])
def test_what_sops_keeps_is_known_in_yaml_and_in_json(path: str) -> None:
    desired_state.refuse_plain_secrets({path: KEPT.encode()})
    assert sealed.is_kept(path, KEPT.encode())
    assert not sealed.is_kept(path, SECRET.encode())


HELD = "secrets: {DATABASE_PASSWORD: {secret: postgres-credentials, key: password}}"


@pytest.mark.parametrize(
    "lines",
    [
        (HELD,),
        ("secrets:", "  DATABASE_PASSWORD:", "    secret: postgres-credentials", "    key: password"),
    ],
)
def test_an_application_may_name_a_secret_that_somebody_else_keeps(lines: tuple[str, ...]) -> None:
    made = files({TWO: application("two", *lines)})
    desired_state.refuse_plain_secrets(made)
    (cluster,) = desired_state.load(made)
    source = cluster.applications[0].spec.secrets["DATABASE_PASSWORD"]
    assert (source.secret, source.key) == ("postgres-credentials", "password")


@pytest.mark.parametrize(
    "line",
    [
        "secrets: {DATABASE_PASSWORD: {secret: canary7f3a}}",
        "secrets: {secret: canary7f3a, key: password}",
        "env: {secret: canary7f3a, key: password}",
        "secrets: {A: {secret: ghp_canary7f3aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, key: password}}",
        "secrets: {A: {secret: a, key: password, password: canary7f3a}}",
        "secrets: {A: {secret: {secret: canary7f3a, key: a}, key: password}}",
    ],
)
def test_a_secret_is_no_name_anywhere_else(line: str) -> None:
    (problem,) = refused(TWO, application("two", line))
    assert problem.line == 8


NUMBER = SEALED.replace("type:str", "type:int")
NOTES = f"sops: {{mac: '{SEALED}', version: 3.13.3}}\n"
HIDDEN = "canary7f3a"


def encrypted(text: str, value: str, token: str = SEALED) -> tuple[str, str]:
    """A file as SOPS leaves it, and in the clear; `{}` is where the value stands."""
    return text.format(f"'{token}'") + NOTES, text.format(value)


def leaks(path: str, text: str, value: str = HIDDEN, token: str = SEALED) -> tuple[Problem, ...]:
    raw, clear = encrypted(text, value, token)
    more = {ENVIRONMENT: ADA, "manifests/environments/jupyter/pod.yaml": "# none\n"}
    with pytest.raises(Invalid) as caught:
        desired_state.load(files({**more, path: clear}), None, files({**more, path: raw}))
    assert value not in repr(caught.value.problems)
    with pytest.raises(Invalid) as again:  # without a key the same is said
        desired_state.load(files({**more, path: raw}))
    assert again.value.problems == caught.value.problems
    return caught.value.problems


@pytest.mark.parametrize("path", [WORKLOAD, "manifests/environments/jupyter/pod.yaml"])
@pytest.mark.parametrize(
    ("text", "line", "at"),
    [
        (GOOD + "data:\n  word: {}\n", 6, "data.word"),
        (GOOD + "  labels:\n    word: {}\n", 6, "metadata.labels.word"),
        (GOOD.replace("name: a", "name: {}"), 4, "metadata.name"),
        (GOOD.replace("kind: ConfigMap", "kind: {}"), 2, "kind"),
        ("apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\ntype: {}\n", 5, "type"),
        (
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  annotations:\n    a: {}\n",
            6,
            "metadata.annotations.a",
        ),
        ("apiVersion: a.org/v1\nkind: Secret\nmetadata:\n  name: a\nstringData:\n  a: {}\n", 6, "stringData.a"),
        ("kind: List\nitems:\n- apiVersion: v1\n  kind: A\n  metadata: {{name: a}}\n  a:\n  - {}\n", 7, "items.0.a.0"),
    ],
)
def test_an_opened_value_stands_in_a_secret_only(path: str, text: str, line: int, at: str) -> None:
    (problem,) = leaks(path, text)
    assert (problem.file, problem.line, problem.path) == (path, line, at)
    assert "in plain text" in problem.message
    assert problem.hint


@pytest.mark.parametrize("section", ["data", "stringData"])
@pytest.mark.parametrize(("value", "kind"), [("739018465213", "int"), ("73.90184", "float"), ("true", "bool")])
def test_an_opened_value_is_text(section: str, value: str, kind: str) -> None:
    text = f"apiVersion: v1\nkind: Secret\nmetadata: {{{{name: a}}}}\n{section}:\n  word: {{}}\n"
    token = SEALED.replace("type:str", f"type:{kind}")
    (problem,) = leaks(WORKLOAD, text, value, token) if value != "true" else leaks(WORKLOAD, text, "True", token)
    assert (problem.file, problem.line, problem.path) == (WORKLOAD, 5, f"{section}.word")
    assert "is no text" in problem.message


def test_what_is_opened_is_opened_in_objects_and_nowhere_else() -> None:
    """Whichever files are given later, the clear ones or git's: what is made of them is the same."""
    raw, clear = encrypted("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData: {{word: {}}}\n", HIDDEN)
    closed, opened = files({WORKLOAD: raw}), files({WORKLOAD: clear})
    (cluster,) = desired_state.load(opened, None, closed)
    assert HIDDEN not in repr(cluster)
    for given in (closed, opened):
        (secret,) = objects.workloads(cluster, given)
        assert secret["stringData"] == {"word": HIDDEN}
        assert "sops" not in secret


def test_a_template_is_filled_in_before_it_is_opened() -> None:
    """So that what is secret is never run as a template, nor repeated by one that can't be rendered."""
    path = "manifests/environments/jupyter/s.yaml"
    text = "apiVersion: v1\nkind: Secret\nmetadata: {{name: '{{{{ name }}}}'}}\nstringData: {{word: {}}}\n"
    value = "'{{ name }} {% x %}'"
    raw, clear = encrypted(text, value)
    closed, opened = files({ENVIRONMENT: ADA, path: raw}), files({ENVIRONMENT: ADA, path: clear})
    (cluster,) = desired_state.load(opened, None, closed)
    (secret,) = objects.environments(cluster, opened)
    assert (secret["metadata"]["name"], secret["stringData"]) == ("ada", {"word": value.strip("'")})


@pytest.mark.parametrize("value", ["5432", "true", "[a]"])
def test_a_number_in_a_secret_is_refused_before_a_server_can_repeat_it(value: str) -> None:
    made = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: {value}}}\n"
    (problem,) = problems({WORKLOAD: made})
    assert (problem.line, problem.path, problem.message) == (
        4,
        "stringData.a",
        "is no text, as all of a Secret's data has to be",
    )
