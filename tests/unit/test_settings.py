"""What is true of this machine: found in a fixed order, checked like everything else, with defaults that hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler import settings
from reconciler.errors import Invalid
from reconciler.settings import FILE_VARIABLE, Settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "RECONCILER_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_no_file_at_all_is_fine(home: Path) -> None:
    found = settings.load(None, {})
    assert found == Settings()
    assert found.state_folder == home / ".local/state/reconciler"
    assert found.cache_folder == home / ".cache/reconciler"
    assert found.clouds_file is None
    assert found.timeouts.ready == 300


def test_the_file_named_wins_then_the_variable_then_the_users_own(home: Path) -> None:
    named, variable = (written(home / name, f"git: {{remote: {name}}}\n") for name in ("named", "variable"))
    written(home / ".config/reconciler/config.yaml", "git: {remote: users}\n")
    environment = {FILE_VARIABLE: str(variable)}
    assert settings.load(named, environment).git.remote == "named"
    assert settings.load(None, environment).git.remote == "variable"
    assert settings.load(None, {FILE_VARIABLE: ""}).git.remote == "users"


def test_a_whole_file(home: Path) -> None:
    text = """\
        clouds: ~/clouds.yaml
        sshKey: /etc/key
        tools: {tofu: /opt/tofu}
        openshift:
          moc: {kubeconfig: ~/moc, context: admin}
          own: {cluster: demo}
        state: /var/lib/reconciler
        timeouts: {cloud: 5, playbook: 60.5}
        """
    found = settings.load(written(home / "c.yaml", text), {})
    assert found.clouds_file == home / "clouds.yaml"
    assert found.ssh_key == Path("/etc/key")
    assert found.tools == {"tofu": Path("/opt/tofu")}
    assert found.openshift["moc"].kubeconfig == home / "moc"
    assert found.openshift["own"].cluster == "demo"
    assert found.state_folder == Path("/var/lib/reconciler")
    assert (found.timeouts.cloud, found.timeouts.playbook, found.timeouts.terraform) == (5, 60.5, 3600)


def test_the_environment_says_where_clouds_and_cache_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", "/a/clouds.yaml")
    monkeypatch.setenv("RECONCILER_CACHE", "/a/cache")
    assert Settings().clouds_file == Path("/a/clouds.yaml")
    assert Settings().cache_folder == Path("/a/cache")


@pytest.mark.parametrize(
    ("text", "line", "path", "message"),
    [
        ("a: [", 1, "", "broken YAML"),
        ("git:\n  remtoe: x\n", 2, "git.remtoe", "unknown key"),
        ("git:\n  leaseSeconds: 3601\n", 2, "git.leaseSeconds", "3600"),
        ("git:\n  acceptRewrite: main\n", 2, "git.acceptRewrite", ""),
        ("git:\n  acceptRewrite: c0ffee\n", 2, "git.acceptRewrite", ""),
        ("ssh_key: x\n", 1, "ssh_key", "unknown key"),
        ("timeouts:\n  cloud: 0\n", 2, "timeouts.cloud", "greater than 0"),
        ("timeouts:\n  cloud: soon\n", 2, "timeouts.cloud", "found 'soon'"),
        ("clouds: [a]\n", 1, "clouds", "expected a path, found a list"),
        ("- a\n", 1, "", "expected a mapping"),
        ("git: {}\n---\ngit: {}\n", 3, "", "second document"),
    ],
)
def test_a_mistake_has_its_line(home: Path, text: str, line: int, path: str, message: str) -> None:
    file = written(home / "c.yaml", text)
    with pytest.raises(Invalid) as caught:
        settings.load(file, {})
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.path) == (str(file), line, path)
    assert message in problem.message


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_is_named_must_be_there(home: Path, name: str) -> None:
    with pytest.raises(Invalid, match="cannot read the settings") as caught:
        settings.load(home / name, {})
    assert caught.value.hint == "--config names the file"


def test_an_empty_file_says_nothing(home: Path) -> None:
    assert settings.load(written(home / "c.yaml", "# nothing yet\n"), {}) == Settings()


def test_kubespray_is_a_folder_or_comes_from_a_mirror(home: Path) -> None:
    found = settings.load(written(home / "c", "kubespray: ~/k\nkubesprayMirror: https://git.invalid/k\n"), {})
    assert found.kubespray == home / "k"
    assert found.kubespray_mirror == "https://git.invalid/k"
    with pytest.raises(Invalid):
        settings.load(written(home / "c", 'kubesprayMirror: ""\n'), {})


def test_a_key_for_records_is_none_for_desired_state(home: Path) -> None:
    text = "git: {{signers: {{ssh: /a}}, recordSigners: {{ssh: {}}}, recordsFrom: {}}}\n"
    good = settings.load(written(home / "a.yaml", text.format("/b", "c" * 40)), {}).git
    assert (good.record_signers.ssh, good.records_from) == (Path("/b"), "c" * 40)
    for records, since in (("/a", "c" * 40), ("/b", "main"), ("/b", "c" * 39)):
        with pytest.raises(Invalid):
            settings.load(written(home / "b.yaml", text.format(records, since)), {})
    with pytest.raises(Invalid):
        settings.load(written(home / "c.yaml", f"git: {{recordsFrom: {'c' * 40}}}\n"), {})
