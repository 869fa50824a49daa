"""Whom git may send us to: public addresses, or what the settings name, however an address is written."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from reconciler.model.hosts import Hosts, Reach, canonical, itself, reach

METADATA = "169.254.169.254"


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [
        (Reach.PUBLIC, "8.8.8.8 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1"),
        (Reach.PRIVATE, "10.1.2.3 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 fd00::1 ::ffff:10.0.0.1"),
        (Reach.PRIVATE, "64:ff9b::a00:1 2002:a00:1::"),
        (Reach.LOOPBACK, "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::"),
        (Reach.SPECIAL, f"{METADATA} ::ffff:{METADATA} 169.254.170.2 fe80::1 fe80::1%eth0 64:ff9b::a9fe:a9fe"),
        (Reach.SPECIAL, "168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 fd20:ce::254"),
        (Reach.SPECIAL, "0.0.0.0 0.1.2.3 :: 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 ff02::1 ff0e::1"),
        (Reach.SPECIAL, "192.0.2.1 198.18.0.1 2001:db8::1 fec0::1 ::127.0.0.1 2001:0:1::1"),
    ],
)
def test_what_kind_of_address_it_is(kind: Reach, addresses: str) -> None:
    assert {address: reach(ip_address(address)) for address in addresses.split()} == dict.fromkeys(
        addresses.split(), kind
    )


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("Charts.Example.ORG", "charts.example.org"),
        ("charts.example.org.", "charts.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("\uff45xample.org", "example.org"),
        ("127.0.0.1", "127.0.0.1"),
        ("0:0:0:0:0:0:0:1", "::1"),
    ],
)
def test_one_form_for_every_way_to_write_a_host(written: str, host: str) -> None:
    assert canonical(written) == host


@pytest.mark.parametrize("written", ["", "a..b", ".", "a b", "a/b", "a@b", "a:b", "-a", f"{'a' * 64}.b", "a\n", "a%b"])
def test_what_is_no_host(written: str) -> None:
    with pytest.raises(ValueError, match=r"host|idna"):
        canonical(written)


def test_without_a_list_every_public_address_and_no_other() -> None:
    anybody = Hosts()
    assert anybody.permits("charts.example.org", 443, ip_address("8.8.8.8"))
    for address in ("127.0.0.1", "10.0.0.1", METADATA, "::1"):
        assert not anybody.permits("charts.example.org", 443, ip_address(address)), address
    assert not anybody.permits_plain("charts.example.org", 80, ip_address("8.8.8.8"))
    assert anybody.suits("github.com", 443)
    assert not anybody.names("github.com", 443)


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "permitted"),
    [
        ("charts.example.org", "charts.example.org", 443, "8.8.8.8", True),
        ("Charts.Example.org.", "charts.example.org", 443, "10.0.0.1", True),
        ("charts.example.org", "charts.example.org", 443, "127.0.0.1", True),
        ("charts.example.org", "charts.example.org", 443, METADATA, False),
        ("charts.example.org", "other.example.org", 443, "8.8.8.8", False),
        ("charts.example.org", "xcharts.example.org", 443, "8.8.8.8", False),
        ("charts.example.org", "charts.example.org.evil.org", 443, "8.8.8.8", False),
        ("charts.example.org:8443", "charts.example.org", 8443, "8.8.8.8", True),
        ("charts.example.org:8443", "charts.example.org", 443, "8.8.8.8", False),
        ("*.example.org", "charts.example.org", 443, "8.8.8.8", True),
        ("*.example.org", "a.b.example.org", 443, "10.0.0.1", True),
        ("*.example.org", "example.org", 443, "8.8.8.8", False),
        ("*.example.org", "evilexample.org", 443, "8.8.8.8", False),
        ("*.example.org", "charts.example.org", 443, "127.0.0.1", False),
        ("*.example.org", "charts.example.org", 443, METADATA, False),
        ("*", "anything.org", 443, "8.8.8.8", True),
        ("*", "anything.org", 443, "10.0.0.1", False),
        ("*", "anything.org", 443, "127.0.0.1", False),
        ("10.0.0.0/8", "anything.org", 443, "10.1.2.3", True),
        ("10.0.0.0/8", "anything.org", 443, "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "anything.org", 443, "8.8.8.8", False),
        ("127.0.0.1:5000", "localhost", 5000, "127.0.0.1", True),
        ("127.0.0.1:5000", "localhost", 5001, "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.2", 80, "127.0.0.2", False),
        ("[fd00::1]:5000", "fd00::1", 5000, "fd00::1", True),
        ("fd00::/8", "anything.org", 443, "fd12::1", True),
        (METADATA, METADATA, 80, METADATA, True),
    ],
)
def test_what_an_entry_permits(entry: str, host: str, port: int, address: str, permitted: bool) -> None:
    assert Hosts.of(entry).permits(host, port, ip_address(address)) is permitted


def test_a_list_shuts_everybody_else_out() -> None:
    some = Hosts.of("charts.example.org", "10.0.0.0/8")
    assert not some.permits("public.org", 443, ip_address("8.8.8.8"))
    assert not some.suits("github.com", 443)
    assert some.suits("charts.example.org", 443)
    assert Hosts.of("*", "10.0.0.0/8").suits("github.com", 443)
    assert some.permits_plain("charts.example.org", 80, ip_address("10.0.0.1"))
    assert not Hosts.of("*").permits_plain("public.org", 80, ip_address("8.8.8.8"))


@pytest.mark.parametrize(
    "entry",
    ["", "*.", "*.*", "a*.org", "https://a.org", "a.org/x", "10.0.0.1/8", "a:0", "a:65536", "a:b", "a:", "[::1"],
)
def test_what_is_no_entry(entry: str) -> None:
    with pytest.raises(ValueError, match=r"host|port|network|address|idna"):
        Hosts.of(entry)


def test_which_hosts_are_this_machine_itself() -> None:
    assert [h for h in ("localhost", "127.0.0.1", "::1", "localhost.org", "10.0.0.1", "x") if itself(h)] == [
        "localhost", "127.0.0.1", "::1",
    ]  # fmt: skip
