"""Charts and kustomizations as people publish them go through the search for secrets, by the real programs; what they
say is no secret stays none in what comes out; a real one among it does not go through."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.adapters.helm import Helm
from reconciler.adapters.kustomize import Kustomize
from reconciler.errors import Invalid
from reconciler.spec import desired_state
from reconciler.spec.render import objects
from reconciler.toolchain import Toolbox
from tests.contract.test_public_manifests import definition
from tests.unit.examples import CLUSTER, FILE

pytestmark = pytest.mark.live

CANARY = "canary7f3a91c0"
C, K = "manifests/hub", "manifests/k"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"  # put together, so that a search for secrets finds real ones only
# The shapes of JupyterHub's chart: a schema for authors only, a proxy's list of headers, passwords kept or made.
CHART = {
    f"{C}/Chart.yaml": "apiVersion: v2\nname: hub\nversion: 0.0.1-set.by.build\n",
    f"{C}/.helmignore": "# not part of the package\nvalues.schema.yaml\n\n.git/\n*.swp\n",
    f"{C}/values.yaml": "hub:\n  cookieSecret:\n  config: {}\nproxy: {secretToken: }\n",
    f"{C}/values.schema.yaml": f"""\
properties:
  key:
    description: |
      The key, such as

      ```
      {KEY}
      {CANARY}
      -----END RSA PRIVATE KEY-----
      ```
""",
    f"{C}/templates/_helpers.tpl": '{{- define "hub.token" -}}{{ .Values.proxy.secretToken }}{{- end }}\n',
    f"{C}/templates/_configmap-traefik.yaml": """\
{{- define "traefik.yaml" -}}
accessLog:
  fields:
    headers:
      names:
        Authorization: redacted
        Cookie: redacted
        X-Xsrftoken: redacted
{{- end }}
""",
    f"{C}/templates/hub.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: traefik}
data:
  traefik.yaml: |
    {{- include "traefik.yaml" . | nindent 4 }}
  args: --mysql-native-password=ON
---
apiVersion: v1
kind: Secret
metadata: {name: hub}
data:
  {{- with include "hub.token" . }}
  hub.config.ConfigurableHTTPProxy.auth_token: {{ . | b64enc | quote }}
  {{- end }}
""",
}
KUSTOMIZATION = {
    f"{K}/kustomization.yaml": "resources: [a.yaml, huge.yaml]\nconfigMapGenerator: [{name: c, files: [app.ini]}]\n",
    f"{K}/app.ini": f"# not-secret: the test account of the public demo\npassword = {CANARY}x\n",
    f"{K}/huge.yaml": definition("huge.example.org"),
    f"{K}/a.yaml": f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: a}}
data:
  # not-secret: the test account of the public demo
  url: https://demo:{CANARY}@example.org/
  connectionString: zookeeper.field.svc:2181
""",
}


def files(path: str, parts: dict[str, str]) -> dict[str, bytes]:
    cluster = f"{CLUSTER}  workloads: [{{name: w, path: {path}}}]\n"
    return {FILE: cluster.encode(), **{name: text.encode() for name, text in parts.items()}}


@pytest.fixture(scope="module")
def tools(toolbox: Toolbox) -> dict[str, Path]:
    return {name: found.path for name, found in toolbox.ensure("kubectl", "helm").items()}


def made(tools: dict[str, Path], cache: Path, given: dict[str, bytes]) -> dict[str, dict[str, object]]:
    kustomize = Kustomize(lambda: tools["kubectl"], "1", cache / "kustomize")
    helm = Helm(lambda: tools["helm"], "1", cache / "helm", online=False)
    desired_state.refuse_plain_secrets(given)
    (cluster,) = desired_state.load(given, kustomize, None, helm)
    return {str(m["metadata"]["name"]): dict(m) for m in objects.workloads(cluster, given)}


def test_the_source_of_a_chart_goes_through(tools: dict[str, Path], tmp_path: Path) -> None:
    found = made(tools, tmp_path, files(C, CHART))
    assert "X-Xsrftoken: redacted" in str(found["traefik"]["data"])


def test_a_secret_in_the_same_chart_is_refused_with_a_hint_that_fits(tools: dict[str, Path], tmp_path: Path) -> None:
    template = f"{C}/templates/hub.yaml"
    spoilt = {**CHART, template: CHART[template].replace("password=ON", f"password={CANARY}\n  password: {CANARY}")}
    with pytest.raises(Invalid) as caught:
        made(tools, tmp_path, files(C, spoilt))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (template, 8)
    assert "the chart's values" in (problem.hint or "")
    assert CANARY not in repr(problem)


def test_what_kustomize_makes_has_more_than_a_mib_and_lines_that_are_no_secrets(
    tools: dict[str, Path], tmp_path: Path
) -> None:
    found = made(tools, tmp_path, files(K, KUSTOMIZATION))
    assert "huges.huge.example.org" in found
    assert f"https://demo:{CANARY}@example.org/" in str(found["a"])


def test_without_the_reason_they_are_secrets(tools: dict[str, Path], tmp_path: Path) -> None:
    spoilt = {
        name: text.replace("# not-secret: the test account of the public demo\n", "#\n")
        for name, text in KUSTOMIZATION.items()
    }
    with pytest.raises(Invalid) as caught:
        made(tools, tmp_path, files(K, spoilt))
    assert caught.value.problems
    assert CANARY not in repr(caught.value.problems)
