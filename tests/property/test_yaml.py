"""Whatever somebody commits is loaded, or every mistake in it is named at a place: never a traceback, never slow."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import Invalid
from reconciler.spec import desired_state
from tests.unit.examples import CLUSTER, FILE

SECONDS = 1.0
quick = settings(derandomize=True, max_examples=300, deadline=None)
EXAMPLE = (CLUSTER + "  workloads:\n    - {name: sid, path: manifests/sid}\n").encode()
MANIFEST = (
    b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: b\n  labels: {a: b}\ndata:\n  mode: '1'\n"
)
APPLICATION = b"""\
apiVersion: research.moc/v1alpha1
kind: Application
metadata: {name: web}
spec: {target: moc, namespace: web, image: a, env: {A: "${cluster.name}"}}
"""

PIECES = st.sampled_from(
    [
        b"- ", b": ", b"? ", b"\n", b"\n  ", b"    ", b"\t", b"[", b"]", b"{", b"}", b",", b"&a ", b"*a", b"!!", b"!x ",
        b"|\n", b">-\n", b"'", b'"', b"#", b"%YAML 1.2\n", b"---\n", b"...\n", b"<<: ", b"~", b"null", b"true", b"0x",
        b"0o8", b"1e999", b".nan", b"-.inf", b"9" * 5000, b"0x" + b"f" * 4000, b"!!float ", b"!!int ", b"!!bool ",
        b'""', b'"\\ud800"', b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"spec", b"metadata",
        b"name", b"namespace: {a: b}", b"kind: List\nitems: ", b"0644", b"generateName: x", b"${x}",
    ]
)  # fmt: skip
noise = st.one_of(PIECES, st.binary(max_size=8), st.text(max_size=8).map(lambda t: t.encode("utf-8", "replace")))


def check(files: dict[str, bytes]) -> None:
    """Load, and insist that a refusal says where."""
    started = time.process_time()
    refusal: Invalid | None = None
    try:
        desired_state.load(files)
    except Invalid as error:
        refusal = error
    assert time.process_time() - started < SECONDS
    if refusal is not None:
        assert refusal.problems
        for problem in refusal.problems:
            assert 1 <= problem.line <= len(files[problem.file].decode(errors="replace").splitlines()) + 1
            assert problem.column >= 1
            assert problem.message
            str(problem).encode()


def everywhere(text: bytes) -> None:
    """The same text as each kind of file that is read."""
    cluster = {FILE: EXAMPLE, "manifests/sid/a.yaml": MANIFEST}
    check({**cluster, FILE: text})
    check({**cluster, "manifests/sid/a.yaml": text})
    check({**cluster, "desired/demo/applications/web.yaml": text})


@st.composite
def mutated(draw: st.DrawFn, of: bytes) -> bytes:
    """The text with a few stretches deleted, doubled or overwritten, as slips and merges leave it."""
    text = of
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        doubled, put = text[start:end] * 2, draw(noise)
        text = draw(
            st.sampled_from([text[:start] + new + text[end:] for new in (b"", doubled, put, put + text[start:end])])
        )
    return text


TAGS = [
    "",
    "",
    "!!float ",
    "!!int ",
    "!!bool ",
    "!!null ",
    "!!str ",
    "!!seq ",
    "!!set ",
    "!!binary ",
    "!x ",
    "&a ",
    "? ",
]
VALUES = [
    "", '""', "~", "no", "-1", "0x" + "f" * 5000, "1e400", ":".join(["1"] * 400), "[]", "{}", "[[a]]", "{a: b}",
    "{a: {b: [c]}}", "*a", "0644", '"\\ud800"', '"\\x00"', "2026-11-24", "|", ">", "a: b", "${a}",
    "${cluster.name}", "{{ name }}", "'", "\u2028",
]  # fmt: skip
values = st.tuples(st.sampled_from(TAGS), st.sampled_from(VALUES)).map(lambda parts: "".join(parts).encode())


@st.composite
def revalued(draw: st.DrawFn, of: bytes) -> bytes:
    """The text with other values behind one or two of its keys."""
    lines = of.split(b"\n")
    for _ in range(draw(st.integers(1, 2))):
        number = draw(st.integers(0, len(lines) - 1))
        key, colon, _ = lines[number].partition(b": ")
        lines[number] = key + (colon or b" ") + draw(values)
    return b"\n".join(lines)


@quick
@given(revalued(EXAMPLE), revalued(MANIFEST), revalued(APPLICATION))
def test_values_nobody_thought_of(cluster: bytes, manifest: bytes, application: bytes) -> None:
    path = "desired/demo/applications/web.yaml"
    check({FILE: EXAMPLE, "manifests/sid/a.yaml": manifest, path: application})
    check({FILE: cluster, "manifests/sid/a.yaml": MANIFEST})


@quick
@given(mutated(EXAMPLE))
def test_a_cluster_with_slips(text: bytes) -> None:
    check({FILE: text, "manifests/sid/a.yaml": MANIFEST})


@quick
@given(mutated(MANIFEST))
def test_a_manifest_with_slips(text: bytes) -> None:
    check({FILE: EXAMPLE, "manifests/sid/a.yaml": text})


@quick
@given(mutated(APPLICATION))
def test_an_application_with_slips(text: bytes) -> None:
    path = "desired/demo/applications/web.yaml"
    check({FILE: EXAMPLE, "manifests/sid/a.yaml": MANIFEST, path: text})


@quick
@given(st.lists(noise, max_size=30).map(b"".join))
def test_text_that_looks_like_yaml(text: bytes) -> None:
    everywhere(text)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.sampled_from([b"[", b"{a: ", b"- ", b"? ", b"a:\n ", b"[{a: ", b"!!seq ["]),
    st.integers(1, 20_000),
    st.booleans(),
)
def test_deep_nesting(opening: bytes, depth: int, closed: bool) -> None:
    everywhere((opening * depth)[:200_000] + (b"]" * depth if closed else b""))


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([b"[%s]", b"{k: [%s]}"]))
def test_anchors_that_multiply(levels: int, width: int, shape: bytes) -> None:
    lines = [b"a0: &a0 x"]
    for level in range(1, levels + 1):
        again = b", ".join([b"*a%d" % (level - 1)] * width)
        lines.append(b"a%d: &a%d " % (level, level) + shape % again)
    everywhere(b"\n".join(lines) + b"\n")
