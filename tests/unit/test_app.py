"""The composition root: what a commit says and what the settings say meet in the adapters."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler import process
from reconciler.app import App
from reconciler.errors import Permanent
from reconciler.model.resource import Known, Unknown
from reconciler.ports import CloudSnapshot, Playbook
from reconciler.progress import QuietProgress
from reconciler.serve.autoscaler import Ground
from reconciler.settings import Git, Settings
from reconciler.spec.render import objects
from reconciler.toolchain import Toolbox

from .examples import CLUSTER, FILE, cluster

VERSION = "tag: {}\ncommit: 1c9add48975060f45396b34d8e022c30d7f80dab\n"


def committed(repo: Path, tag: str, more: Mapping[str, str] = {}) -> str:
    for path, text in {FILE: CLUSTER, "kubespray/version.yaml": VERSION.format(tag), **more}.items():
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / path).write_text(text)
    git = ["git", "-C", str(repo), "-c", "user.name=t", "-c", "user.email=t@localhost"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", tag]):
        subprocess.run([*git, *arguments], check=True)
    return subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()


def test_the_commit_says_which_kubespray_and_the_settings_from_where(tmp_path: Path) -> None:
    (tmp_path / "key").touch(mode=0o600)
    mirror = str(tmp_path / "no-mirror")
    settings = Settings(
        sshKey=tmp_path / "key", kubesprayMirror=mirror, state=tmp_path / "state", cache=tmp_path / "cache"
    )
    commits = {tag: committed(tmp_path / "repo", tag) for tag in ("v7.0.0", "v8.0.0")}
    app = App(settings, tmp_path / "repo", QuietProgress())
    for tag, commit in commits.items():
        state = app.at(commit)
        kubespray = app.cycle(state, state.clusters[0]).tools.kubespray
        with pytest.raises(Permanent, match=f"{tag} can't be cloned from {mirror}"):
            kubespray.run("demo", Playbook("cluster.yml", {}), QuietProgress())


def test_nodes_are_unknown_to_the_autoscaler_where_no_kubeconfig_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lie below the state of a clone: another clone has none, and the cluster has nodes all the same."""

    class Empty:
        def observe(self, _: object) -> CloudSnapshot:
            return CloudSnapshot({"server": Known()}, Known(), Known(), Known(), Known())

    committed(tmp_path / "repo", "v7.0.0")
    app = App(Settings(state=tmp_path / "state"), tmp_path / "repo", QuietProgress())
    monkeypatch.setattr(app, "_cloud", lambda _: Empty())
    nodes = app._seen(Ground(cluster())).nodes
    assert isinstance(nodes, Unknown)
    assert "there is no kubeconfig" in nodes.reason
    assert "`kubeconfigs`" in (nodes.hint or "")


def test_leases_last_as_long_as_the_settings_say_and_need_a_remote(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    committed(repo, "v7.0.0")
    terms = App(Settings(git=Git(leaseSeconds=90.0)), repo, QuietProgress()).toolkit.leases
    assert terms is not None
    assert (terms.seconds, terms.store.shared()) == (90, False)
    subprocess.run(["git", "-C", str(repo), "remote", "add", "origin", "elsewhere"], check=True)
    assert terms.store.shared()


def test_a_kustomize_folder_is_the_commits_and_known_it_starts_no_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = Toolbox(Settings().cache_folder, progress=QuietProgress()).find("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not here, and building it takes minutes: `reconciler tools kubectl` does so")
    repo, patch = tmp_path / "repo", "namePrefix: {}-\nresources: [a.yaml]\n"
    more = {
        FILE: CLUSTER + "  workloads: [{name: w, path: manifests/w}]\n",
        "manifests/w/kustomization.yaml": patch.format("one"),
        "manifests/w/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    }
    commit = committed(repo, "v1.0.0", more)
    (repo / "manifests/w/kustomization.yaml").write_text(patch.format("two"))
    settings = Settings(state=tmp_path / "state", cache=tmp_path / "cache", tools={"kubectl": kubectl.path})

    def names(app: App, ref: str) -> list[str]:
        state = app.at(ref) if ref else app.working_tree()
        return [str(objects.key(m)) for m in objects.workloads(state.clusters[0], state.files)]

    app = App(settings, repo, QuietProgress())
    assert names(app, commit) == ["ConfigMap default/one-a"]
    assert names(app, "") == ["ConfigMap default/two-a"]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(process, "run", refuse)
    again = App(settings, repo, QuietProgress())
    assert [*names(again, commit), *names(again, "")] == ["ConfigMap default/one-a", "ConfigMap default/two-a"]
