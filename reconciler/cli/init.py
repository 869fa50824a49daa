"""`reconciler init`: a new GitOps repository with a first cluster in it, ready to be looked at and changed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from .. import starter
from ..errors import Invalid
from .context import context
from .show import out

_LONGEST = 16 * 1024  # no public key is longer; whoever names a disk image by mistake is told so at once


def init(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or an empty folder, or a git repository.")],
    name: Annotated[str, typer.Option("--name", help="What the first cluster is called.")] = "research",
    cloud: Annotated[str, typer.Option("--cloud", help="The name of its cloud in clouds.yaml.")] = "openstack",
    ssh_key: Annotated[
        Path | None, typer.Option("--ssh-key", metavar="FILE", help="The public key, such as ~/.ssh/id_ed25519.pub.")
    ] = None,
    git: Annotated[bool, typer.Option("--git/--no-git", help="Make it a git repository with a first commit.")] = True,
) -> None:
    """Make a new GitOps repository: an example cluster, the modules it needs, and workflows for GitHub.

    Nothing is overwritten, and no cloud is asked. In a git repository that has no such files yet, only files are
    written, for you to commit.
    """
    mine = context(ctx)
    answers = starter.answered(name, cloud, public_key(ssh_key))
    files = starter.files(answers)
    known = mine.app.settings.git
    made = starter.write(mine.repo / folder, files, git=git, author=(known.author_name, known.author_email))
    done = ", and a first commit" if made.committed else "; nothing is committed yet"
    _say(f"made {made.folder}: {len(files)} files{done}")
    search = shlex.join(["grep", "-rn", starter.UNDECIDED, str(made.folder)])
    _say(f"{starter.UNDECIDED} marks what a person has to decide: {search}")
    _say("next: the three steps in its README.md")


def public_key(file: Path | None) -> str | None:
    """What is in the file of the public key. Raises Invalid when it can't be read, or is more than one line."""
    if file is None:
        return None
    hint = "name the public key, such as ~/.ssh/id_ed25519.pub"
    try:
        with file.expanduser().open("rb") as stream:
            text = stream.read(_LONGEST).decode().strip()
    except OSError as error:
        raise Invalid(f"cannot read the key {str(file)!r}: {error.strerror}", hint=hint) from None
    except UnicodeDecodeError:
        raise Invalid(f"{str(file)!r} is no text", hint=hint) from None
    if text.startswith("-----BEGIN") and "PRIVATE KEY" in text:
        hint = f"name the public half, such as {file}.pub"
        raise Invalid(f"{str(file)!r} is a private key, which never goes into git", hint=hint)
    if "\n" in text:
        raise Invalid(f"{str(file)!r} has more than one line", hint=hint)
    return text


def _say(text: str) -> None:
    out().print(Text(text.encode(errors="backslashreplace").decode()))
