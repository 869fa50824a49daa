"""Settings, PATH, cache, download, build: the first that has the right version."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import Invalid, Permanent, Transient

from .conftest import World, script


def test_the_settings_win_whatever_the_version(world: World) -> None:
    world.program("spade", "spade v1.2.3")
    mine = script(world.root / "mine", "#!/bin/sh\necho spade v0.9.1\n")
    found = world.toolbox(overrides={"spade": mine}).find("spade")
    assert found is not None
    assert (found.source, found.path, found.version) == ("settings", mine, "0.9.1")


def test_the_settings_may_name_a_program_on_path(world: World) -> None:
    other = world.program("shovel", "shovel v9.9.9")
    found = world.toolbox(overrides={"spade": Path("shovel")}).find("spade")
    assert found is not None
    assert (found.path, found.version) == (other, "unknown")


def test_settings_that_name_nothing_are_a_mistake_and_not_passed_over(world: World) -> None:
    world.program("spade", "spade v1.2.3")
    with pytest.raises(Invalid, match=r"tools: spade: .*nowhere is not a program"):
        world.toolbox(overrides={"spade": world.root / "nowhere"}).find("spade")


def test_settings_for_an_unknown_tool_are_a_mistake(world: World) -> None:
    with pytest.raises(Invalid, match="no tool 'hoe'"):
        world.toolbox(overrides={"hoe": Path("/bin/true")})


@pytest.mark.parametrize(
    ("says", "accept", "taken"),
    [
        ("spade v1.2.3", "minor", True),
        ("spade v1.2.9", "minor", True),
        ("spade v1.3.3", "minor", False),
        ("spade v11.2.3", "minor", False),
        ("spade v1.2.9", "exact", False),
        ("usage: spade", "minor", False),
    ],
)
def test_a_program_on_path_is_taken_when_its_version_fits(world: World, says: str, accept: str, taken: bool) -> None:
    path = world.program("spade", says)
    box = world.toolbox(world.tool(accept=accept))
    found = box.find("spade")
    assert (found is not None and found.source == "path" and found.path == path) is taken
    assert (box.passed_over("spade") is None) is taken


def test_a_program_of_the_wrong_version_is_named_with_what_is_wanted(world: World) -> None:
    path = world.program("spade", "spade v1.3.0")
    world.go()
    box = world.toolbox()
    assert box.passed_over("spade") == f"{path} is 1.3.0, wanted is 1.2.x"
    assert box.ensure("spade")["spade"].source == "build"
    assert any("1.3.0" in line and "passed over" in line for line in world.heard.lines)


def test_a_program_that_cannot_be_started_is_passed_over(world: World) -> None:
    script(world.root / "path" / "spade", "#!/nowhere/interpreter\n")
    assert world.toolbox().find("spade") is None


def test_path_goes_before_the_cache_and_the_cache_before_a_build(world: World) -> None:
    world.go()
    assert world.toolbox().ensure("spade")["spade"].source == "build"
    assert world.toolbox().ensure("spade")["spade"].source == "cache"
    assert len(world.builds) == 1
    world.program("spade", "spade v1.2.3")
    assert world.toolbox().ensure("spade")["spade"].source == "path"


def test_finding_makes_nothing(world: World) -> None:
    world.go()
    assert world.toolbox().find("spade") is None
    assert world.builds == []
    assert not world.cache.exists()


def test_programs_of_one_module_are_built_in_one_go(world: World) -> None:
    world.go()
    found = world.toolbox().ensure("spade", "rake")
    assert [one.source for one in found.values()] == ["build", "build"]
    assert list(found) == ["spade", "rake"]
    assert len(world.builds) == 1
    assert world.heard.tasks == ["build spade, rake 1.2.3"]


def test_a_build_is_pinned_and_reproducible(world: World) -> None:
    world.go()
    world.toolbox().ensure("spade")
    assert {"-mod=readonly", "-trimpath", "example.org/garden/spade"} <= set(world.builds[0].split())


def test_another_pin_is_another_program(world: World) -> None:
    world.go()
    before = world.toolbox().ensure("spade")["spade"].path
    (world.root / "module" / "go.sum").write_text("example.org/garden v1.2.3 h1:other=\n")
    after = world.toolbox().ensure("spade")["spade"]
    assert after.source == "build"
    assert after.path != before


def test_no_go_says_how_to_get_it(world: World) -> None:
    with pytest.raises(Permanent, match="needs Go") as caught:
        world.toolbox().ensure("spade")
    assert caught.value.hint
    assert "put the tool on PATH" in caught.value.hint


def test_a_go_that_is_too_old_is_not_tried(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.go()
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.19.8")
    with pytest.raises(Permanent, match=r"go1\.19\.8: too old"):
        world.toolbox().ensure("spade")
    assert world.builds == []


@pytest.mark.parametrize(
    ("says", "kind", "hint"),
    [
        ("dial tcp: lookup somewhere: no such host", Transient, "GOPROXY"),
        ("write /x: no space left on device", Permanent, "disk is full"),
        ("go.mod requires go >= 1.99 (running go 1.26; GOTOOLCHAIN=local)", Permanent, "install Go"),
    ],
)
def test_a_failed_build_says_what_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch, says: str, kind: type[Exception], hint: str
) -> None:
    world.go()
    monkeypatch.setenv("FAKE_GO_SAYS", says)
    with pytest.raises(kind) as caught:
        world.toolbox().ensure("spade")
    error = caught.value
    assert isinstance(error, Transient | Permanent)
    assert hint in (error.hint or "")
    assert error.evidence is not None
    assert says in error.evidence.last_lines
    assert world.toolbox().find("spade") is None


def test_a_cache_that_cannot_be_written_is_said(world: World) -> None:
    world.go()
    world.cache.write_text("not a folder")
    with pytest.raises(Permanent, match="cannot write to the cache") as caught:
        world.toolbox().ensure("spade")
    assert "RECONCILER_CACHE" in (caught.value.hint or "")


def test_the_bin_folder_has_exactly_these_and_stays_where_it_is(world: World) -> None:
    world.go()
    box = world.toolbox()
    empty = box.bin_dir("spade")
    assert list(empty.iterdir()) == []
    found = box.ensure("spade", "rake")
    folder = world.toolbox().bin_dir("spade")
    assert folder == empty
    assert [link.name for link in folder.iterdir()] == ["spade"]
    assert (folder / "spade").resolve() == found["spade"].path
    assert box.bin_dir("rake", "spade") == box.bin_dir("spade", "rake") != folder
