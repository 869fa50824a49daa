"""The providers' mirror, as OpenTofu and Terraform look it up."""

from __future__ import annotations

from pathlib import Path

from reconciler.toolchain import Toolbox
from reconciler.toolchain.pins import Module, Pins, Tool, system

from .conftest import World


def provider(world: World, text: str = "plants trees") -> Toolbox:
    module = Module("trees", world.root / "module", packages=1)
    tool = Tool("terraform-provider-trees", "2.0.1", "exact", module, "example.org/trees", provider="grove/trees")
    program = world.root / "path" / tool.program
    if not program.exists():
        program.write_text(text)
        program.chmod(0o755)
    return Toolbox(world.cache, progress=world.heard, pins=Pins({tool.name: tool}))


def test_both_registries_have_real_files(world: World) -> None:
    mirror = provider(world).provider_mirror()
    files = sorted(str(path.relative_to(mirror)) for path in mirror.rglob("*") if path.is_file())
    place = f"grove/trees/2.0.1/{'_'.join(system())}/terraform-provider-trees_v2.0.1"
    assert files == [f"registry.opentofu.org/{place}", f"registry.terraform.io/{place}"]
    assert not [path for path in mirror.rglob("*") if path.is_symlink()]
    assert all((mirror / file).stat().st_mode & 0o111 for file in files)


def test_the_configuration_names_the_mirror_and_nothing_else(world: World) -> None:
    box = provider(world)
    text = box.cli_config().read_text()
    assert f'path = "{box.provider_mirror()}"' in text
    assert "direct" not in text


def test_another_provider_gets_another_folder_and_the_old_one_stays(world: World) -> None:
    before = provider(world).provider_mirror()
    assert provider(world).provider_mirror() == before
    (world.root / "path" / "terraform-provider-trees_v2.0.1").unlink()
    after = provider(world, "plants bushes").provider_mirror()
    assert contents(after) == {"plants bushes"}
    assert contents(before) == {"plants trees"}


def test_a_provider_of_another_version_on_path_is_not_seen(world: World) -> None:
    box = provider(world)
    pinned = world.root / "path" / "terraform-provider-trees_v2.0.1"
    pinned.rename(pinned.with_name("terraform-provider-trees_v3.0.0"))
    assert box.find("terraform-provider-trees") is None


def contents(mirror: Path) -> set[str]:
    return {path.read_text() for path in mirror.rglob("*") if path.is_file()}
