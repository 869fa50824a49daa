"""One door for several repositories: a delivery reaches those whose secret signed it, and that it is about."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from reconciler.serve.http import Hook, Server
from tests.unit.serve.test_http import DOOR, PUSH, SECRET, Client, signed_by


@dataclass
class Team:
    """A repository with a secret of its own, and what its hook was told."""

    secret: bytes | None
    name: str = ""
    pushed: list[str] = field(default_factory=list)

    @property
    def hook(self) -> Hook:
        return Hook(lambda: self.secret, lambda ref, _: self.pushed.append(ref), lambda: self.name)


def told(teams: list[Team], body: bytes, secret: bytes) -> tuple[int, list[bool]]:
    """What a delivery is answered, and whom it reached."""
    server = Server(replace(DOOR, hooks=[team.hook for team in teams]), "127.0.0.1", 0)
    client = Client(DOOR, server=server, port=server.start())
    try:
        answer = client.deliver(body, signed_by(secret, body))
    finally:
        server.stop()
    return answer.status, [bool(team.pushed) for team in teams]


def push_to(name: str | None) -> bytes:
    about = {} if name is None else {"repository": {"full_name": name}}
    return json.dumps({"ref": "refs/heads/main", "after": "f" * 40, **about}).encode()


def test_a_delivery_reaches_the_repository_whose_secret_signed_it_and_no_other() -> None:
    assert told([Team(b"a"), Team(b"b"), Team(None)], push_to(None), b"b") == (202, [False, True, False])
    assert told([Team(b"a"), Team(b"b")], push_to(None), b"c") == (401, [False, False])
    assert told([Team(b"a"), Team(None)], push_to(None), b"") == (401, [False, False])
    assert told([Team(None), Team(None)], push_to(None), b"") == (404, [False, False])


def test_of_several_with_one_secret_it_is_the_one_that_was_pushed_to() -> None:
    same = [Team(SECRET, where) for where in ("lab/physics", "lab/chemistry", "")]
    assert told(same, push_to("Lab/Physics"), SECRET) == (202, [True, False, True])
    assert told([Team(SECRET, "lab/physics")], push_to("lab/poems"), SECRET) == (202, [False])


def test_a_flood_of_one_repository_is_no_other_s() -> None:
    teams = [Team(b"a"), Team(b"b")]
    server = Server(replace(DOOR, hooks=[team.hook for team in teams], per_minute=1.0), "127.0.0.1", 0)
    client = Client(DOOR, server=server, port=server.start())
    try:
        flood = [client.deliver(PUSH, signed_by(b"a", PUSH)).status for _ in range(12)]
        assert (flood[0], flood[-1]) == (202, 429)
        assert client.deliver(PUSH, signed_by(b"b", PUSH)).status == 202
    finally:
        server.stop()
