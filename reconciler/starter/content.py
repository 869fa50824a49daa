"""What a new GitOps repository holds: the project's own modules and manifests, and an example filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from ..errors import Invalid, Permanent
from ..model.desired.base import CloudName, Model, Name, PublicKey
from ..report.json import schema as report_schema
from ..spec.schema import schemas
from ..spec.validate import validate
from ..spec.yaml import Document, parse

UNDECIDED = "CHANGE-ME"  # stands wherever a person has to decide
# Has the form of a key, so that everything else can be checked, and is none that any cloud takes.
NO_KEY = f"ssh-ed25519 {'CHANGEME' * 8}"

_HERE = Path(__file__).parent
# Links to the project's own files, so that there is one copy of them. A wheel has the files themselves in their place.
_PROJECT = {
    "terraform": "project/terraform",
    "manifests": "project/manifests",
    "kubespray/version.yaml": "project/version.yaml",
    "desired/fleet.yaml": "project/fleet.yaml",
    ".github/constraints.txt": "project/constraints.txt",
}
_TEMPLATES = {
    "desired/@NAME@/cluster.yaml": "cluster.yaml",
    ".github/actions/reconciler/action.yml": "action.yml",
    ".github/workflows/pull-request.yaml": "pull-request.yaml",
    ".github/workflows/plan.yaml": "plan.yaml",
    ".github/workflows/reconcile.yaml": "reconcile.yaml",
    ".github/workflows/drift.yaml": "drift.yaml",
    ".github/requirements.txt": "requirements.txt",
    ".github/CODEOWNERS": "codeowners.txt",
    ".gitlab-ci.yml": "gitlab-ci.yaml",
    ".sops.yaml": "sops.yaml",
    ".gitignore": "gitignore.txt",
    "README.md": "README.md",
}
_KINDS = (".tf", ".yaml", ".md", ".txt")  # not what somebody's tools left beside them
_OPTIONS = {
    "name": ("--name", "lower-case letters, digits and hyphens, a letter first, 40 characters at most: physics-2"),
    "cloud": ("--cloud", "the name below `clouds:` in your clouds.yaml, such as openstack"),
    "publicKey": ("--ssh-key", "name the public half, which ends with .pub; `ssh-keygen -t ed25519` makes both"),
}


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("has characters that nobody sees")
    return text


class Answers(Model):
    """What somebody said about the first cluster."""

    name: Name
    cloud: Annotated[CloudName, AfterValidator(_printable)]
    public_key: PublicKey


def answered(name: str, cloud: str, public_key: str | None) -> Answers:
    """The answers, checked as the desired state would be. Raises Invalid for the first that is wrong."""
    given = {"name": name, "cloud": cloud, "publicKey": NO_KEY if public_key is None else public_key}
    answers, problems = validate(Answers, Document("", given, {}))
    if answers is None:
        option, hint = _OPTIONS[problems[0].path]
        raise Invalid(f"{option}: {problems[0].message}", hint=hint)
    return answers


def files(answers: Answers) -> dict[str, bytes]:
    """Every file of the repository by its path. Raises Permanent when this installation has not got them all."""
    made = {path: content for target, source in _PROJECT.items() for path, content in _copied(target, _HERE / source)}
    words = {
        "@NAME@": answers.name,
        "@CLOUD@": _scalar(answers.cloud),
        "@KEY@": answers.public_key + (f" # {UNDECIDED}: your own" if answers.public_key == NO_KEY else ""),
        "@KUBERNETES@": _newest(made["kubespray/version.yaml"]),
    }
    for target, template in _TEMPLATES.items():
        made[_filled(target, words)] = _filled((_HERE / "templates" / template).read_text("utf-8"), words).encode()
    for name, content in {**schemas(), "report": report_schema()}.items():
        made[f"schema/{name}.json"] = f"{json.dumps(content, indent=2)}\n".encode()
    return dict(sorted(made.items()))


def _copied(target: str, source: Path) -> Iterator[tuple[str, bytes]]:
    """The file `source`, or all below it, as it is to be called."""
    if source.is_file() and Path(target).suffix:
        yield target, source.read_bytes()
    elif source.is_dir():
        for file in sorted(source.rglob("*")):
            path = file.relative_to(source)
            if file.is_file() and file.suffix in _KINDS and not any(part.startswith(".") for part in path.parts):
                yield f"{target}/{path}", file.read_bytes()
    else:
        hint = "use a clone of the project, on a file system with symbolic links, or a wheel that was built from one"
        raise Permanent(f"there is no {target} here to copy", hint=hint)


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub("@[A-Z]+@", lambda found: words[found[0]], text)


def _scalar(text: str) -> str:
    """The text as YAML has to write it so that it is read as text."""
    plain = re.fullmatch(r"[\w.-]+", text, re.ASCII) and parse("", text.encode())[0].value == text
    return text if plain else json.dumps(text, ensure_ascii=False)


def _newest(version: bytes) -> str:
    """The newest Kubernetes that the pinned Kubespray installs."""
    return str(parse("kubespray/version.yaml", version)[0].value["kubernetes"]["newest"])
