"""Who may read: decided from addresses and headers alone."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import Invalid
from reconciler.serve import files
from reconciler.serve.access import Access, Asked, Proxy, loopback
from reconciler.serve.connections import Connection, Limits, Places, group
from reconciler.serve.secret import Secret

TOKEN = b"0123456789abcdef"
PROXY = Proxy(
    (ipaddress.ip_network("10.1.0.0/24"), ipaddress.ip_network("2001:db8::/64")),
    "X-User",
    "X-Groups",
    frozenset({"ops"}),
)
FAR = Access("192.0.2.1", frozenset({"daemon.example.org"}), PROXY, guarded=True)


def asked(peer: str = "203.0.113.9", here: str = "192.0.2.1", **headers: str | list[str]) -> Asked:
    given = {"host": "192.0.2.1", **headers}
    named = {k.replace("_", "-"): v if isinstance(v, list) else [v] for k, v in given.items()}
    return Asked(peer, here, named)


def status(access: Access, one: Asked, token: bytes | None = TOKEN) -> int:
    refusal = access.refusal(one, token)
    return refusal.status if refusal else 200


def test_the_token_or_the_proxys_word() -> None:
    bearer = f"Bearer {TOKEN.decode()}"
    assert status(FAR, asked()) == 401
    assert status(FAR, asked(authorization=bearer)) == 200
    assert status(FAR, asked(authorization=f"bearer   {TOKEN.decode()}")) == 200
    assert status(FAR, asked(authorization=[bearer, bearer])) == 401, "two are none"
    for peer in ("10.1.0.7", "::ffff:10.1.0.7", "2001:db8::9"):
        assert status(FAR, asked(peer, x_user="ada", x_groups="a, ops ,b")) == 200
    for peer in ("10.1.1.7", "2001:db8:0:1::9", "", "proxy"):
        assert status(FAR, asked(peer, x_user="ada", x_groups="ops")) == 401


@pytest.mark.parametrize("groups", ["", "op", "OPS", "ops;x", "x", ["ops", "x"], ["", "ops"]])
def test_a_user_of_no_group_that_may_read_is_refused(groups: str | list[str]) -> None:
    assert status(FAR, asked("10.1.0.7", x_user="ada", x_groups=groups)) == 403


@pytest.mark.parametrize("user", ["", " ", ["ada", "root"]])
def test_nobody_and_two_are_no_user(user: str | list[str]) -> None:
    assert status(FAR, asked("10.1.0.7", x_user=user, x_groups="ops")) == 401


def test_without_a_token_that_can_be_read_none_is_right() -> None:
    for given in ("Bearer ", "Bearer", "", "Bearer None"):
        assert status(replace(FAR, proxy=None), asked(authorization=given), token=None) == 401


def test_beyond_loopback_with_neither_nobody_reads() -> None:
    for address in ("192.0.2.1", "0.0.0.0", "::", "", "daemon.example.org"):
        access = Access(address)
        assert access.closed
        assert status(access, asked(here="192.0.2.1"), None) == 403
    assert not Access("127.0.0.1").closed
    assert status(Access("127.0.0.1"), asked("127.0.0.1", "127.0.0.1", host="127.0.0.1"), None) == 200


def test_who_starts_a_daemon_hears_of_what_is_open_or_closed() -> None:
    assert "nobody may read" in Access("0.0.0.0").warning
    on_loopback = replace(PROXY, networks=(ipaddress.ip_network("127.0.0.1"),))
    assert "every user of this machine" in replace(FAR, proxy=on_loopback).warning
    assert FAR.warning == Access("127.0.0.1").warning == ""


@pytest.mark.parametrize(
    ("host", "status_"),
    [
        ("192.0.2.1", 403),
        ("192.0.2.7:8484", 403),
        ("[2001:db8::1]:8484", 421),
        ("localhost", 403),
        ("DAEMON.example.org.", 403),
        ("evil.example", 421),
        ("192.0.2.1.evil.example", 421),
        ("", 421),
        ("[::1", 421),
        ("192.0.2.1:99999999", 421),
        ("user@192.0.2.1", 421),
        ("0.0.0.0", 421),
        ("192.0.2.1/", 421),
    ],
)
def test_ours_are_where_we_listen_where_we_were_reached_and_what_the_settings_name(host: str, status_: int) -> None:
    access = Access("192.0.2.1", frozenset({"daemon.example.org"}))
    assert status(access, asked(here="192.0.2.7", host=host), None) == status_
    assert status(access, asked(here="192.0.2.7", host=[host, host]), None) == 421


def test_an_address_of_ipv6_is_one_however_it_is_spelled() -> None:
    access = Access("::1")
    assert status(access, asked("::1", "::1", host="[0:0:0:0:0:0:0:1]:8484"), None) == 200
    assert status(access, asked("::1", "::1", host="[::2]"), None) == 421


def test_loopback_is_what_only_this_machine_reaches() -> None:
    assert all(map(loopback, ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST")))
    assert not any(map(loopback, ("0.0.0.0", "::", "", "10.0.0.1", "localhost.example.org", "fe80::1%lo")))


class TestSecret:
    def test_is_read_anew_each_time(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        secret = Secret("the token", "http.tokenFile", file, token=True)
        file.write_bytes(TOKEN + b"\n")
        assert secret.read() == TOKEN
        file.write_bytes(b"another-token-0123456789")
        assert secret.read() == b"another-token-0123456789"
        assert Secret("the token", "x").read() is None
        assert not Secret("the token", "x").named

    @pytest.mark.parametrize(
        "content", [b"", b" \n", b"short", b"with a space 0123456789", b"\xff" * 20, "é".encode() * 20]
    )
    def test_one_that_nobody_could_show_or_everybody_guess_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "token").write_bytes(content)
        with pytest.raises(Invalid, match="the token"):
            Secret("the token", "http.tokenFile", tmp_path / "token", token=True).read()

    def test_one_that_is_not_there_names_the_setting(self, tmp_path: Path) -> None:
        with pytest.raises(Invalid, match="cannot read the token") as told:
            Secret("the token", "http.tokenFile", tmp_path / "none").read()
        assert "http.tokenFile" in (told.value.hint or "")


class TestPlaces:
    @staticmethod
    def came(places: Places, address: str, now: float = 0.0) -> tuple[Connection, list[Connection]]:
        made = Connection(None, group(address), now)  # type: ignore[arg-type]
        gone = places.enter(made, address)
        for each in gone:
            each.cut()
        return made, gone

    def test_the_oldest_of_an_address_makes_room_and_nobody_elses(self) -> None:
        places = Places(Limits(total=10, each=2))
        other, _ = self.came(places, "192.0.2.9")
        first, second = (self.came(places, "192.0.2.1")[0] for _ in range(2))
        assert self.came(places, "192.0.2.1")[1] == [first]
        assert self.came(places, "192.0.2.1")[1] == [second]
        assert other in places.there

    def test_the_oldest_of_all_makes_room_where_all_places_are_taken(self) -> None:
        places = Places(Limits(total=5, each=5))
        came = [self.came(places, f"192.0.2.{n}")[0] for n in range(5)]
        assert self.came(places, "192.0.2.77")[1] == [came[0]]
        assert len(places.there) == 5

    def test_who_is_gone_takes_no_place(self) -> None:
        places = Places(Limits(total=2, each=2))
        self.came(places, "192.0.2.1")[0].cut()
        self.came(places, "192.0.2.1")
        assert self.came(places, "192.0.2.1")[1] == []

    def test_a_proxy_comes_for_many_and_has_no_limit_of_its_own(self) -> None:
        places = Places(Limits(total=6, each=2), trusted=lambda address: address == "10.0.0.1")
        assert [self.came(places, "10.0.0.1")[1] for _ in range(6)] == [[]] * 6
        assert len(self.came(places, "10.0.0.1")[1]) == 1

    def test_who_has_asked_has_longer(self) -> None:
        places = Places(Limits(head=5, whole=15))
        silent, asking = self.came(places, "a")[0], self.came(places, "b")[0]
        asking.asked = True
        assert places.late(5.1) == [silent]
        assert places.late(15.1) == [silent, asking]

    def test_of_ipv6_a_customers_network_is_one(self) -> None:
        assert group("2001:db8::1") == group("2001:db8::ffff:1") != group("2001:db8:0:1::1")
        assert group("::ffff:192.0.2.1") == group("192.0.2.1")
        assert group("fe80::1%eth0") == "fe80::/64"


def test_the_limit_of_files_is_raised_to_the_hard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    asked_for: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: asked_for.append(pair))
    for now, wanted in [((256, 4096), 4096), ((1024, resource.RLIM_INFINITY), 65_536), ((100, 10**6), 65_536)]:
        monkeypatch.setattr(resource, "getrlimit", lambda _, now=now: now)
        assert files.raised() == wanted
        assert asked_for.pop() == (wanted, now[1])
    for now, kept in [((4096, 4096), 4096), ((100_000, 200_000), 100_000), ((resource.RLIM_INFINITY,) * 2, 65_536)]:
        monkeypatch.setattr(resource, "getrlimit", lambda _, now=now: now)
        assert files.raised() == kept
    assert asked_for == []
