"""A kubeconfig on its way into a person's file: nothing of theirs is lost, and nobody else may read it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reconciler.control.toolkit import Access
from reconciler.control.user_kubeconfig import login, merge, users_file
from reconciler.errors import Blocked, Invalid, Permanent
from reconciler.ports import as_it_is
from tests.unit.spec.test_user_kubeconfig import SERVER, kubeconfig, text


@pytest.fixture
def access(tmp_path: Path) -> Access:
    place = tmp_path / "admin.conf"
    place.write_bytes(text(kubeconfig(token="t")))
    return Access(place)


def test_a_new_file_is_its_owners_alone(access: Access, tmp_path: Path) -> None:
    place = tmp_path / "home" / ".kube" / "config"
    merge(login("demo", access, as_it_is), place, use=False, overwrite=False)
    assert place.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(place.read_text())["current-context"] == "demo"


def test_a_link_stays_one_and_is_followed(access: Access, tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "kube", tmp_path / "config"
    real.parent.mkdir()
    real.write_bytes(text(kubeconfig("work")))
    link.symlink_to(real)
    merge(login("demo", access, as_it_is), link, use=True, overwrite=False)
    assert link.is_symlink()
    assert [c["name"] for c in yaml.safe_load(real.read_text())["clusters"]] == ["work", "demo"]


def test_a_context_of_the_name_that_leads_elsewhere_is_replaced_only_when_that_is_said(
    access: Access, tmp_path: Path
) -> None:
    place, other = tmp_path / "config", tmp_path / "other.conf"
    other.write_bytes(text(kubeconfig(server="https://elsewhere:6443")))
    merge(login("demo", Access(other), as_it_is), place, use=False, overwrite=False)
    before = place.read_bytes()
    with pytest.raises(Blocked, match="leads to another API"):
        merge(login("demo", access, as_it_is), place, use=False, overwrite=False)
    assert place.read_bytes() == before
    merge(login("demo", access, as_it_is), place, use=False, overwrite=True)
    assert SERVER in place.read_text()
    merge(login("demo", access, as_it_is), place, use=False, overwrite=False)


def test_what_is_no_kubeconfig_stays_as_it_is(access: Access, tmp_path: Path) -> None:
    place = tmp_path / "config"
    place.write_text("clusters: oops")
    with pytest.raises(Invalid, match="is no kubeconfig"):
        merge(login("demo", access, as_it_is), place, use=False, overwrite=True)
    assert place.read_text() == "clusters: oops"


def test_a_machine_without_one_says_how_it_gets_one(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="this machine has no kubeconfig of 'demo'") as caught:
        login("demo", Access(tmp_path / "none"), as_it_is)
    assert "kubeconfigs" in str(caught.value.hint)


def test_kubectls_own_rule_says_which_file_it_is(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.touch()
    assert users_file({}, tmp_path) == tmp_path / ".kube" / "config"
    assert users_file({"KUBECONFIG": f"{first}:{second}"}, tmp_path) == first
    second.touch()
    assert users_file({"KUBECONFIG": f"{first}:{second}:"}, tmp_path) == second


@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (kubeconfig("demo", server="https://elsewhere:6443"), "the cluster 'demo' is another API"),
        (
            {
                **kubeconfig("work"),
                "users": [{"name": "demo", "user": {"token": "w"}}],
                "contexts": [{"name": "work", "context": {"cluster": "work", "user": "demo"}}],
            },
            "the context 'work' logs in as the user 'demo'",
        ),
    ],
    ids=["cluster", "user"],
)
def test_what_a_context_of_another_name_leads_through_is_not_replaced(
    access: Access, tmp_path: Path, theirs: dict[str, object], told: str
) -> None:
    place = tmp_path / "config"
    place.write_bytes(text(theirs))
    with pytest.raises(Blocked, match=told):
        merge(login("demo", access, as_it_is), place, use=False, overwrite=False)
    assert place.read_bytes() == text(theirs)
    merge(login("demo", access, as_it_is), place, use=False, overwrite=True)
    merge(login("demo", access, as_it_is), place, use=False, overwrite=True)


def test_links_in_a_circle_are_told(access: Access, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises((Invalid, Blocked), match="cannot read"):
        merge(login("demo", access, as_it_is), tmp_path / "a", use=False, overwrite=False)
