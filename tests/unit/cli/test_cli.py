"""The command line as people and scripts meet it: help that teaches, exit codes, and never a traceback."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import git
import pytest

from reconciler import __version__
from reconciler.adapters.git import GitRepository
from reconciler.app import App
from reconciler.cli import main
from reconciler.cli.verbs import worst
from reconciler.control import record
from reconciler.control.revision import Desired
from reconciler.control.survey import Survey
from reconciler.errors import Evidence, Invalid, Permanent, Transient
from reconciler.model.resource import Component, Expected, Resource
from reconciler.settings import FILE_VARIABLE
from reconciler.spec.load import FLEET
from reconciler.toolchain import Toolbox
from tests.unit.cli.conftest import Run
from tests.unit.control.world import FILES, World
from tests.unit.examples import FILE
from tests.unit.spec.tenancy.scene import entry, fleet

ROOT = Path(__file__).parents[3]
VERBS = [
    "init",
    "kubeconfig",
    "ssh",
    "diff",
    "suspend",
    "resume",
    "validate",
    "plan",
    "drift",
    "apply",
    "run",
    "doctor",
    "tools",
    "demo",
    "version",
    "sandbox",
]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A working tree with a desired state that is right."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """What verbs look at instead of a clone and a cloud."""
    made = World(tmp_path)
    state = Desired("c0ffee", made.files, (made.desired,))
    monkeypatch.setattr(App, "at", lambda *_: state)
    monkeypatch.setattr(App, "survey", lambda *_: Survey(lambda _: made, ("demo",)))
    monkeypatch.setattr(App, "cycle", lambda _, __, ___, survey=None, take=False: made.cycle(survey=survey))
    return made


def test_help_shows_every_verb_and_what_exit_codes_mean(run: Run) -> None:
    said = run("--help")
    assert said.code == 0
    listed = re.findall(r"^ +(\w+)  +\w", said.out, re.MULTILINE)
    assert set(VERBS) <= set(listed)
    assert "Exit codes: 0 in sync, 3 drift, 4 blocked" in said.out
    assert "Start with: reconciler validate" in said.out


@pytest.mark.parametrize("verb", [*VERBS, "sandbox up", "sandbox status", "sandbox down"])
def test_every_verb_explains_itself(run: Run, verb: str) -> None:
    said = run(*verb.split(), "--help")
    assert (said.code, said.err) == (0, "")
    usage, _, rest = said.out.partition("\n")
    assert f"reconciler {verb}" in usage or f"reconciler [OPTIONS] {verb}" in usage
    assert re.search(r"^ +[A-Z][^\n]{15,}", rest, re.MULTILINE), "says what it does, in a sentence"
    for option in re.findall(r"^ +(?:-\w, )?(--[\w-]+)(.*)$", said.out, re.MULTILINE):
        assert len(option[1].strip()) > 10, f"{option[0]} is not explained"


@pytest.mark.parametrize(
    "arguments", [["aply"], ["plan", "--reff", "x"], ["plan", "-o", "xml"], ["run", "--interval", "0"], ["--nonsense"]]
)
def test_wrong_usage(run: Run, arguments: list[str]) -> None:
    said = run(*arguments)
    assert (said.code, said.out) == (2, "")
    assert re.search("No such|Invalid value|Error", said.err)


def test_without_a_verb_there_is_help(run: Run) -> None:
    said = run()
    assert "validate" in said.out + said.err


def test_version(run: Run) -> None:
    assert run("version").out == f"{__version__}\n"


def test_the_repositorys_own_desired_state_is_valid(run: Run) -> None:
    said = run("-C", ROOT, "validate")
    assert (said.code, said.err) == (0, "")
    note, valid = said.out.splitlines()
    assert note.startswith(
        "note: desired/fleet.yaml has no spec.policy.tenants: every cluster's folder may use everything"
    )
    assert valid == "valid: 1 cluster (demo)"


def test_what_the_policy_does_not_allow_is_refused_with_its_place(run: Run, clone: Path) -> None:
    (clone / FLEET).write_text(fleet(entry("demo", clouds=["moc"], namespaces=["env-*"]), defaults=""))
    said = run("-C", clone, "validate")
    who = "desired/fleet.yaml is a platform administrator's to change"
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        "error: the desired state has 2 mistakes",
        f"  {FILE}:6:3 spec.cloud: demo may not use cloud 'sandbox'",
        f"    hint: clouds that desired/fleet.yaml:7 allows: moc; {who}",
        *said.err.splitlines()[3:],
    ]
    (clone / FLEET).write_text(fleet(entry("demo")))
    said = run("-C", clone, "validate")
    assert said.code == 0
    assert said.out.splitlines()[0].startswith("note: there is no CODEOWNERS: whoever may merge may change the policy")
    (clone / "CODEOWNERS").write_text("* @a\n")
    (clone / "manifests/sid/space.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: sid}\n")
    assert run("-C", clone, "validate").out == "valid: 1 cluster (demo)\n"


def test_a_namespace_that_nothing_in_git_makes_is_named(run: Run, clone: Path) -> None:
    said = run("-C", clone, "validate")
    assert said.code == 0
    assert f"note: {FILE}:" in said.out
    assert "workload 'sid' goes to the namespace 'sid', which nothing in git makes (add a Namespace" in said.out


def test_what_could_not_be_checked_is_said(run: Run, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Toolbox, "find", lambda *_: None)
    monkeypatch.setenv("RECONCILER_CACHE", str(clone / "no cache"))
    kustomization = clone / "manifests/sid/kustomization.yaml"
    kustomization.write_text("resources: [a.yaml]\n")
    said = run("-C", clone, "validate")
    assert said.code == 0
    assert [line for line in said.out.splitlines() if not line.startswith("note: ")] == [
        "not checked: manifests/sid is built by kubectl, which is not here (`reconciler tools kubectl` gets it)",
        "valid: 1 cluster (demo)",
    ]
    kustomization.write_text("resources: [a.yaml, https://example.org/b]\n")
    said = run("-C", clone, "validate")
    assert said.code == 2
    assert f"{kustomization.relative_to(clone)}:1:21 resources.1: 'https://example.org/b' is not in this" in said.err


def test_mistakes_are_shown_with_their_place_and_a_hint(run: Run, clone: Path) -> None:
    (clone / FILE).write_text(FILES[FILE].replace("cloud: sandbox", "clod: sandbox").replace("count: 2", "count: two"))
    said = run("-C", clone, "validate")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        "error: the desired state has 3 mistakes",
        f"  {FILE}:5:1 spec.cloud: key 'cloud' is missing",
        f"  {FILE}:6:3 spec.clod: unknown key 'clod'",
        "    hint: did you mean 'cloud'?",
        f"  {FILE}:20:7 spec.nodeGroups.0.count: expected a whole number, found 'two'",
    ]


def test_what_is_in_a_file_is_shown_as_it_is(run: Run, clone: Path) -> None:
    (clone / FILE).write_text(FILES[FILE].replace("cloud: sandbox", "'[bold]x[/] \x1b': sandbox").encode().decode())
    said = run("-C", clone, "validate")
    assert said.code == 2
    (clone / FILE).write_text(FILES[FILE].replace("cloud: sandbox", "'[bold]x[/]': sandbox"))
    assert "unknown key '[bold]x[/]'" in run("-C", clone, "validate").err


@pytest.mark.parametrize("folder", ["", "missing"])
def test_a_folder_without_a_desired_state(run: Run, tmp_path: Path, folder: str) -> None:
    said = run("-C", tmp_path / folder, "validate")
    assert said.code == 2
    assert "there is no cluster below desired/" in said.err
    assert "hint: run this in a clone" in said.err


def test_settings_that_are_named_and_missing(run: Run, clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run("--config", clone / "missing.yaml", "-C", clone, "validate")
    assert said.code == 2
    assert "cannot read the settings" in said.err
    monkeypatch.setenv(FILE_VARIABLE, str(clone / "missing.yaml"))
    assert run("-C", clone, "validate").code == 2


def test_a_folder_that_is_no_repository(run: Run, clone: Path) -> None:
    said = run("-C", clone, "plan")
    assert said.code in (1, 2)
    assert said.err.startswith("error: ")
    assert "internal" not in said.err


@pytest.mark.parametrize("verb", ["plan", "drift", "apply"])
def test_json_is_one_list_on_stdout_and_nothing_else(run: Run, world: World, verb: str) -> None:
    said = run("-q", verb, "-o", "json")
    (found,) = json.loads(said.out)
    assert found["cluster"] == "demo"
    assert found["status"] == ("in sync" if verb == "apply" else "drifted")
    assert said.code == (0 if verb == "apply" else 3)


def test_a_name_nobody_has(run: Run, world: World) -> None:
    said = run("plan", "dmeo")
    assert (said.code, said.out) == (2, "")
    assert "there is no cluster 'dmeo'" in said.err
    assert "did you mean 'demo'?" in said.err


def test_exit_codes_of_a_cycle(run: Run, world: World) -> None:
    world.fails["terraform"] = Permanent("no quota left", hint="ask for more")
    failed = run("apply", "demo")
    assert failed.code == 1
    assert "no quota left" in failed.out
    world.fails.clear()
    assert run("apply").code == 0
    assert run("drift").code == 0
    world.lose("port", "demo-worker-1")
    assert run("drift").code == 3


def test_a_page_is_written_where_asked(run: Run, world: World, tmp_path: Path) -> None:
    page = tmp_path / "a/b.html"
    assert run("drift", "--html", page).code == 3
    assert page.read_text().startswith("<!doctype html>")


def test_a_page_that_cannot_be_written_is_no_bug_of_ours(run: Run, world: World, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = run("drift", "--html", tmp_path / "file/page.html")
    assert said.code == 2
    assert "cannot write the page" in said.err
    assert "internal" not in said.err


def test_what_a_program_said_is_shown_with_the_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = Evidence("tofu apply", 1, tuple(f"line {n} [red]" for n in range(40)))

    def fails(*_: object) -> None:
        raise Transient("tofu failed", hint="again", evidence=evidence)

    monkeypatch.setattr(App, "at", fails)
    said = run("plan")
    assert said.code == 1
    shown = said.err.splitlines()
    assert (shown[0], shown[1], shown[-1]) == ("error: tofu failed", "  ran: tofu apply", "  hint: again")
    assert shown[2:-1] == [f"  | line {n} [red]" for n in range(28, 40)]


@pytest.mark.parametrize(("error", "code"), [(ZeroDivisionError("x"), 1), (KeyboardInterrupt(), 130)])
def test_a_bug_and_an_interrupt(run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(App, "at", fails)
    said = run("plan")
    assert (said.code, said.out) == (code, "")
    if code == 130:
        assert said.err == "interrupted: run it again, it goes on from where things are\n"
    else:
        assert said.err.startswith("internal error: ZeroDivisionError: x\n")
        assert "RECONCILER_DEBUG=1" in said.err


def test_whoever_looks_for_a_bug_gets_the_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "at", lambda *_: 1 / 0)
    monkeypatch.setenv("RECONCILER_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["reconciler", "plan"])
    with pytest.raises(ZeroDivisionError):
        main()


@pytest.mark.parametrize(
    ("codes", "code"), [([], 0), ([0, 0], 0), ([0, 3], 3), ([3, 4], 4), ([4, 2], 2), ([2, 1, 3], 1)]
)
def test_the_worst_of_several_clusters_counts(codes: list[int], code: int) -> None:
    assert worst(codes) == code


def test_validate_compares_with_what_was_last_applied(run: Run, clone: Path) -> None:
    repository = git.Repo.init(clone)
    applied = [Resource("node", "demo-cp-1", {"version": "1.34.7"})]
    text = record.applied_text(Expected({Component.KUBERNETES: tuple(applied)}))
    GitRepository(clone, author=("a", "a@example.org")).record("demo", {"demo/applied.yaml": text}, "demo: in sync")
    said = run("-C", clone, "validate")
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        "error: the desired state asks for a Kubernetes it can't get",
        f"  {FILE}:27:5 spec.kubernetes.version: Kubernetes goes up one minor at a time: 1.34.7 -> 1.35.x -> 1.36.3",
        "    hint: commit 1.35.x first, let it be applied, then 1.36.3",
    ]
    repository.delete_head("observed", force=True)
    assert run("-C", clone, "validate").code == 0


def test_validate_sees_what_git_will_give(run: Run, clone: Path) -> None:
    (clone / "desired/demo/notes.yaml").symlink_to("/etc/hostname")
    (clone / "manifests/unused").mkdir(parents=True)
    (clone / "manifests/unused/large.yaml").write_bytes(b"#" * (11 << 20))
    said = run("-C", str(clone), "validate")
    assert said.code == 2
    assert "desired/demo/notes.yaml:1:1 desired/demo/notes.yaml is a symbolic link" in said.err
    assert "manifests/unused/large.yaml has more than 10 MiB" in said.err


def test_a_cluster_that_can_not_be_loaded_keeps_no_other_waiting(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = Desired("c0ffee", world.files, (world.desired,), failed={"bad": Invalid("desired/bad has a mistake")})
    monkeypatch.setattr(App, "at", lambda *_: state)
    assert state.names == ("bad", "demo")
    every = run("drift")
    assert (every.code, "desired/bad has a mistake" in every.err, "demo" in every.out) == (2, True, True)
    mine, theirs = run("drift", "demo"), run("drift", "bad")
    assert (mine.code, "bad" in mine.err) == (3, False)
    assert (theirs.code, theirs.out) == (2, "")
