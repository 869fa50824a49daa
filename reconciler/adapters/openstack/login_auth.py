"""The account in an entry of clouds.yaml, in the words that the SDK and Terraform's provider share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import Invalid

_TYPES = ("password", "v3password", "token", "v3token", "v3applicationcredential")
_SCOPE = (
    *("project_id", "project_name", "project_domain_id", "project_domain_name"),
    *("domain_id", "domain_name", "system_scope", "trust_id"),
)
_USER = ("username", "user_id", "user_domain_id", "user_domain_name")
_CREDENTIAL = ("application_credential_id", "application_credential_name", "application_credential_secret")
_WORDS = {
    "password": ("password", *_USER, *_SCOPE),
    "token": ("token", *_SCOPE),
    "applicationcredential": (*_CREDENTIAL, *_USER),
}
_HINT = "make an application credential in the dashboard: it is meant for programs"


def check(cloud: str, config: Mapping[str, Any]) -> None:
    """Raise Invalid for a plugin that only the SDK has, for an application credential that is called a password, and
    where there is no auth_url. `config` is the SDK's, before it made a plugin of it."""
    kind, auth = str(config.get("auth_type")), config.get("auth") or {}
    if kind not in _TYPES:
        known = ", ".join(_TYPES)
        raise Invalid(f"cloud {cloud!r}: auth_type {kind} is none that Terraform knows ({known})", hint=_HINT)
    if auth.get("application_credential_secret") and not kind.endswith("applicationcredential"):
        hint = "write `auth_type: v3applicationcredential` beside `auth`"
        raise Invalid(f"cloud {cloud!r}: clouds.yaml has an application credential, and auth_type {kind}", hint=hint)
    if not (auth.get("auth_url") or config.get("auth_url")):
        raise Invalid(f"cloud {cloud!r}: clouds.yaml is incomplete: there is no auth_url", hint="it is Keystone's URL")


def authentication(config: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the plugin's name and what it is given. `config` is the SDK's, with every option where it belongs."""
    kind, auth = str(config.get("auth_type")), config.get("auth") or {}
    words = ("auth_url", *_WORDS[kind.removeprefix("v3")])
    told = {word: str(auth[word]) for word in words if auth.get(word) not in (None, "")}
    return kind, {**told, **_domains(auth, told)}


def _domains(auth: Mapping[str, Any], told: Mapping[str, str]) -> dict[str, str]:
    """A default domain is that of user and project, where these say nothing of their own."""
    default = next(((form, str(auth[k])) for form in ("id", "name") if (k := f"default_domain_{form}") in auth), None)
    if default is None:
        return {}
    form, value = default
    needs = {"user": "username" in told, "project": "project_name" in told}
    return {
        f"{whose}_domain_{form}": value
        for whose, wanted in needs.items()
        if wanted and not any(f"{whose}_domain_{any_form}" in told for any_form in ("id", "name"))
    }
