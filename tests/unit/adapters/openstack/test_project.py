"""Which project a login leads to: the id that keeps reconcilers of one machine apart."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.adapters.openstack import OpenStackCloud
from reconciler.errors import Permanent, Transient


def cloud(monkeypatch: pytest.MonkeyPatch, connection: Any) -> OpenStackCloud:
    monkeypatch.setattr(OpenStackCloud, "connection", connection)
    return OpenStackCloud("moc", clouds_file=None, timeout=1)


def test_it_is_what_keystone_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cloud(monkeypatch, SimpleNamespace(current_project_id="abc")).project() == "abc"


@pytest.mark.parametrize("id_", [None, "", 7, "a" * 256, "..", "a/b", "a\n"])
def test_without_one_it_says_so_and_names_no_other(monkeypatch: pytest.MonkeyPatch, id_: object) -> None:
    with pytest.raises(Permanent, match="does not say which project it logs us in to"):
        cloud(monkeypatch, SimpleNamespace(current_project_id=id_)).project()


def test_a_cloud_that_does_not_answer_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        @property
        def current_project_id(self) -> str:
            raise TimeoutError("no answer")

    with pytest.raises(Transient, match="no answer"):
        cloud(monkeypatch, Silent()).project()
