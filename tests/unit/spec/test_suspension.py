"""One line makes a cluster suspended, and takes it back."""

from __future__ import annotations

import pytest

from reconciler.spec.load import FLEET
from reconciler.spec.suspension import changed, file_of
from tests.unit.examples import CLUSTER, FILE, desired


def test_there_and_back_is_the_same_file() -> None:
    (cluster,) = desired()
    assert file_of(cluster) == FILE
    suspended = changed(cluster, CLUSTER.encode(), suspend=True)
    assert suspended is not None
    assert set(suspended.decode().splitlines()) - set(CLUSTER.splitlines()) == {"  suspend: true"}
    (again,) = desired(extra={FILE: suspended.decode()})
    assert again.cluster.spec.suspend
    assert changed(again, suspended, suspend=False) == CLUSTER.encode()


@pytest.mark.parametrize("suspend", [True, False])
def test_what_is_so_already_is_left(suspend: bool) -> None:
    (cluster,) = desired(("  cloud: sandbox", f"  suspend: {str(suspend).lower()}\n  cloud: sandbox"))
    assert changed(cluster, b"", suspend=suspend) is None


def test_a_line_of_the_fleets_is_overruled_by_one_of_the_clusters_own() -> None:
    fleet = "apiVersion: research.moc/v1alpha1\nkind: Fleet\nmetadata: {name: moc}\nspec: {defaults: {suspend: true}}\n"
    (cluster,) = desired(extra={FLEET: fleet})
    assert cluster.cluster.spec.suspend
    text = changed(cluster, CLUSTER.encode(), suspend=False)
    assert text is not None
    (again,) = desired(extra={FLEET: fleet, FILE: text.decode()})
    assert not again.cluster.spec.suspend


def test_a_line_of_both_is_overruled_and_not_only_taken_out() -> None:
    fleet = "apiVersion: research.moc/v1alpha1\nkind: Fleet\nmetadata: {name: moc}\nspec: {defaults: {suspend: true}}\n"
    own = CLUSTER.replace("  cloud: sandbox\n", "  cloud: sandbox\n  suspend: true # since May\n")
    (cluster,) = desired(extra={FLEET: fleet, FILE: own})
    text = changed(cluster, own.encode(), suspend=False)
    assert text is not None
    (again,) = desired(extra={FLEET: fleet, FILE: text.decode()})
    assert not again.cluster.spec.suspend
    assert "since May" in text.decode()


def test_lines_that_end_as_on_windows_still_do() -> None:
    own = CLUSTER.replace("\n", "\r\n")
    (cluster,) = desired(extra={FILE: own})
    text = changed(cluster, own.encode(), suspend=True)
    assert text is not None
    assert text.count(b"\n") == text.count(b"\r\n") == own.count("\n") + 1
    (again,) = desired(extra={FILE: text.decode()})
    assert changed(again, text, suspend=False) == own.encode()
