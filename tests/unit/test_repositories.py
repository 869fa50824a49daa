"""Several repositories under one daemon: what is whose is said at its line, and nothing is two's."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import repositories
from reconciler.errors import Invalid
from reconciler.repositories import Places
from reconciler.settings import BackupPlaces, OpenShift, Repository, Settings


def daemon(tmp_path: Path, *entries: dict[str, object], **more: object) -> Path:
    file = tmp_path / "daemon.yaml"
    file.write_text(yaml.safe_dump({**more, "repositories": list(entries)}, sort_keys=False))
    return file


def entry(tmp_path: Path, name: str, **more: object) -> dict[str, Any]:
    return {"name": name, "path": str(tmp_path / name), "settings": str(tmp_path / f"{name}.yaml"), **more}


def own(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "physics.yaml").write_text(text)
    return repositories.own(Repository(**entry(tmp_path, "physics")), Settings(cache=tmp_path / "cache"))


def problems(told: pytest.ExceptionInfo[Invalid]) -> list[tuple[int, str, str]]:
    return [(p.line, p.path, p.message) for p in told.value.problems]


def test_the_daemons_file_says_where_it_listens_and_what_there_is(tmp_path: Path) -> None:
    file = daemon(
        tmp_path, entry(tmp_path, "physics"), entry(tmp_path, "chemistry", ref="origin/main"),
        http={"port": 1}, webhook={"maxBytes": 2048}, daemon={"workers": 3}, state=str(tmp_path), cache="/c",
    )  # fmt: skip
    found = repositories.load(file)
    assert [(each.name, each.ref) for each in found.repositories] == [("physics", None), ("chemistry", "origin/main")]


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"clouds": "/c"}, "clouds"),
        ({"sops": {"keyFile": "/k"}}, "sops"),
        ({"git": {"remote": "origin"}}, "git"),
        ({"fetch": {"hosts": ["*"]}}, "fetch"),
        ({"webhook": {"secretFile": "/s"}}, "webhook.secretFile"),
        ({"webhook": {"secretVariable": "S"}}, "webhook.secretVariable"),
        ({"http": {"tokenVariable": "T"}}, "http.tokenVariable"),
    ],
)
def test_what_is_a_repositorys_own_is_refused_in_the_daemons_file(
    tmp_path: Path, more: dict[str, object], path: str
) -> None:
    with pytest.raises(Invalid) as told:
        repositories.load(daemon(tmp_path, entry(tmp_path, "physics"), **more))
    assert [(line, where) for line, where, _ in problems(told)] == [(1 if "." not in path else 2, path)]


def test_a_repositorys_file_has_all_that_lets_it_in_and_nothing_of_the_daemon(tmp_path: Path) -> None:
    found = own(tmp_path, "clouds: /p/clouds.yaml\nsshKey: /p/key\nwebhook: {secretFile: /p/s}\n")
    assert (found.clouds, found.cache, found.state) == (Path("/p/clouds.yaml"), tmp_path / "cache", None)
    wrong = "clouds: /c\nsshKey: /k\nhttp: {port: 1}\ndaemon: {workers: 1}\nwebhook:\n  perMinute: 5.0\n"
    with pytest.raises(Invalid) as told:
        own(tmp_path, wrong + "terraform:\n  keyVariable: K\n")
    assert [(line, where) for line, where, _ in problems(told)] == [
        (3, "http"), (4, "daemon"), (6, "webhook.perMinute"), (8, "terraform.keyVariable"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "# nothing\n", "clouds: /c\n", "sshKey: /k\n"])
def test_what_would_be_the_users_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid, match=r"names no (clouds|sshKey)"):
        own(tmp_path, text)


@pytest.mark.parametrize("name", ["Physics", "phy/sics", "-p", "p-", "", "p" * 64, "physics\n", "phy.sics", "../p"])
def test_a_name_is_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid):
        repositories.load(daemon(tmp_path, {**entry(tmp_path, "physics"), "name": name}))


def test_a_path_does_not_depend_on_where_the_daemon_starts(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as told:
        repositories.load(daemon(tmp_path, {**entry(tmp_path, "physics"), "path": "physics"}))
    assert "write the whole path" in told.value.problems[0].message


def test_two_are_never_one(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "physics"], check=True)
    (tmp_path / "linked").symlink_to(tmp_path / "physics")
    (tmp_path / "worktree").mkdir()
    own_folder = tmp_path / "physics/.git/worktrees/w"
    own_folder.mkdir(parents=True)
    (own_folder / "commondir").write_text("../..\n")
    (tmp_path / "worktree/.git").write_text(f"gitdir: {own_folder}\n")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    first = entry(tmp_path, "physics")
    for place in ("physics", "linked", "worktree", "physics/teams/chemistry", "physics/.git"):
        with pytest.raises(Invalid) as told:
            repositories.load(daemon(tmp_path, first, {**entry(tmp_path, "c"), "path": str(tmp_path / place)}))
        assert [(line, where) for line, where, _ in problems(told)] == [(6, "repositories.1.path")], place
    with pytest.raises(Invalid) as told:
        repositories.load(daemon(tmp_path, first, {**entry(tmp_path, "other"), "name": "physics"}))
    assert problems(told)[0][1] == "repositories.1.name"
    with pytest.raises(Invalid) as told:
        repositories.load(daemon(tmp_path, first, {**entry(tmp_path, "c"), "settings": first["settings"]}))
    assert problems(told)[0][1] == "repositories.1.settings"
    assert repositories.load(daemon(tmp_path, first, {**entry(tmp_path, "c"), "path": str(tmp_path / "loop")}))


def test_no_folder_and_no_credential_is_two_repositories(tmp_path: Path) -> None:
    backups = BackupPlaces(folder=tmp_path / "backups", identity=tmp_path / "age")
    theirs = Settings(clouds=tmp_path / "clouds.yaml", kubeconfigs=tmp_path / "kube", backups=backups)
    taken = Places()
    taken.take("physics", repositories.places(theirs, tmp_path / "physics", tmp_path / "state/physics"))
    taken.take("physics", repositories.places(theirs, tmp_path / "physics", tmp_path / "state/physics"))
    for shared in (
        Settings(clouds=tmp_path / "clouds.yaml", sshKey=tmp_path / "k"),
        Settings(kubeconfigs=tmp_path / "kube/more", sshKey=tmp_path / "k"),
        Settings(
            openshift={"moc": OpenShift(kubeconfig=tmp_path / "state/physics/demo/x.conf")}, sshKey=tmp_path / "k"
        ),
        Settings(backups=BackupPlaces(folder=tmp_path / "backups"), sshKey=tmp_path / "k"),  # a folder for each cluster
        Settings(backups=BackupPlaces(identity=tmp_path / "age"), sshKey=tmp_path / "k"),
    ):
        with pytest.raises(Invalid, match="of chemistry is"):
            taken.take("chemistry", repositories.places(shared, tmp_path / "chemistry", tmp_path / "state/chemistry"))
    apart = Settings(clouds=tmp_path / "c2.yaml", sshKey=tmp_path / "k2", kubeconfigs=tmp_path / "kube2")
    taken.take("chemistry", repositories.places(apart, tmp_path / "chemistry", tmp_path / "state/chemistry"))
    with pytest.raises(Invalid, match="the state of biology"):
        taken.take("biology", repositories.places(Settings(sshKey=tmp_path / "k3"), tmp_path / "b", tmp_path / "state"))


PHYSICS, CHEMISTRY, BROKEN = (
    Repository(name=name, path=Path(f"/{name}"), settings=Path(f"/{name}.yaml"))
    for name in ("physics", "chemistry", "broken")
)
KNOWN = {PHYSICS: ("demo", "laser"), CHEMISTRY: ("demo",), BROKEN: None}


def test_a_name_is_a_cluster_of_one_repository_or_of_each_that_has_it() -> None:
    several = (PHYSICS, CHEMISTRY)
    assert repositories.chosen(several, (), KNOWN.__getitem__) == {PHYSICS: (), CHEMISTRY: ()}
    assert repositories.chosen(several, ("chemistry/demo",), KNOWN.__getitem__) == {CHEMISTRY: ("demo",)}
    assert repositories.chosen(several, ("demo",), KNOWN.__getitem__) == {PHYSICS: ("demo",), CHEMISTRY: ("demo",)}
    assert repositories.chosen(several, ("laser", "physics/demo"), KNOWN.__getitem__) == {PHYSICS: ("laser", "demo")}
    for unknown in ("nope", "chemistry/laser", "biology/demo", "physics/", "/demo"):
        with pytest.raises(Invalid) as told:
            repositories.chosen(several, (unknown,), KNOWN.__getitem__)
        assert told.value.hint == "there are: physics/demo, physics/laser, chemistry/demo"


def test_what_nobody_can_say_now_is_not_unknown() -> None:
    assert repositories.chosen((PHYSICS, BROKEN), ("broken/x",), KNOWN.__getitem__) == {BROKEN: ("x",)}


def test_nothing_that_lets_anybody_in_stays_in_the_environment() -> None:
    kept = {"PATH": "/bin", "HOME": "/h", "LC_ALL": "C", "XDG_CACHE_HOME": "/c", "https_proxy": "p"}
    gone = ("OS_CLIENT_CONFIG_FILE", "OS_PASSWORD", "SOPS_AGE_KEY", "SSH_AUTH_SOCK", "KUBECONFIG",
            "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "GIT_ASKPASS", "PGPASSWORD", "PHYSICS_HOOK")  # fmt: skip
    environment = {**kept, **dict.fromkeys(gone, "secret")}
    repositories.forget_the_environment(environment)
    assert environment == kept
