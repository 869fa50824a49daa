"""What clouds.yaml means is settled once, by the SDK's rules, and what could mean two things is refused by name."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import login_file
from reconciler.adapters.openstack.resolve import resolve, written
from reconciler.errors import Invalid, Permanent
from reconciler.model.login import Login

CREDENTIAL = {"application_credential_id": "an-id", "application_credential_secret": "hush"}
URL = "https://keystone.example/v3"
PASSWORD = {"auth_url": URL, "username": "ada", "password": "hush", "project_name": "physics"}


@pytest.fixture(autouse=True)
def nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file and no variable of the machine the tests run on."""
    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    for name in ("OS_CLIENT_SECURE_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def clouds(folder: Path, entry: dict[str, Any], name: str = "clouds.yaml") -> Path:
    file = folder / name
    file.write_text(yaml.safe_dump({"clouds": {"moc": entry}}))
    return file


def of(folder: Path, **entry: Any) -> Login:
    whole = {"auth_type": "v3applicationcredential", "auth": {"auth_url": URL, **CREDENTIAL}, **entry}
    return resolve("moc", clouds(folder, whole), 30)[1]


def refused(folder: Path, **entry: Any) -> Invalid:
    with pytest.raises(Invalid) as caught:
        of(folder, **entry)
    assert "hush" not in f"{caught.value.message}{caught.value.hint}"
    assert "'moc'" in caught.value.message
    return caught.value


def test_an_application_credential(tmp_path: Path) -> None:
    login = of(tmp_path, region_name="RegionOne")
    assert login == Login("moc", "v3applicationcredential", {"auth_url": URL, **CREDENTIAL}, "RegionOne")
    assert login.document() == {
        "clouds": {
            "moc": {
                "auth_type": "v3applicationcredential",
                "auth": {"auth_url": URL, **CREDENTIAL},
                "interface": "public",
                "verify": True,
                "region_name": "RegionOne",
            }
        }
    }


@pytest.mark.parametrize(
    "entry",
    [
        {"regions": ["RegionOne"]},
        {"regions": [{"name": "RegionOne"}]},
        {"regions": ["other", "RegionOne"], "region_name": "RegionOne"},
        {"regions": [{"name": "other"}, {"name": "RegionOne", "values": {}}], "region_name": "RegionOne"},
    ],
)
def test_one_region_is_meant(tmp_path: Path, entry: dict[str, Any]) -> None:
    assert of(tmp_path, **entry).region == "RegionOne"


@pytest.mark.parametrize(
    "entry",
    [
        {"regions": ["other", "RegionOne"]},
        {"regions": [{"name": "other"}, {"name": "RegionOne"}]},
        {"region_name": "other,RegionOne"},
        {"region_name": ["other", "RegionOne"]},
    ],
)
def test_several_regions_are_refused_by_name(tmp_path: Path, entry: dict[str, Any]) -> None:
    error = refused(tmp_path, **entry)
    assert "several regions in clouds.yaml: other, RegionOne" in error.message
    assert "`region_name`" in (error.hint or "")


def test_a_region_that_is_none_of_them(tmp_path: Path) -> None:
    assert "'RegionTwo' is none of its regions: other, RegionOne" in (
        refused(tmp_path, regions=["other", "RegionOne"], region_name="RegionTwo").message
    )


@pytest.mark.parametrize(
    "regions", ["RegionOne", [{"values": {"auth": {"password": "hush"}}}], [{"name": "a", "b": 1}]]
)
def test_what_is_no_list_of_regions_is_not_repeated(tmp_path: Path, regions: object) -> None:
    assert "`regions` of clouds.yaml is no list" in refused(tmp_path, regions=regions).message


def test_what_a_region_says_of_itself(tmp_path: Path) -> None:
    values = {"auth": {"auth_url": URL}, "verify": False, "interface": "internalURL"}
    entry = {
        "auth_type": "v3applicationcredential",
        "auth": CREDENTIAL,
        "regions": [{"name": "north", "values": values}],
    }
    login = resolve("moc", clouds(tmp_path, entry), 30)[1]
    assert (login.auth["auth_url"], login.region, login.verify, login.interface) == (URL, "north", False, "internal")


def test_the_region_within_the_url(tmp_path: Path) -> None:
    auth = {"auth_url": "https://{region_name}.example/v3", **CREDENTIAL}
    assert of(tmp_path, auth=auth, region_name="north").auth["auth_url"] == "https://north.example/v3"


def test_secure_yaml_beside_it(tmp_path: Path) -> None:
    clouds(tmp_path, {"auth": {"password": "hush"}}, "secure.yaml")
    auth = {key: value for key, value in PASSWORD.items() if key != "password"}
    login = of(tmp_path, auth_type="password", auth={**auth, "user_domain_name": "Default"})
    assert login.auth == {**PASSWORD, "user_domain_name": "Default"}
    assert "hush" not in repr(login)


def test_secure_yaml_that_a_variable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hidden").mkdir()
    file = clouds(tmp_path / "hidden", {"auth": {"application_credential_secret": "hush"}}, "mine.yaml")
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(file))
    login = of(tmp_path, auth={"auth_url": URL, "application_credential_id": "an-id"})
    assert login.auth == {"auth_url": URL, **CREDENTIAL}


