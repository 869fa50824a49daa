"""A researcher's environment as Kubernetes objects, from the templates of its type."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ...errors import Invalid, Problem
from ...model.desired import Environment
from ...ports import Manifest
from .workload import manifests

_SUFFIXES = (".yaml", ".yml")
_SHOWN = 300  # characters of Jinja's own words, which repeat the template's
# Sandboxed: a template is reviewed as data, and must not be able to do what code can.
_JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def namespace(owner: str) -> str:
    """All environments of one researcher share a namespace, and so a quota."""
    return f"env-{owner}"


def environment(env: Environment, templates: Mapping[str, bytes]) -> list[Manifest]:
    """Render every template of the environment's type. `templates` are YAML files with Jinja2 in them.

    Raises Invalid with file and line when a template, or what it makes, is wrong.
    """
    if not templates:
        message = f"there are no templates for environments of type {env.spec.type}"
        raise Invalid(message, hint=f"add manifests/environments/{env.spec.type}/")
    names = [name for name in sorted(templates) if name.endswith(_SUFFIXES)]
    rendered = {name: _render(name, templates[name], variables(env)).encode() for name in names}
    return manifests(rendered, namespace(env.spec.owner))


def variables(env: Environment) -> dict[str, str | None]:
    """What a template may refer to; `image` and `expires` are None where the environment does not say."""
    spec = env.spec
    return {
        "name": env.name,
        "owner": spec.owner,
        "type": spec.type,
        "namespace": namespace(spec.owner),
        "image": spec.image,
        "cpu": spec.cpu,
        "memory": spec.memory,
        "volume": spec.volume,
        "expires": spec.expires,
    }


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
