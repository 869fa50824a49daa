"""`reconciler status`: asks the daemon of the settings with its token, and believes no other program on that port."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.run import _host
from tests.unit.cli.conftest import Run
from tests.unit.report.test_report_hostile import unseen

TOKEN = "0123456789abcdef-reader"
NEXT = {"at": "2026-11-20T14:03:00.000Z", "why": "check"}
DOCUMENT: dict[str, Any] = {
    "git": {"failures": 0, "reason": ""},
    "clusters": [
        {"cluster": "demo", "state": "idle", "last": None, "next": NEXT, "backOff": None, "leaseHolder": None}
    ],
}


class Port:
    """What listens on the daemon's port: answers all with one answer, and remembers who asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.status, self.headers, self.body = 200, dict[str, str](), json.dumps(DOCUMENT).encode()
        port = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                port.asked.append((self.path, self.headers.get("Authorization")))
                self.send_response(port.status)
                for name, value in port.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(port.body)

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def port() -> Iterator[Port]:
    made = Port()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def config(port: Port, tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(TOKEN + "\n")
    file = tmp_path / "c.yaml"
    number = port.server.server_address[1]
    file.write_text(yaml.safe_dump({"http": {"port": number, "tokenFile": str(tmp_path / "token")}}))
    return file


def test_what_is_held_is_shown_with_the_line_that_lets_it_through(run: Run, config: Path, port: Port) -> None:
    line = "- {plan: '0123456789ab', guards: [rebuild], expires: YYYY-MM-DD, reason: why}"
    held = {"guard": "rebuild", "message": "3 servers would be made anew", "way": "do it one by one", "approval": line}
    doing = {"step": "kubernetes: add demo-worker-3", "progress": "scale.yml, 120 of 400: Install kubelet"}
    entry = {**DOCUMENT["clusters"][0], "blocked": [held], "applying": doing}
    port.body = json.dumps({**DOCUMENT, "clusters": [entry]}).encode()
    lines = run("--config", str(config), "status").out.splitlines()
    assert lines[-4:] == [
        "demo: applying kubernetes: add demo-worker-3 (scale.yml, 120 of 400: Install kubelet)",
        "demo: held by the guard rebuild: 3 servers would be made anew",
        "  do it one by one",
        f"  {line}",
    ]


def test_when_the_newest_snapshot_was_taken_is_shown(run: Run, config: Path, port: Port) -> None:
    entry = {**DOCUMENT["clusters"][0], "last": {"outcome": "in sync", "backup": "2026-11-20T14:03:00.000Z"}}
    port.body = json.dumps({**DOCUMENT, "clusters": [entry]}).encode()
    assert "demo: newest snapshot of etcd: 2026-11-20 14:03 UTC" in run("--config", str(config), "status").out


def test_a_narrow_terminal_gets_no_table(run: Run, config: Path, port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = run("--config", str(config), "status").out.splitlines()
    assert lines == ["demo", "  state: idle", "  next: 14:03:00", "  why: check"]


@pytest.mark.parametrize("field", [{"blocked": [1]}, {"applying": "x"}, {"blocked": {"guard": 1}}, {"blocked": [{}]}])
def test_another_programs_shape_is_no_status(run: Run, config: Path, port: Port, field: dict[str, Any]) -> None:
    port.body = json.dumps({**DOCUMENT, "clusters": [{**DOCUMENT["clusters"][0], **field}]}).encode()
    said = run("--config", str(config), "status")
    assert (said.code, "no daemon answers" in said.err) == (1, True)


def test_it_shows_the_token(run: Run, config: Path, port: Port) -> None:
    said = run("--config", str(config), "status")
    assert (said.code, port.asked) == (0, [("/status", f"Bearer {TOKEN}")])
    assert "demo" in said.out
    assert TOKEN not in said.out + said.err


def test_without_one_in_the_settings_none_is_sent(run: Run, config: Path, port: Port) -> None:
    config.write_text(yaml.safe_dump({"http": {"port": port.server.server_address[1]}}))
    assert run("--config", str(config), "status").code == 0
    assert port.asked == [("/status", None)]


@pytest.mark.parametrize("status", [401, 403, 421])
def test_a_no_is_told_with_what_to_do(run: Run, config: Path, port: Port, status: int) -> None:
    port.status = status
    said = run("--config", str(config), "status")
    assert said.code == 1
    assert f"does not let us read: {status}" in said.err
    assert "http.tokenFile" in said.err


def test_the_token_goes_nowhere_else(run: Run, config: Path, port: Port) -> None:
    other = Port()
    port.status, port.headers = 302, {"Location": f"http://127.0.0.1:{other.server.server_address[1]}/status"}
    assert run("--config", str(config), "status").code == 1
    assert other.asked == []
    other.server.shutdown()
    other.server.server_close()


HOSTILE_ENTRY: dict[str, Any] = {
    "cluster": "[red]x[/] \x1b[2J\u202e", "state": "\x9b2J", "last": {"outcome": "\n\nok", "commit": "c"}, "next": NEXT,
    "backOff": {"reason": "[link=http://x]\x07"}, "leaseHolder": None,
}  # fmt: skip


def test_what_it_says_is_shown_and_not_obeyed(run: Run, config: Path, port: Port) -> None:
    port.body = json.dumps(
        {"git": {"failures": 3, "reason": "\x1b]8;;http://x\x07"}, "clusters": [HOSTILE_ENTRY]}
    ).encode()
    for form in ("text", "json"):
        said = run("--config", str(config), "status", "-o", form)
        assert said.code == 0
        assert unseen(said.out) == []


def status(clusters: object, failures: object = 0) -> dict[str, Any]:
    return {"git": {"failures": failures, "reason": ""}, "clusters": clusters}


@pytest.mark.parametrize(
    "document",
    [
        None, [], 1, "x", {}, {"git": 1}, {"git": {"failures": 1}, "clusters": []}, status([], "no"), status(1),
        status([1]), status([{}]), status([{**HOSTILE_ENTRY, "next": 1}]), status([{**HOSTILE_ENTRY, "last": [1]}]),
    ],
)  # fmt: skip
def test_another_program_on_that_port_is_no_daemon(run: Run, config: Path, port: Port, document: object) -> None:
    port.body = json.dumps(document).encode()
    said = run("--config", str(config), "status")
    assert said.code == 1
    assert "no daemon answers" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("address", "asked"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("", "127.0.0.1")],
)
def test_where_a_daemon_is_asked_that_listens_anywhere(address: str, asked: str) -> None:
    assert _host(address) == asked


def test_of_several_repositories_each_line_says_whose_it_is(run: Run, config: Path, port: Port) -> None:
    entry, held = DOCUMENT["clusters"][0], {"guard": "rebuild", "message": "why", "way": "so", "approval": ""}
    entries = [{**entry, "repository": name, "blocked": [held]} for name in ("physics", "chemistry")]
    several = [
        {"repository": name, "state": "running", "failures": 0, "reason": ""} for name in ("physics", "chemistry")
    ]
    broken = {"repository": "broken", "state": "unusable", "failures": 2, "reason": "no clone\x1b[1m"}
    port.body = json.dumps({**DOCUMENT, "repositories": [*several, broken], "clusters": entries}).encode()
    lines = run("--config", str(config), "status").out.splitlines()
    assert lines[0].split()[:2] == ["repository", "cluster"]
    assert [line.split()[:2] for line in lines[1:3]] == [["physics", "demo"], ["chemistry", "demo"]]
    assert lines[3] == "broken: unusable: no clone\\u001b[1m"
    assert "chemistry/demo: held by the guard rebuild: why" in lines