@pytest.mark.parametrize("name", ["secure.yaml", "clouds-public.yaml", "clouds.yaml"])
def test_a_file_of_the_clone_decides_nothing(tmp_path: Path, name: str) -> None:
    theirs = {"auth": {"auth_url": "https://thief.example/v3"}}
    file = Path(name)
    file.write_text(yaml.safe_dump({"clouds": {"moc": theirs}, "public-clouds": {"moc": theirs}}))
    assert of(tmp_path).auth["auth_url"] == URL
    with pytest.raises(Invalid, match="nobody knows the profile"):
        of(tmp_path, profile="moc")


def test_beside_other_repositories_only_files_beside_its_own_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's own folder is every repository's."""
    (tmp_path / "usual").mkdir()
    monkeypatch.setattr("openstack.config.loader.CONFIG_SEARCH_PATH", ["", str(tmp_path / "usual")])
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(tmp_path / "usual/named.yaml"))
    for name in ("secure.yaml", "named.yaml"):
        clouds(tmp_path / "usual", {"auth": {"application_credential_secret": "another's"}}, name)
    file = clouds(tmp_path, {"auth_type": "v3applicationcredential", "auth": {"auth_url": URL, **CREDENTIAL}})
    assert resolve("moc", file, 30)[1].auth["application_credential_secret"] == "another's"
    assert resolve("moc", file, 30, alone=False)[1].auth["application_credential_secret"] == "hush"
    with pytest.raises(Permanent, match=r"no clouds\.yaml was found"):
        resolve("moc", None, 30, alone=False)
    clouds(tmp_path, {"auth": {"application_credential_secret": "its own"}}, "secure.yaml")
    assert resolve("moc", file, 30, alone=False)[1].auth["application_credential_secret"] == "its own"


def test_a_profile_of_the_machines_own(tmp_path: Path) -> None:
    public = {"public-clouds": {"physics": {"auth": {"auth_url": URL}, "region_name": "north"}}}
    (tmp_path / "clouds-public.yaml").write_text(yaml.safe_dump(public))
    login = of(tmp_path, auth=CREDENTIAL, profile="physics")
    assert (login.auth["auth_url"], login.region) == (URL, "north")


def test_a_profile_of_the_sdks(tmp_path: Path) -> None:
    error = refused(tmp_path, auth=CREDENTIAL, profile="catalyst")
    assert "several regions in clouds.yaml: nz-por-1, nz_wlg_2" in error.message
    login = of(tmp_path, auth=CREDENTIAL, profile="catalyst", region_name="nz-por-1")
    assert (login.auth["auth_url"], login.region) == ("https://api.cloud.catalyst.net.nz:5000/v2.0", "nz-por-1")


@pytest.mark.parametrize("profile", ["https://thief.example", "http://thief.example/x", "//thief.example", "vexxhost"])
@pytest.mark.parametrize("word", ["profile", "cloud"])
def test_no_profile_is_fetched(tmp_path: Path, profile: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openstack.config.vendors.requests.get", lambda *_, **__: pytest.fail("fetched"))
    assert "would be fetched from" in refused(tmp_path, auth=CREDENTIAL, **{word: profile}).message


def test_paths_are_whole_and_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("authority.pem").touch()
    Path("pair.pem").touch()
    login = of(tmp_path, cacert="authority.pem", cert="pair.pem")
    assert login.cacert == str(tmp_path / "clone/authority.pem")
    assert login.cert == login.key == str(tmp_path / "clone/pair.pem")
    assert "cacert of clouds.yaml names gone.pem, which is not there" in refused(tmp_path, cacert="gone.pem").message
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "authority.pem")
    assert of(tmp_path).cacert == str(tmp_path / "clone/authority.pem")


@pytest.mark.parametrize("entry", [{"insecure": True}, {"insecure": "true"}, {"verify": False}])
def test_no_check_of_certificates(tmp_path: Path, entry: dict[str, Any]) -> None:
    assert of(tmp_path, **entry).verify is False


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"auth_type": "v3oidcpassword"}, "auth_type v3oidcpassword is none that Terraform knows"),
        ({"auth_type": "password"}, "has an application credential, and auth_type password"),
        ({"auth": CREDENTIAL}, "there is no auth_url"),
        ({"compute_endpoint_override": "https://nova.example"}, "compute_endpoint_override of clouds.yaml"),
        ({"network_region_name": "south", "region_name": "north"}, "network_region_name of clouds.yaml (south)"),
        ({"interface": ["internal", "public"]}, "interface of clouds.yaml is internal, public"),
    ],
)
def test_what_only_the_sdk_knows_is_refused_by_name(tmp_path: Path, entry: dict[str, Any], said: str) -> None:
    assert said in refused(tmp_path, **entry).message


def test_domains(tmp_path: Path) -> None:
    def auth(**more: str) -> dict[str, str]:
        told = of(tmp_path, auth_type="password", auth={**PASSWORD, **more}).auth
        return {key: value for key, value in told.items() if "domain" in key}

    assert auth(domain_name="Default") == {"project_domain_name": "Default", "user_domain_name": "Default"}
    assert auth(default_domain_id="default") == {"project_domain_id": "default", "user_domain_id": "default"}
    assert auth(user_domain_id="u", project_domain_name="p") == {"user_domain_id": "u", "project_domain_name": "p"}


def test_no_such_cloud(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"cloud 'other' is not in clouds\.yaml"):
        resolve("other", clouds(tmp_path, {}), 30)
    with pytest.raises(Permanent, match="there is no"):
        resolve("moc", tmp_path / "gone.yaml", 30)


@pytest.mark.parametrize("text", ["clouds: []", "clouds: {moc: null}", "clouds: {moc: 3}", "clouds: {moc: [a]}"])
def test_what_is_no_cloud(tmp_path: Path, text: str) -> None:
    (tmp_path / "clouds.yaml").write_text(text)
    with pytest.raises(Invalid, match=r"cloud 'moc'.*clouds\.yaml"):
        resolve("moc", tmp_path / "clouds.yaml", 30)


@pytest.mark.parametrize(
    "entry",
    [{"auth": None}, {"auth": ["hush"]}, {"auth": "hush"}, {"profile": ["hush"]}, {"regions": 3}],
)
def test_what_is_of_another_kind_is_told_in_words(tmp_path: Path, entry: dict[str, Any]) -> None:
    refused(tmp_path, **entry)


def test_a_new_credential_is_seen(tmp_path: Path) -> None:
    file = clouds(tmp_path, {"auth_type": "v3applicationcredential", "auth": {"auth_url": URL, **CREDENTIAL}})
    found, _ = resolve("moc", file, 30)
    before = written(found)
    os.utime(file, ns=(1, 1))
    assert written(found) != before


def test_the_file_of_a_run_is_private_and_goes_with_it(tmp_path: Path) -> None:
    login = of(tmp_path, region_name="north", interface="internal")
    (tmp_path / "login").mkdir()
    (tmp_path / "login/left").touch()  # by a run that was killed
    with login_file.given(login, tmp_path) as variables:
        file = Path(variables["OS_CLIENT_CONFIG_FILE"])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        assert [f.name for f in file.parent.iterdir()] == ["clouds.yaml"]
        assert json.loads(file.read_text()) == login.document()
        assert "hush" not in str(variables)
        assert variables["OS_ENDPOINT_TYPE"] == "internal"
    assert not file.parent.exists()


def test_without_a_login_there_is_no_file(tmp_path: Path) -> None:
    with login_file.given(None, tmp_path) as variables:
        assert variables == {}
    assert not (tmp_path / "login").exists()
