"""Researchers' environments as Kubernetes objects, from the templates of their types and what they all share."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ...errors import Invalid, Problem
from ...model.desired import Environment
from ...ports import Manifest
from ..sealed import NONE, Encrypted
from .scope import Scoped
from .workload import manifests

FOLDER = "manifests/environments"
# Beside the types' folders: what every environment has, and what one researcher's environments share.
COMMON, OWNER = f"{FOLDER}/common", f"{FOLDER}/owner"

_SUFFIXES = (".yaml", ".yml")
_SHOWN = 300  # characters of Jinja's own words, which repeat the template's


def _digest(value: object) -> str:
    """Names a value's content: sixteen characters, the same for the same."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


# Sandboxed: a template is reviewed as data, and must not be able to do what code can.
_JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
_JINJA.filters["digest"] = _digest


def namespace(owner: str) -> str:
    """All environments of one researcher share a namespace, and so a quota."""
    return f"env-{owner}"


def environment(
    env: Environment,
    templates: Mapping[str, bytes],
    today: datetime.date | None = None,
    scoped: Scoped = frozenset(),
    encrypted: Encrypted = NONE,
) -> list[Manifest]:
    """Render every template of the environment's type. `templates` are YAML files with Jinja2 in them, as git has them:
    what SOPS `encrypted` is opened in the Secrets that come out. Without `today` nothing has expired; `scoped` are
    kinds without namespaces that others define.

    Raises Invalid with file and line when a template, or what it makes, is wrong.
    """
    if not templates:
        message = f"there are no templates for environments of type {env.spec.type}"
        raise Invalid(message, hint=f"add {FOLDER}/{env.spec.type}/")
    return _made(templates, variables(env, today), namespace(env.spec.owner), scoped, encrypted)


def shared(
    owner: str,
    environments: Sequence[Environment],
    templates: Mapping[str, bytes],
    scoped: Scoped = frozenset(),
    encrypted: Encrypted = NONE,
) -> list[Manifest]:
    """What the `environments`, all of one owner, have in common: their namespace and its fences."""
    levels = {env.spec.pod_security for env in environments}
    resources = sorted({env.spec.gpu_resource for env in environments if env.spec.gpu})
    values = {
        "owner": owner,
        "namespace": namespace(owner),
        "pod_security": "baseline" if "baseline" in levels else "restricted",
        "gpu_resources": resources,
    }
    return _made(templates, values, namespace(owner), scoped, encrypted)


def variables(env: Environment, today: datetime.date | None = None) -> dict[str, Any]:
    """What a template may refer to: the spec's own keys in snake case, `image` and `expires` None where the environment
    does not say; its name, its namespace, and whether its last day is over."""
    said = env.spec.model_dump(mode="json")
    more = {"name": env.name, "namespace": namespace(env.spec.owner)}
    return {**said, **more, "expired": today is not None and env.expired(today)}


def _made(
    templates: Mapping[str, bytes],
    values: Mapping[str, object],
    namespace_: str,
    scoped: Scoped,
    encrypted: Encrypted,
) -> list[Manifest]:
    names = [name for name in sorted(templates) if name.endswith(_SUFFIXES)]
    rendered = {name: _render(name, templates[name], values).encode() for name in names}
    return manifests(rendered, namespace_, scoped, encrypted)


def by_owner(environments: Iterable[Environment]) -> dict[str, list[Environment]]:
    """The environments of each owner, in the order they stand."""
    found: dict[str, list[Environment]] = {}
    for env in environments:
        found.setdefault(env.spec.owner, []).append(env)
    return found


def _render(file: str, text: bytes, values: Mapping[str, object]) -> str:
    try:
        return _compiled(text).render(values)
    except (TemplateError, UnicodeDecodeError, TypeError, ValueError, ArithmeticError) as error:
        line = error.lineno if isinstance(error, TemplateSyntaxError) else _line(error)
        problem = Problem(file, line, 1, "", f"the template can't be rendered: {str(error)[:_SHOWN]}")
        raise Invalid("an environment's template has a mistake", problems=[problem]) from None


@lru_cache(maxsize=64)  # a hundred environments of one type share its templates
def _compiled(text: bytes) -> Template:
    return _JINJA.from_string(text.decode())


def _line(error: BaseException) -> int:
    """Jinja2 gives the traceback's innermost frame the template's own line."""
    line, frame = 1, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
