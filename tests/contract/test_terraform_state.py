"""Terraform's state on more than one machine, with the real OpenTofu: kept elsewhere, locked, encrypted, moved."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.adapters.terraform import Encryption, Terraform, known
from reconciler.errors import Permanent, Transient
from reconciler.model.desired.state import HttpState, PgState, S3State, State
from reconciler.ports import Backend, Workspace
from reconciler.process import Redactor
from reconciler.progress import QuietProgress
from reconciler.spec.render.state import backend
from reconciler.toolchain import Toolbox
from tests.contract.state_servers import (
    PASSWORD,
    USER,
    HttpStates,
    S3States,
    passphrase,
    postgres,
    postgres_bin,
    serving,
)

pytestmark = pytest.mark.live

CANARY = "canary-6b1d2f"
# One thing that needs no provider: what it is matters to nobody here.
MODULE = {
    "main.tf": b"""\
variable "things" { type = map(string) }
resource "terraform_data" "thing" {
  for_each = var.things
  input    = each.value
}
"""
}
ADDRESS = 'terraform_data.thing["{}"]'


@dataclass
class Machine:
    """One that reconciles: a folder of its own, and what its settings say."""

    binary: Path
    folder: Path
    backend: Backend | None = None
    phrase: str | None = None

    def workspace(self, *names: str, **rest: Any) -> Workspace:
        things = {name: f"{CANARY} {name}" for name in names}
        place = Workspace(self.folder, MODULE, {"things": things}, {}, {}, frozenset(), backend=self.backend)
        return replace(place, **rest)

    def terraform(self, lock_seconds: int = 60) -> Terraform:
        sealed, redactor = Encryption(self.phrase) if self.phrase else None, Redactor([self.phrase or ""])
        return Terraform(self.binary, None, 120, redactor, sealed, lock_seconds=lock_seconds)

    def apply(self, *names: str, **rest: Any) -> None:
        self.terraform().apply(self.workspace(*names, **rest), QuietProgress())

    @property
    def ids(self) -> dict[str, str]:
        found = known(self.folder)
        return dict(found.by_address) if found else {}

    def told(self) -> str:
        """Everything that lies in the folder, but for the variables, which are no secrets."""
        files = (f for f in self.folder.rglob("*") if f.is_file() and not f.name.endswith("tfvars.json"))
        return "\n".join(f.read_text(errors="replace") for f in files)


Make = Callable[..., Machine]


@pytest.fixture
def machine(toolbox: Toolbox, tmp_path: Path) -> Make:
    binary = toolbox.ensure("tofu")["tofu"].path

    def make(name: str, kept: Backend | None = None, phrase: str | None = None) -> Machine:
        return Machine(binary, tmp_path / name, kept, phrase)

    return make


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    programs = postgres_bin()
    if programs is None:
        pytest.skip("there is no PostgreSQL on this machine (Debian: postgresql)")
    with postgres(programs) as address:
        yield address


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TF_HTTP_USERNAME": USER, "TF_HTTP_PASSWORD": PASSWORD, "PGUSER": USER, "PGPASSWORD": PASSWORD,
        "AWS_ACCESS_KEY_ID": USER, "AWS_SECRET_ACCESS_KEY": PASSWORD, "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


# Each of the three is real in one short test; what is the same for all of them is shown on the quickest.
ALL = pytest.mark.parametrize("kept", ["http", "s3", "pg"], indirect=True)
ONE = pytest.mark.parametrize("kept", ["http"], indirect=True)
OTHERS = pytest.mark.parametrize("kept", ["s3", "pg"], indirect=True)


@pytest.fixture
def kept(request: pytest.FixtureRequest, credentials: None) -> Iterator[tuple[Backend, Callable[[], str]]]:
    """A backend, and how to see what is kept there."""
    if request.param == "pg":
        address = request.getfixturevalue("database")
        yield made(State(pg=PgState(address=address))), lambda: dumped(address)
        return
    with serving(HttpStates if request.param == "http" else S3States) as server:
        state = State(http=HttpState(address=f"{server.address}/states"))
        if request.param == "s3":
            said = {"bucket": "sid-states", "endpoint": server.address, "pathStyle": True}
            state = State(s3=S3State.model_validate(said))
        yield made(state), lambda: "\n".join(f"{p} {t.decode(errors='replace')}" for p, t in server.kept.items())


def made(state: State) -> Backend:
    found = backend(state, f"demo{passphrase()[:6].lower().replace('_', 'x')}", "infrastructure")
    assert found
    return found


def dumped(address: str) -> str:
    programs = postgres_bin()
    assert programs
    where = address.replace("postgres://", f"postgres://{USER}:{PASSWORD}@")
    return subprocess.run(
        [programs / "pg_dump", "--data-only", where], capture_output=True, text=True, check=True
    ).stdout


@ALL
def test_two_machines_share_a_state_and_none_has_it(machine: Make, kept: tuple[Backend, Callable[[], str]]) -> None:
    place, there = kept
    one, other = machine("one", place), machine("other", place)
    one.apply("a")
    assert CANARY in there()
    assert PASSWORD not in one.told()
    assert not (one.folder / "terraform.tfstate").exists()
    other.apply("a", "b")
    assert other.ids[ADDRESS.format("a")] == one.ids[ADDRESS.format("a")]
    assert (found := known(other.folder)) is not None
    assert found.shared
    one.apply("b", may_destroy=frozenset({ADDRESS.format("a")}))
    assert one.ids == {ADDRESS.format("b"): other.ids[ADDRESS.format("b")]}
    one.apply("b", "c", forget=frozenset({ADDRESS.format("b")}))  # what waits is let go of, and not deleted
    assert ADDRESS.format("b") in one.ids


@ONE
def test_a_state_moves_there_and_back_without_loss_and_leaves_nothing_behind(
    machine: Make, kept: tuple[Backend, Callable[[], str]]
) -> None:
    place, there = kept
    mine = machine("mine")
    mine.apply("a", "b")
    before = mine.ids
    assert len(before) == 2
    mine.backend = place
    mine.apply("a", "b")
    assert mine.ids == before
    assert not list(mine.folder.glob("terraform.tfstate*"))
    assert before[ADDRESS.format("a")] in there()
    mine.backend = None
    mine.apply("a", "b")
    assert mine.ids == before


@ONE
def test_a_state_that_is_there_already_wins_over_an_old_one_here(
    machine: Make, kept: tuple[Backend, Callable[[], str]]
) -> None:
    place, _ = kept
    late, first = machine("late"), machine("first", place)
    late.apply("a")
    first.apply("b")
    before = first.ids
    late.backend = place
    late.apply("b")
    assert late.ids == before


@ONE
def test_an_encrypted_state_elsewhere_is_read_by_who_has_the_key_only(
    machine: Make, kept: tuple[Backend, Callable[[], str]]
) -> None:
    place, there = kept
    phrase = passphrase()
    one, other, stranger = (machine(n, place, p) for n, p in (("one", phrase), ("other", phrase), ("no", passphrase())))
    one.apply("a")
    other.apply("a", "b")
    assert set(other.ids) == {ADDRESS.format("a"), ADDRESS.format("b")}
    kept_there = there()
    assert CANARY not in kept_there + one.told() + other.told()
    assert phrase not in kept_there + one.told()
    with pytest.raises(Permanent, match="decryption failed") as caught:
        stranger.apply("c")
    assert "terraform.encryption" in (caught.value.hint or "")
    assert there() == kept_there


def test_a_local_state_is_encrypted_in_place_with_its_backups(machine: Make) -> None:
    mine = machine("mine")
    mine.apply("a")
    mine.apply("a", "b")
    before = mine.ids
    assert CANARY in mine.told()
    mine.phrase = passphrase()
    mine.apply("a", "b")
    assert mine.ids == before
    assert (found := known(mine.folder)) is not None
    assert not found.shared
    assert CANARY not in mine.told()
    mine.apply("a", "b", "c")
    assert CANARY not in mine.told()
    state = (mine.folder / "terraform.tfstate").read_bytes()
    for phrase, word in ((passphrase(), "decryption failed"), (None, "no key")):
        mine.phrase, right = phrase, mine.phrase
        with pytest.raises(Permanent, match=word):
            mine.apply("a")
        assert (mine.folder / "terraform.tfstate").read_bytes() == state
        mine.phrase = right


@pytest.mark.soak
def test_a_shared_state_in_clear_is_encrypted_by_who_knows_it(machine: Make, credentials: None) -> None:
    with serving(HttpStates) as server:
        place = made(State(http=HttpState(address=f"{server.address}/states")))
        one, phrase = machine("one", place), passphrase()
        one.apply("a")
        before = one.ids
        with pytest.raises(Permanent, match="unencrypted payload"):
            machine("new", place, phrase).apply("a")
        one.phrase = phrase
        one.apply("a")
        assert one.ids == before
        assert CANARY.encode() not in b"".join(server.kept.values())
        fresh = machine("new", place, phrase)
        fresh.apply("a")
        assert fresh.ids == before


def test_a_lock_that_a_dead_run_left_is_told_and_can_be_taken_away(machine: Make, credentials: None) -> None:
    with serving(HttpStates) as server:
        place = made(State(http=HttpState(address=f"{server.address}/states")))
        mine = machine("mine", place)
        mine.apply("a")
        path = f"/states/{str(place.config['address']).rpartition('/')[2]}/lock"
        left = {"ID": "11111111-2222-3333-4444-555555555555", "Who": "ada@laptop", "Created": "2026-11-24T10:00:00Z",
                "Operation": "apply", "Info": "", "Version": "1.12.6", "Path": ""}  # fmt: skip
        server.kept[path] = json.dumps(left).encode()
        with pytest.raises(Transient, match=r"locked by ada@laptop.*11111111-2222") as caught:
            mine.terraform(0).apply(mine.workspace("a", "b"), QuietProgress())
        assert f"reconciler unlock CLUSTER {left['ID']}" in (caught.value.hint or "")
        with pytest.raises(Permanent):
            mine.terraform().unlock(mine.workspace("a"), "another", QuietProgress())
        mine.terraform().unlock(mine.workspace("a"), str(left["ID"]), QuietProgress())
        mine.apply("a", "b")
        assert len(mine.ids) == 2


def test_who_is_not_let_in_changes_nothing_and_says_where_to_look(machine: Make) -> None:
    with serving(HttpStates) as server:
        mine = machine("mine")
        mine.apply("a")
        before = mine.ids
        mine.backend = made(State(http=HttpState(address=f"{server.address}/states")))
        with pytest.raises(Permanent) as caught:
            mine.apply("a", "b")
        assert "desired/fleet.yaml" in (caught.value.hint or "")
        assert server.kept == {}
        mine.backend = None
        mine.apply("a")
        assert mine.ids == before


@ONE
def test_two_machines_at_once_wait_for_each_other(machine: Make, kept: tuple[Backend, Callable[[], str]]) -> None:
    place, _ = kept
    machines = [machine(name, place) for name in ("one", "other")]
    machines[0].apply("a")
    failed: list[BaseException] = []

    def work(mine: Machine) -> None:
        try:
            mine.apply("a", "b", "c")
        except Transient:
            pass  # it came a moment too late, and says so: the plan is made anew by the next cycle
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    last = machine("last", place)
    last.apply("a", "b", "c")
    assert len(last.ids) == 3


@pytest.mark.soak
@OTHERS
def test_the_others_move_seal_and_lock_alike(machine: Make, kept: tuple[Backend, Callable[[], str]]) -> None:
    place, there = kept
    mine = machine("mine")
    mine.apply("a", "b")
    before, phrase = mine.ids, passphrase()
    mine.backend = place
    mine.apply("a", "b")
    assert mine.ids == before
    mine.phrase = phrase
    mine.apply("a", "b")
    assert mine.ids == before
    assert CANARY not in there() + mine.told()
    mine.backend = None
    mine.apply("a", "b")
    assert mine.ids == before
