"""The composition root: what a commit says and what the settings say meet in the adapters."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler import process
from reconciler.app import App
from reconciler.control.claims import Claims
from reconciler.control.cycle import Moment
from reconciler.control.one_cycle import one_cycle
from reconciler.control.revision import Desired, Purpose, revision
from reconciler.control.take import Taken
from reconciler.errors import Blocked, Invalid, Permanent, Transient
from reconciler.model.resource import Known, Resource, Unknown
from reconciler.ports import CloudSnapshot, Playbook
from reconciler.progress import QuietProgress
from reconciler.serve.autoscaler import Ground
from reconciler.settings import Git, OpenShift, Settings, Signers
from reconciler.spec.render import objects
from reconciler.toolchain import Toolbox

from .control.scene import Watched
from .examples import CLUSTER, FILE, application, cluster

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "{}"}}}}]
users: [{{name: u, user: {{token: of-nobody}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
"""
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
    """They lie below the state of a clone: another clone has none, and without the key none can be had."""
    server = Resource("server", "demo-cp-1", {"address": "192.0.2.1", "fixed_ip": "10.20.0.1"}, "1", "demo")

    class Empty:
        def observe(self, _: object) -> CloudSnapshot:
            return CloudSnapshot({"server": Known((server,))}, Known(), Known(), Known(), Known())

        def console(self, _: str) -> Unknown:
            return Unknown("not for you")

    committed(tmp_path / "repo", "v7.0.0")
    app = App(Settings(state=tmp_path / "state", sshKey=tmp_path / "none"), tmp_path / "repo", QuietProgress())
    monkeypatch.setattr(app, "_cloud", lambda _: Empty())
    nodes = app._seen(Ground(cluster())).nodes
    assert isinstance(nodes, Unknown)
    assert nodes.reason.startswith("there is no kubeconfig of demo here, and there is no private key ")
    assert "`kubeconfigs`" in (nodes.hint or "")


def test_an_import_waits_for_a_cycle_of_the_same_name(tmp_path: Path) -> None:
    committed(tmp_path / "repo", "v7.0.0")
    app = App(Settings(state=tmp_path / "state"), tmp_path / "repo", QuietProgress())
    (desired,) = app.at("HEAD").clusters
    found = Taken(FILE, CLUSTER, (), desired, {"openstack_networking_network_v2.network": "1"}, (), "", ())
    with one_cycle(app.toolkit.state, desired.name), pytest.raises(Transient, match="another cycle for 'demo'"):
        app.take(found)


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


SEALED = "ENC[AES256_GCM,data:YWJj,iv:YWJj,tag:YWJj,type:str]"
SECRET = f"""\
apiVersion: v1
kind: Secret
metadata: {{name: s}}
data:
  word: {SEALED}
sops:
  mac: {SEALED}
  age: [{{recipient: age1x, enc: x}}]
"""


