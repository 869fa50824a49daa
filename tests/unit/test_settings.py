"""What is true of this machine: found in a fixed order, checked like everything else, with defaults that hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler import settings
from reconciler.errors import Invalid
from reconciler.model.hosts import Hosts
from reconciler.serve.access import Access
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


def test_variables_that_git_may_set_are_named_as_ansible_names_them(home: Path) -> None:
    named = written(home / "c.yaml", "ansible: {allowVariables: [ansible_connection, dl_k8s_io_url]}\n")
    assert settings.load(named, {}).ansible.allow_variables == ("ansible_connection", "dl_k8s_io_url")
    assert Settings().ansible.allow_variables == ()
    for wrong in ("[a-b]", "['*']", "['{{ x }}']", "all", "[1]"):
        with pytest.raises(Invalid):
            settings.load(written(home / "d.yaml", f"ansible: {{allowVariables: {wrong}}}\n"), {})


def test_who_may_read_the_daemon(home: Path) -> None:
    text = """\
        http:
          address: 0.0.0.0
          names: [daemon.example.org, "2001:db8::1"]
          tokenFile: ~/token
          proxy: {addresses: [10.0.0.7, "2001:db8::/64"], userHeader: X-Auth-Request-User, groups: [ops]}
        """
    http = settings.load(written(home / "c.yaml", text), {}).http
    assert http.access.proxy
    assert http.access.proxy.speaks("10.0.0.7")
    assert not http.access.proxy.speaks("10.0.0.8")
    assert http.access.proxy.groups_header == "X-Forwarded-Groups"
    assert (http.access.guarded, http.access.closed, http.token.file) == (True, False, home / "token")
    assert Settings().http.access == Access("127.0.0.1")


@pytest.mark.parametrize(
    "text",
    [
        "{names: ['https://daemon.example.org']}", "{names: ['daemon:8484']}", "{proxy: {groups: [a]}}",
        "{proxy: {addresses: [10.0.0.1]}}", "{proxy: {addresses: [10.0.0.1], groups: []}}",
        "{proxy: {addresses: [proxy.example.org], groups: [a]}}", "{proxy: {addresses: ['10.0.0.0/99'], groups: [a]}}",
        "{proxy: {addresses: [10.0.0.1], groups: [a], userHeader: 'X User'}}", "{maxConnections: 0}", "{perAddress: 1}",
    ],
)  # fmt: skip
def test_what_is_no_name_and_no_proxy_is_a_mistake_with_its_line(home: Path, text: str) -> None:
    with pytest.raises(Invalid) as told:
        settings.load(written(home / "c.yaml", f"http: {text}\n"), {})
    assert told.value.problems[0].line == 1


def test_keys_of_sops_are_used_where_they_are_named(home: Path) -> None:
    assert not any(Settings().sops.named.values())
    others = "pgp: [85D7], gcpKms: [projects/a], azureKv: [a], hcVault: ['https://v:8200'], kms: [b]"
    text = f"sops: {{keyFile: ~/age, {others}}}\n"
    found = settings.load(written(home / "c", text), {}).sops
    assert found.key_file == home / "age"
    assert found.named == {
        "pgp": {"85D7"}, "gcp_kms": {"projects/a"}, "azure_kv": {"a"}, "hc_vault": {"https://v:8200"}, "kms": {"b"},
    }  # fmt: skip


def test_hosts_that_may_be_asked(home: Path) -> None:
    assert Settings().fetch.allowed == Hosts()
    text = "fetch: {hosts: ['*.example.org', 'charts.example.org:8443', 10.0.0.0/8, '*']}\n"
    found = settings.load(written(home / "c", text), {}).fetch.allowed
    assert found == Hosts.of("*.example.org", "charts.example.org:8443", "10.0.0.0/8", "*")
    with pytest.raises(Invalid) as caught:
        settings.load(written(home / "c", "fetch:\n  hosts:\n  - a.org\n  - https://b.org\n"), {})
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (4, "fetch.hosts.1")
    assert "'https://b.org' is no host: a name, *.example.org" in problem.message


def test_a_key_for_records_is_none_for_desired_state(home: Path) -> None:
    text = "git: {{signers: {{ssh: /a}}, recordSigners: {{ssh: {}}}, recordsFrom: {}}}\n"
    good = settings.load(written(home / "a.yaml", text.format("/b", "c" * 40)), {}).git
    assert (good.record_signers.ssh, good.records_from) == (Path("/b"), "c" * 40)
    for records, since in (("/a", "c" * 40), ("/b", "main"), ("/b", "c" * 39)):
        with pytest.raises(Invalid):
            settings.load(written(home / "b.yaml", text.format(records, since)), {})
    with pytest.raises(Invalid):
        settings.load(written(home / "c.yaml", f"git: {{recordsFrom: {'c' * 40}}}\n"), {})


def test_what_lets_us_in_where_the_state_is_kept_is_a_private_file(home: Path) -> None:
    file = written(home / "state.env", "# of the bucket\nAWS_ACCESS_KEY_ID=a\n\nAWS_SECRET_ACCESS_KEY=b=c \n")
    found = settings.load(written(home / "c.yaml", f"terraform: {{stateCredentials: {file}}}\n"), {}).terraform
    with pytest.raises(Invalid, match="others can read"):
        found.variables()
    file.chmod(0o600)
    assert found.variables() == {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b=c"}
    assert Settings().terraform.variables() is None
    for wrong in ("export A=b", "A", "=b"):
        file.write_text(f"{wrong}\n")
        with pytest.raises(Invalid, match="NAME=value"):
            found.variables()
    file.unlink()
    with pytest.raises(Invalid, match="cannot read"):
        found.variables()


def test_a_path_is_meant_from_where_we_are_started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs run in other folders, and are given paths as they stand here."""
    monkeypatch.chdir(home)
    found = settings.load(written(home / "c.yaml", "state: state\nclouds: ./here/clouds.yaml\n"), {})
    assert (found.state_folder, found.clouds_file) == (home / "state", home / "here/clouds.yaml")
