"""Documents that lie are worse than none: what README and docs say of commands, files and settings is checked here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel

from reconciler import settings
from reconciler.cli.verbs import app
from reconciler.model.desired import Application, Cluster, Environment
from reconciler.spec.validate import validate
from reconciler.spec.yaml import parse

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "terraform").glob("*/README.md")])
# Addresses of package indexes and folders of one machine have no place in a document for everybody.
# The words are put together here so that this file keeps its own rule.
FORBIDDEN = (
    *tuple(
        ".".join(words)
        for words in (("pypi", "org"), ("proxy", "golang"), ("registry", "opentofu"), ("registry", "terraform"))
    ),
    "pythonhosted",
    *(f"/{folder}/" for folder in ("work", "tmp")),
)
COMMAND_LINE: Any = typer.main.get_command(app)  # of a type that typer keeps to itself
KINDS: dict[str, type[BaseModel]] = {"Cluster": Cluster, "Environment": Environment, "Application": Application}

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))


def prose(text: str) -> str:
    """The text without its fenced and indented blocks."""
    return re.sub(r"^(?: {4}|\t).*$", "", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), flags=re.M)


def code(text: str) -> Iterator[str]:
    """Every line of code: of fenced and indented blocks, and what stands in backticks."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S):
        yield from block.splitlines()
    yield from re.findall(r"^ {4}(.*)$", text, re.M)
    yield from spans(text)


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(text))


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for block in re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.M | re.S):
            yield document, block


def between(document: str, mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->(.*)<!-- /{mark} -->", (ROOT / document).read_text(), re.S)
    assert found, f"{document} has no {mark}"
    return found[1]


def complain(line: str) -> str:
    """Why a line's `reconciler …` is no command of ours; empty when it is one, or there is none."""
    found = re.search(r"(?:^|[\s$;(]|-m |bin/)reconciler ((?:-C|--repo|--config) \S+ |-q |--quiet )*([a-z].*)$", line)
    if not found or re.match(r"\S*\.cluster=", found[2]):
        return ""
    command: Any = COMMAND_LINE
    words = re.split(r"\s+#|[;&|)]", found[2])[0].split()
    while hasattr(command, "commands"):
        word = words.pop(0) if words else ""
        if word not in command.commands:
            return f"no command {word!r} in {line!r}"
        command = command.commands[word]
    words = words[: words.index("--")] if "--" in words else words  # what follows is another program's
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    strange = [w for w in words if w.startswith("-") and w.split("=")[0] not in known]
    return f"no option {strange} in {line!r}" if strange else ""


@every_document
def test_every_command_exists_with_its_options(document: Path) -> None:
    assert [said for line in code(document.read_text()) if (said := complain(line))] == []


def test_the_makefile_calls_commands_that_exist() -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    called = [line for line in lines if "-m reconciler " in line]
    assert called
    assert [said for line in called if (said := complain(line))] == []


@pytest.mark.parametrize(
    "line", ["reconciler conquer", "  $ reconciler -C x sandbox sideways", "reconciler run --fast"]
)
def test_a_command_that_is_none_is_found(line: str) -> None:
    assert complain(line)


def test_every_verb_is_explained_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    assert [verb for verb in COMMAND_LINE.commands if f"`reconciler {verb}" not in text] == []


@every_document
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {m[1] for line in code(document.read_text()) if (m := re.match(r"\s*make ([a-z-]+)", line))}
    assert named - targets == set()


@every_document
def test_every_path_in_backticks_exists(document: Path) -> None:
    """Paths of the repository, from its root or from reconciler/; <name> and * stand for anything."""
    missing = []
    for span in spans(document.read_text()):
        if not re.fullmatch(r"[\w.<>*-]+(/[\w.<>*-]*)+", span):
            continue
        base = next((b for b in (ROOT, ROOT / "reconciler") if (b / span.split("/")[0]).is_dir()), None)
        pattern = re.sub(r"<[^>]*>", "*", span).rstrip("/")
        if base and not any(base.glob(pattern)):
            missing.append(span)
    assert missing == []


@every_document
def test_every_link_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    assert [t for t in targets if "://" not in t and not (document.parent / t).exists()] == []


@every_document
def test_nothing_of_one_machine_or_one_index(document: Path) -> None:
    assert [word for word in FORBIDDEN if word in document.read_text()] == []


def test_settings_shown_are_settings(tmp_path: Path) -> None:
    shown = [(document, block) for document, block in blocks("yaml") if "reconciler/config.yaml" in block]
    assert len(shown) >= 2
    for document, block in shown:
        file = tmp_path / f"{document.stem}.yaml"
        file.write_text(block)
        assert settings.load(file).clouds is not None, document


def test_the_table_of_settings_is_complete() -> None:
    said = set(re.findall(r"^\| `(\w+)` \|", between("docs/install.md", "settings"), re.M))
    assert said == {field.alias for field in settings.Settings.model_fields.values()}


def test_desired_state_shown_is_valid() -> None:
    shown = [(document, block) for document, block in blocks("yaml") if block.startswith("apiVersion:")]
    assert shown
    for document, block in shown:
        (parsed,) = parse(document.name, block.encode())
        made, problems = validate(KINDS[parsed.value["kind"]], parsed)
        assert made is not None, problems


def test_messages_in_the_troubleshooting_table_are_really_said() -> None:
    """`…` stands for what is filled in; the rest must stand in the code, word for word."""
    first_cells = re.findall(r"^\| (.+?) \|", between("docs/install.md", "messages"), re.M)
    messages = [m for cell in first_cells for m in re.findall(r"`([^`]+)`", cell)]
    assert len(messages) > 20
    texts = said_by_the_code()
    pieces = [(m, p) for m in messages for part in m.split("…") if len(p := part.strip(" ':")) > 3]
    assert [(m, p) for m, p in pieces if not any(p in text for text in texts)] == []


@cache
def said_by_the_code() -> tuple[str, ...]:
    trees = (ast.parse(file.read_text()) for file in (ROOT / "reconciler").rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree))
    return tuple(n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))


def test_exit_codes_in_the_readme_are_those_of_the_code() -> None:
    from reconciler.errors import Blocked, Invalid, Permanent, Transient
    from reconciler.model.outcome import Status

    said = {int(c) for c in re.findall(r"^\| (\d) \|", (ROOT / "README.md").read_text(), re.M)}
    errors = {kind.exit_code for kind in (Transient, Permanent, Blocked, Invalid)}
    assert said == errors | {status.exit_code for status in Status}


def test_versions_in_the_technology_overview_are_the_pinned_ones() -> None:
    text = (ROOT / "docs/technology.md").read_text()
    pins = re.findall(r"^\s+version: (\S+)", (ROOT / "reconciler/toolchain/pins.yaml").read_text(), re.M)
    lists = (ROOT / "constraints.txt", ROOT / "reconciler/sandbox/openstack/requirements.txt")
    packages = [version for file in lists for version in re.findall(r"^[\w.-]+==([\w.]+)", file.read_text(), re.M)]
    pinned = {*pins, *packages}
    said = set(re.findall(r"(?<![\w.])\d+\.\d+\.\d+(?![\w.])", text))
    assert said - pinned == set()
    assert set(pins) - said == {"1.7.12", "8.30.1"}, "actionlint and gitleaks are for the tests; the rest is explained"
