"""A chart's archive from an OCI registry: its manifest by tag, of it the one layer that is pinned, as anybody may."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ...confine import MIB
from ...errors import Invalid, Permanent
from ...model.hosts import itself
from .web import Answer, Target, Web

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CHARTS = ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip")
_MOST = 4 * MIB  # what registries take for a manifest
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass
class Registry:
    """One repository of a registry, as in oci://host/path/name."""

    web: Web
    reference: str
    _token: str = ""

    def archive(self, tag: str, most: int) -> Answer | bytes:
        """The archive of the chart with that tag, or the answer of a registry that does not give it. Raises Permanent
        when what is there is no chart, and what `Web.get` raises."""
        manifest = self._get(f"manifests/{tag.replace('+', '_')}", _MOST, _MANIFEST)
        if manifest.status != 200:
            return manifest
        blob = self._get(f"blobs/{_layer(manifest.body, self.reference)}", most)
        return blob.body if blob.status == 200 else blob

    def _get(self, path: str, most: int, accept: str = "*/*") -> Answer:
        url = f"{self._base}/{path}"
        answer = self.web.get(url, most, accept=accept, token=self._token)
        if answer.status == 401 and not self._token and self._log_in(answer):
            answer = self.web.get(url, most, accept=accept, token=self._token)
        return answer

    @property
    def _base(self) -> str:
        """Registries on this machine speak http://, as docker and helm have it."""
        host, _, path = self.reference.removeprefix("oci://").partition("/")
        scheme = "http" if itself(Target.of(f"https://{host}").host) else "https"
        return Target.of(f"{scheme}://{host}/v2/{path}").url

    def _log_in(self, refused: Answer) -> bool:
        """Get the token that everybody gets, from where the registry says. Its host is judged like any other."""
        challenge = refused.headers.get("www-authenticate", "")
        asked = dict(_PARAMETER.findall(challenge)) if challenge.lower().startswith("bearer ") else {}
        if "realm" not in asked:
            return False
        query = urlencode({name: asked[name] for name in ("service", "scope") if name in asked})
        answer = self.web.get(f"{asked['realm']}{'&' if '?' in asked['realm'] else '?'}{query}", _MOST)
        given = _mapping(answer.body) if answer.status == 200 else {}
        token = given.get("token") or given.get("access_token")
        self._token = token if isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token) else ""
        return bool(self._token)


def _layer(manifest: bytes, reference: str) -> str:
    """The digest of the layer that is the chart. Raises Permanent."""
    layers = _mapping(manifest).get("layers")
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, dict) and layer.get("mediaType") in _CHARTS:
            digest = layer.get("digest")
            if isinstance(digest, str) and _DIGEST.fullmatch(digest):
                return digest
    raise Permanent(f"what {reference} has is no Helm chart", hint="check helm.chart: repository, name and version")


def _mapping(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def reference_of(url: str) -> tuple[str, str]:
    """An oci:// address of an index, as repository and tag. Raises Invalid."""
    repository, colon, tag = url.rpartition(":")
    if not colon or "/" in tag or repository == "oci":
        raise Invalid(f"{url} names no version", hint="the index of the chart repository has a mistake")
    return repository, tag
