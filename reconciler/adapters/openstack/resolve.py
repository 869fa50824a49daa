"""What clouds.yaml means, settled once by the SDK's own rules: regions, profile, secure.yaml and all.

Terraform's provider reads the same file by other rules. So it gets the result (`Login`), and what it could not be told
is refused by name here, before anything looks at the cloud.

Files of the working folder never count: it is a clone, and who may push there would decide where the secret is sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from ...errors import Invalid, Permanent
from ...importing import one_at_a_time
from ...model.login import Login
from .login_auth import authentication, check

_WHERE = "download it from the dashboard (Identity → Application Credentials) and name it with OS_CLIENT_CONFIG_FILE"
# The services that Terraform asks, as clouds.yaml calls them in what holds for one of them alone.
_SERVICES = ("compute", "network", "image", "block_storage", "volume", "volumev3", "load_balancer", "identity")
_OWN = {"endpoint_override": "", "region_name": "region_name", "interface": "interface"}


def resolve(
    cloud: str, clouds_file: Path | None, timeout: float, region: str | None = None, *, alone: bool = True
) -> tuple[Any, Login]:
    """Return the SDK's configuration of one region of `cloud`, and the login it amounts to. Asks nobody. `region`
    names the region where clouds.yaml does not; `timeout` in seconds holds for each request later on. Not `alone`:
    the user's usual places are other repositories' as well, and only files beside `clouds_file` count.

    Raises Permanent (no clouds.yaml), Invalid (what it says can't be used by all that log in), and what the SDK
    raises for options that are missing.
    """
    try:
        return _resolved(cloud, clouds_file, timeout, region, alone)
    except (AttributeError, KeyError, TypeError, ValueError):  # whose words could repeat what stands there
        hint = "compare it with the one that the dashboard gives (Identity → Application Credentials)"
        raise Invalid(
            f"cloud {cloud!r}: clouds.yaml has something of another kind than is asked for", hint=hint
        ) from None


def _resolved(
    cloud: str, clouds_file: Path | None, timeout: float, region: str | None, alone: bool
) -> tuple[Any, Login]:
    config = _configuration(cloud, clouds_file, alone)
    entry = _entry(config, cloud)
    _check_profile(config, cloud, entry)
    chosen = _region(config, cloud, entry) or region
    check(cloud, config.get_one(cloud=cloud, region_name=chosen, validate=False).config)
    found = config.get_one(cloud=cloud, region_name=chosen, api_timeout=timeout)
    return found, _login(cloud, found)


def written(found: Any) -> tuple[int, ...]:
    """When the files that a configuration was read from were written; 0 for one that is gone."""
    config = found._openstack_config
    places = [Path(name) for name in (config.config_filename, config.secure_config_filename) if name]
    return tuple(place.stat().st_mtime_ns if place.exists() else 0 for place in places)


def _configuration(cloud: str, clouds_file: Path | None, alone: bool) -> Any:
    with one_at_a_time:  # 0.5 s that `validate` need not pay
        from openstack.config import loader

    if clouds_file is not None and not clouds_file.is_file():
        raise Permanent(f"cloud {cloud!r}: there is no {clouds_file}", hint=_WHERE)
    beside = [str(clouds_file.resolve().parent)] if clouds_file else []
    usual = loader.CONFIG_SEARCH_PATH[1:] if alone else ()  # the first one is the working folder
    named = os.environ.get("OS_CLIENT_SECURE_FILE") if alone else None
    config = loader.OpenStackConfig(
        config_files=[str(clouds_file)] if clouds_file else _in(usual, "clouds"),
        secure_files=[*([named] if named else []), *_in([*beside, *usual], "secure")],
        vendor_files=_in([*beside, *usual], "clouds-public"),
        load_envvars=False,
    )
    if not config.config_filename:
        raise Permanent(f"cloud {cloud!r}: no clouds.yaml was found", hint=_WHERE)
    return config


def _in(folders: Sequence[str], name: str) -> list[str]:
    return [str(Path(folder, f"{name}{suffix}")) for folder in folders for suffix in (".yaml", ".yml", ".json")]


def _entry(config: Any, cloud: str) -> Mapping[str, Any]:
    clouds = config.cloud_config.get("clouds")
    entry = clouds.get(cloud) if isinstance(clouds, dict) else None
    if isinstance(entry, dict):
        return entry
    raise Invalid(
        f"cloud {cloud!r} is not in clouds.yaml" if entry is None else f"cloud {cloud!r}: clouds.yaml holds no mapping",
        hint="`spec.cloud` must be one of the names below `clouds:`",
    )


def _check_profile(config: Any, cloud: str, entry: Mapping[str, Any]) -> None:
    """A profile that is a URL, or that leads to one, would be fetched: whoever answers there would be told the secret.
    One that nobody knows is passed over by the SDK with a warning."""
    from openstack.config import vendors

    name = entry.get("profile", entry.get("cloud"))
    if not name:
        return
    if not isinstance(name, str):
        raise TypeError("a profile is a name")
    _, public = config._load_vendor_file()
    if isinstance(public, dict) and name in (public.get("public-clouds") or {}):
        return
    known = name in vendors.profiles()
    built_in = (vendors.get_profile(name) or {}) if known else {}
    url = next((u for u in (name, str(built_in.get("profile") or "")) if urlparse(u).netloc), None)
    hint = "write auth_url and region_name into clouds.yaml, or the profile's values into clouds-public.yaml beside it"
    if url:
        raise Invalid(
            f"cloud {cloud!r}: its profile {name!r} would be fetched from {url}, which is not done", hint=hint
        )
    if not known:
        raise Invalid(f"cloud {cloud!r}: nobody knows the profile {name!r} of clouds.yaml", hint=hint)


def _region(config: Any, cloud: str, entry: Mapping[str, Any]) -> str | None:
    """The one region that is meant; None where clouds.yaml names none."""
    regions = entry.get("regions")
    if regions is not None and not (isinstance(regions, list) and all(map(_is_region, regions))):
        hint = "each is a name, or {name: …, values: {…}}"
        raise Invalid(f"cloud {cloud!r}: `regions` of clouds.yaml is no list of regions", hint=hint)
    names = [str(region["name"]) for region in config._get_known_regions(cloud) if region["name"]]
    said = entry.get("region_name")
    if isinstance(said, str) and said and "," not in said:
        if names and said not in names:
            listed = ", ".join(names)
            raise Invalid(f"cloud {cloud!r}: region_name {said!r} is none of its regions: {listed}", hint=_ONE)
        return said
    if len(names) > 1:
        raise Invalid(f"cloud {cloud!r} has several regions in clouds.yaml: {', '.join(names)}", hint=_ONE)
    return names[0] if names else None


_ONE = "say which one with `region_name` in clouds.yaml; for more than one make an entry for each"


def _is_region(value: object) -> bool:
    if isinstance(value, dict):
        return (
            isinstance(value.get("name"), str)
            and set(value) <= {"name", "values"}
            and (isinstance(value.get("values", {}), dict))
        )
    return isinstance(value, str)


def _login(cloud: str, found: Any) -> Login:
    for key, value in _of_one_service(found.config):
        raise Invalid(
            f"cloud {cloud!r}: {key} of clouds.yaml ({value}) holds for one service only, and Terraform can't be told",
            hint="leave it out: all services are asked at the addresses of the cloud's own catalogue",
        )
    verify, certificate = found.get_requests_verify_args()
    cert, key = certificate if isinstance(certificate, tuple) else (certificate, certificate)
    authorities = verify if isinstance(verify, str) else _authorities() if verify else None
    auth_type, auth = authentication(found.config)
    return Login(
        cloud,
        auth_type,
        auth,
        region=found.region_name or "",
        interface=_interface(cloud, found.config.get("interface")),
        verify=bool(verify),
        cacert=_file(cloud, "cacert", authorities),
        cert=_file(cloud, "cert", cert),
        key=_file(cloud, "key", key),
    )


def _of_one_service(config: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What says of one service other than of all."""
    for service in _SERVICES:
        for suffix, general in _OWN.items():
            value = config.get(f"{service}_{suffix}")
            if value and value != config.get(general):
                yield f"{service}_{suffix}", value


def _authorities() -> str | None:
    """Where Python looks for a cloud's authority, and Go does not."""
    return next((v for n in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if (v := os.environ.get(n))), None)


def _interface(cloud: str, said: object) -> str:
    names = [said] if isinstance(said, str) else said if isinstance(said, list) else ["public"]
    plain = [str(name).removesuffix("URL") for name in names]
    if len(plain) != 1 or plain[0] not in ("public", "internal", "admin"):
        hint = "it is one of public, internal and admin"
        raise Invalid(f"cloud {cloud!r}: interface of clouds.yaml is {', '.join(plain) or 'empty'}", hint=hint)
    return plain[0]


def _file(cloud: str, key: str, path: object) -> str:
    """An absolute path: programs that are given it run elsewhere."""
    if not path:
        return ""
    place = Path(str(path)).expanduser().resolve()
    if not place.exists():
        hint = "name the file by its whole path; nothing was sent to the cloud"
        raise Invalid(f"cloud {cloud!r}: {key} of clouds.yaml names {path}, which is not there", hint=hint)
    return str(place)
