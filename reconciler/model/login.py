"""How one logs in to a cloud, settled: whoever logs in after the first look gets this and nothing to decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Login:
    """One account in one region of one cloud. `auth` are Keystone's own words (auth_url, project_name, …) with the
    secret among them, so it is never shown; `auth_type` names the plugin. `cacert`, `cert` and `key` are absolute
    paths; without `verify` the cloud's certificate is not checked. `region` is empty where the cloud has one without
    a name."""

    cloud: str
    auth_type: str
    auth: Mapping[str, str] = field(repr=False)
    region: str = ""
    interface: str = "public"
    verify: bool = True
    cacert: str = ""
    cert: str = ""
    key: str = ""

    def document(self) -> dict[str, object]:
        """A clouds.yaml that leaves nothing to choose: one cloud, one region, no profile."""
        entry: dict[str, object] = {
            "auth_type": self.auth_type,
            "auth": dict(sorted(self.auth.items())),
            "interface": self.interface,
            "verify": self.verify,
        }
        named = {"region_name": self.region, "cacert": self.cacert, "cert": self.cert, "key": self.key}
        return {"clouds": {self.cloud: {**entry, **{name: value for name, value in named.items() if value}}}}
