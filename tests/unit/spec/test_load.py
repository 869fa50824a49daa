"""Every mistake a person can make in YAML has a position, plain words and, where one can be guessed, a hint."""

from __future__ import annotations

import pytest

from reconciler.errors import Invalid, Problem
from tests.unit.examples import CLUSTER, FILE, desired


def problems(*changes: tuple[str, str], extra: dict[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as caught:
        desired(*changes, extra=extra)
    assert caught.value.exit_code == 2
    return caught.value.problems


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(CLUSTER.splitlines(), 1) if text in line)


@pytest.mark.parametrize(
    ("old", "new", "path", "message", "hint"),
    [
        ("cloud: sandbox", "clod: sandbox", "spec.clod", "unknown key 'clod'", "did you mean 'cloud'?"),
        ("count: 2", "count: two", "spec.nodeGroups.0.count", "expected a whole number, found 'two'", None),
        ("count: 2", 'count: "2"', "spec.nodeGroups.0.count", "found '2'", "without quotes"),
        ("count: 2", "count: -1", "spec.nodeGroups.0.count", "greater than or equal to 0", None),
        ('"1.36.3"', "1.36", "spec.kubernetes.version", "expected text, found 1.36", "quotes"),
        ('"1.36.3"', '"v1.36"', "spec.kubernetes.version", "does not have the right form", "must match"),
        ("count: 1", "count: 2", "spec.controlPlane.count", "expected one of 1, 3 or 5, found 2", None),
        ("floatingIps: true", "floatingIps: yes", "spec.controlPlane.floatingIps", "true or false", "YAML 1.2"),
        ("10.20.0.0/24", "10.20.0.1/24", "spec.network.cidr", "has host bits set", None),
        ("10.20.0.0/24", "10.233.0.0/16", "spec.network.cidr", "overlaps with 10.233.64.0/18", None),
        ("ssh: [192.0.2.0/24]", "ssh: [everybody]", "spec.access.ssh.0", "CIDR", None),
        ("name: demo", "name: Demo_1", "metadata.name", "right form", "must match"),
        ("name: worker", "name: cp", "spec.nodeGroups.0.name", "control plane's own", None),
        ("kind: Cluster", "kind: Klaster", "kind", "expected one of 'Cluster'", None),
        ("ssh-ed25519 AAAA", "rsa AAAA", "spec.ssh.publicKey", "not an OpenSSH public key", None),
    ],
)
def test_a_mistake_is_named_at_its_place(old: str, new: str, path: str, message: str, hint: str | None) -> None:
    (problem,) = [p for p in problems((old, new)) if p.path == path]
    assert problem.file == FILE
    assert problem.line == line_of(old)
    assert message in problem.message
    if hint:
        assert hint in (problem.hint or "")


def test_all_mistakes_are_reported_at_once() -> None:
    found = problems(("cloud: sandbox", "clod: sandbox"), ("count: 2", "count: two"), ('"1.36.3"', "1.36"))
    assert [p.path for p in found] == [
        "spec.cloud",
        "spec.clod",
        "spec.nodeGroups.0.count",
        "spec.kubernetes.version",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metadata: {name", "broken YAML"),
        ("a: [1, 2", "broken YAML"),
        ("\tkey: value", "broken YAML"),
        ("a: 1\na: 2", "there twice"),
        ("a: !!python/object:os.system x", "not plain data"),
        ("? [1, 2]\n: x", "a key must be plain text"),
        ("a: &a [*a]", "refers to itself"),
        ("a: *nobody", "broken YAML"),
        ("a: \x07", "character YAML does not allow"),
        ("[" * 2000, "nested too deeply"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
            "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e]",
            "too many values",
        ),
        ("", "expected one Cluster"),
        ("just text", "expected a mapping"),
        ("- a\n- b", "expected a mapping"),
    ],
)
def test_what_is_not_a_cluster_is_refused_with_a_position(text: str, message: str) -> None:
    found = problems((CLUSTER, text))
    assert any(message in p.message for p in found), found
    assert all(p.file == FILE and p.line >= 1 and p.column >= 1 for p in found)


def test_text_that_is_not_utf8() -> None:
    from reconciler.spec.load import load

    with pytest.raises(Invalid) as caught:
        load({FILE: b"a: 1\nb: \xff\xfe"}, lambda _: True)
    assert caught.value.problems[0].line == 2


def test_a_cluster_is_called_like_its_folder() -> None:
    (problem,) = problems(("name: demo", "name: other"))
    assert "its folder 'demo'" in problem.message
    assert problem.line == line_of("name: demo")


def test_files_nobody_reads_are_named() -> None:
    (problem,) = problems(extra={"desired/demo/enviroments/ada.yaml": "a: 1"})
    assert problem.file == "desired/demo/enviroments/ada.yaml"


def test_yaml_12_keeps_the_country_of_norway() -> None:
    from reconciler.spec.yaml import parse

    (document,) = parse("x.yaml", b"a: no\nb: 010\nc: 0o10\nd: 12:30:45\ne: 1_000\nf: ~\ng: .5\nh: 2026-11-24")
    assert document.value == {
        "a": "no", "b": 10, "c": 8, "d": "12:30:45", "e": "1_000", "f": None, "g": 0.5, "h": "2026-11-24"
    }  # fmt: skip


def test_a_workload_folder_that_is_not_there() -> None:
    from reconciler.spec.load import load

    text = CLUSTER + "  workloads:\n    - {name: sid, path: manifests/sid}\n"
    with pytest.raises(Invalid) as caught:
        load({FILE: text.encode()}, lambda _: False)
    (problem,) = caught.value.problems
    assert problem.path == "spec.workloads.0.path"
    assert "no folder 'manifests/sid'" in problem.message