class TestSigners:
    """Where only signed commits count, the signature is looked at before anything is opened, built or fetched."""

    @pytest.fixture
    def app(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
        key = tmp_path / "ada"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        (tmp_path / "allowed").write_text(f"ada {key.with_suffix('.pub').read_text()}")
        more = {
            FILE: CLUSTER + "  workloads: [{name: w, path: manifests/w, namespace: a}]\n",
            "manifests/w/s.yaml": SECRET,
        }
        committed(tmp_path / "repo", "v7.0.0", more)
        settings = Settings(
            git=Git(signers=Signers(ssh=tmp_path / "allowed")), state=tmp_path / "state", cache=tmp_path / "cache"
        )
        made = App(settings, tmp_path / "repo", QuietProgress())

        def ensure(*names: str) -> None:
            raise AssertionError(f"{names} were got")

        monkeypatch.setattr(made.toolbox, "ensure", ensure)
        return made

    def signed(self, app: App) -> str:
        repo, key = str(app.path), app.path.parent / "ada"
        settings = [
            "-c",
            "user.name=ada",
            "-c",
            "user.email=ada",
            "-c",
            "gpg.format=ssh",
            "-c",
            f"user.signingKey={key}",
        ]
        subprocess.run(["git", "-C", repo, *settings, "commit", "-q", "--amend", "--no-edit", "-S"], check=True)
        return subprocess.check_output(["git", "-C", repo, "rev-parse", "HEAD"], text=True).strip()

    def test_an_unsigned_commit_is_not_read_to_be_applied(self, app: App) -> None:
        with pytest.raises(Blocked, match="is not signed"):
            app.at("HEAD", Purpose.APPLY)

    def test_an_unsigned_commit_can_be_looked_at_and_stays_closed(self, app: App) -> None:
        state = app.at("HEAD")
        (manifest,) = objects.workloads(state.clusters[0], state.files)
        assert manifest["data"] == {"word": "c2VhbGVk"}
        assert "sops" not in manifest

    def test_what_decides_more_than_a_secret_is_not_looked_at_closed(self, app: App) -> None:
        text = CLUSTER + f"# {SEALED}\nsops:\n  mac: {SEALED}\n"
        committed(app.path, "v8.0.0", {FILE: text})
        (error,) = app.at("HEAD").failed.values()
        assert isinstance(error, Invalid)
        assert "sops" in str(error.problems)

    def test_a_signed_commit_is_opened(self, app: App) -> None:
        self.signed(app)
        for purpose in Purpose:
            with pytest.raises(AssertionError, match="sops"):
                app.at("HEAD", purpose)

    def test_the_daemon_opens_nothing_of_an_unsigned_commit(self, app: App) -> None:
        reader = app.ways(Watched(), lambda _: QuietProgress()).reader
        with pytest.raises(Blocked, match="is not signed"):
            reader.read(revision(app.repository, "HEAD", None), "demo")
        self.signed(app)
        with pytest.raises(AssertionError, match="sops"):
            reader.read(revision(app.repository, "HEAD", None), "demo")


class Project:
    """A cloud that says which project it lets us in to, or does not answer."""

    def __init__(self, id_: str) -> None:
        self.id = id_

    def project(self) -> str:
        if not self.id:
            raise Transient("the cloud does not answer")
        return self.id


def test_a_clusters_name_is_one_repositorys_in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of one name in one project would take each other's machines for their own."""

    claims, cloud, cycles = Claims(tmp_path / "claims.json", frozenset({"physics", "chemistry"})), Project("1"), []
    for name in ("physics", "chemistry"):
        committed(tmp_path / name, "v7.0.0")
        app = App(Settings(state=tmp_path / "state", cache=tmp_path), tmp_path / name, QuietProgress(), name, claims)
        monkeypatch.setattr(app, "_cloud", lambda _: cloud)
        cycles.append((app, app.at("HEAD")))
    (first, wanted), (second, same) = cycles
    second.cycle(same, same.clusters[0])  # who only looks takes nothing
    first.cycle(wanted, wanted.clusters[0], take=True)
    with pytest.raises(Blocked, match="chemistry/demo is in the project 1, where physics/demo is"):
        second.cycle(same, same.clusters[0])
    cloud.id = ""
    blind = second.cycle(same, same.clusters[0])
    with pytest.raises(Transient):
        blind.told(Moment.APPLYING)
    cloud.id = "2"
    blind.told(Moment.APPLYING)


def test_and_on_an_openshift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the API's address, whatever the targets and the files are called."""

    def opened(name: str, server: str) -> tuple[App, Desired]:
        kubeconfig = tmp_path / f"{name}.kubeconfig"
        kubeconfig.write_text(KUBECONFIG.format(server))
        committed(tmp_path / name, "v7.0.0", {"desired/demo/applications/web.yaml": application("web")})
        settings = Settings(state=tmp_path / "state", openshift={"moc": OpenShift(kubeconfig=kubeconfig)})
        app = App(settings, tmp_path / name, QuietProgress(), name, claims)
        monkeypatch.setattr(app, "_cloud", lambda _: Project(name))
        return app, app.at("HEAD")

    claims = Claims(tmp_path / "claims.json", frozenset({"physics", "chemistry", "biology"}))
    for name, server in (("physics", "https://api.moc.example:6443"), ("biology", "https://api.other.example:6443")):
        app, wanted = opened(name, server)
        app.cycle(wanted, wanted.clusters[0], take=True)
    app, wanted = opened("chemistry", "https://API.moc.example:6443/")
    with pytest.raises(Blocked, match=r"in the OpenShift https://api\.moc\.example:6443, where physics/demo is"):
        app.cycle(wanted, wanted.clusters[0])


FLEET = "apiVersion: research.moc/v1alpha1\nkind: Fleet\nmetadata: {name: moc}\nspec: {state: {s3: {bucket: lab}}}\n"


def test_and_among_terraforms_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prefix has a default: two teams in one bucket, in two projects, would write one state."""
    claims = Claims(tmp_path / "claims.json", frozenset({"physics", "chemistry"}))

    def opened(name: str) -> tuple[App, Desired]:
        committed(tmp_path / name, "v7.0.0", {"desired/fleet.yaml": FLEET})
        app = App(Settings(state=tmp_path / "state"), tmp_path / name, QuietProgress(), name, claims)
        monkeypatch.setattr(app, "_cloud", lambda _: Project(name))
        return app, app.at("HEAD")

    app, wanted = opened("physics")
    app.cycle(wanted, wanted.clusters[0], take=True)
    app, wanted = opened("chemistry")
    with pytest.raises(Blocked, match=r"chemistry/demo is in Terraform's states in lab/reconciler, where physics/demo"):
        app.cycle(wanted, wanted.clusters[0])


def test_a_name_stays_taken_when_something_else_than_what_is_followed_is_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = Claims(tmp_path / "claims.json", frozenset({"physics", "chemistry"}))
    before = committed(tmp_path / "physics", "v7.0.0")
    committed(tmp_path / "physics", "v7.0.1", {FILE.replace("demo", "laser"): CLUSTER.replace("demo", "laser")})
    app = App(Settings(state=tmp_path / "state"), tmp_path / "physics", QuietProgress(), "physics", claims)
    monkeypatch.setattr(app, "_cloud", lambda _: Project("1"))
    wanted = app.at("HEAD", Purpose.APPLY)
    app.cycle(wanted, next(c for c in wanted.clusters if c.name == "laser"), take=True)
    app.at(before, Purpose.APPLY)
    with pytest.raises(Blocked):
        claims.check("chemistry", "laser", ["the project 1"])
    subprocess.run(["git", "-C", str(tmp_path / "physics"), "reset", "-q", "--hard", before], check=True)
    app.at("HEAD", Purpose.APPLY)
    claims.check("chemistry", "laser", ["the project 1"])
