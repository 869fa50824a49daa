"""What is taken for no secret: words that stand for one, lines that say so with a reason, files that are no part of a
chart. What is secret is refused beside all of them."""

from __future__ import annotations

import pytest

from reconciler.errors import Invalid
from reconciler.spec import desired_state, helmignore, secrets
from reconciler.spec.yaml import parse
from tests.unit.examples import CLUSTER, FILE

CANARY = "canary7f3a91c0"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"  # put together, so that a search for secrets finds real ones only


def found(text: str, file: str = "manifests/w/a.yaml") -> list[str]:
    problems = [p for document in parse(file, text.encode()) for p in secrets.check(document, text.encode())]
    assert CANARY not in repr(problems)
    return [problem.path for problem in problems]


@pytest.mark.parametrize(
    "entry",
    [
        "internalConnectionString: zookeeper.field.svc:2181",
        "internalConnectionString: zookeeper:2181",
        "connectionString: 'zk-0.zk.field.svc:2181,zk-1.zk.field.svc:2181/kafka'",
        "connectionString: postgres://db.field.svc:5432/sid?sslmode=verify-full",
        "connectionString: jdbc:postgresql://db:5432/sid",
        "connectionString: 'Host=db;Port=5432;Database=sid;Username=sid;Password=${DB_PASSWORD}'",
        "connectionString: host=db port=5432 dbname=sid",
        "token: 10.0.0.7:8200",
        "secret: '[2001:db8::7]:8200'",
        "clientSecret: $CLIENT_SECRET",
        "clientSecret: $client_secret",
        "clientSecret: $(CLIENT_SECRET)",
        "clientSecret: ${CLIENT_SECRET}",
        "clientSecret: ${CLIENT_SECRET:-}",
        "password: $__file{/etc/secrets/admin}",
        "password: '%(db_password)s'",
        "token: vault:secret/data/app#token",
        "token: ref+vault://secret/app#/token",
        "token: env:APP_TOKEN",
        "connectionString: postgresql://$(USER):$(PASSWORD)@db/sid",
        "connectionString: 'postgres://sid:${DB_PASSWORD}@${DB_HOST}:5432/sid?sslmode=require'",
        "connectionString: 'redis://:$REDIS_PASSWORD@redis:6379/0'",
        "connectionString: postgres://app@db.field.svc/sid",
        "token: '%APP_TOKEN%'",
        "token: '@@APP_TOKEN@@'",
        "token: arn:aws:secretsmanager:eu-central-1:123456789012:secret:app",
        "password: n/a",
        "password: hidden",
        "X-Xsrftoken: redacted",
        "password: '[REDACTED]'",
        "password: <the password>",
        "password: '***'",
        "password: xxxxx",
        "password: '...'",
        "args: [--mysql-native-password=ON]",
        "args: ['--token=$TOKEN', '--require-password=off']",
        "env: [{name: DB_PASSWORD, value: $(DB_PASSWORD)}]",
        "url: https://sid:redacted@example.org/",
        f"description: 'such as {KEY} ... -----END RSA PRIVATE KEY-----'",
    ],
)
def test_words_that_stand_for_a_secret(entry: str) -> None:
    assert found(entry) == []


@pytest.mark.parametrize(
    "entry",
    [
        f"connectionString: {CANARY}",
        f"connectionString: postgres://sid:{CANARY}@db.field.svc:5432/sid",
        f"connectionString: 'Host=db;Port=5432;Password={CANARY}'",
        f"connectionString: 'Endpoint=sb://a.example.org/;SharedAccessKeyName=a;SharedAccessKey={CANARY}'",
        f"connectionString: https://a.example.org/c?sig={CANARY}",
        f"connectionString: redis://:{CANARY}@redis:6379/0",
        f"connectionString: https://{CANARY}@sentry.example.org/1",
        f"connectionString: 'postgres://sid:${{USER}}{CANARY}@db/sid'",
        f"connectionString: 'postgres://sid:${{DB_PASSWORD}}@db/sid?password={CANARY}'",
        f"token: 'arn:aws:iam::1:{CANARY}'",
        f"token: '%{CANARY}%'",
        f"password: {CANARY}:2181",
        f"password: sid:{CANARY}",
        f"password: '${CANARY}'",
        f"password: '$ABC{CANARY}'",
        "password: '$ECRET!'",
        f"password: '${{USER}}{CANARY}'",
        f"password: redacted-{CANARY}",
        f"password: {CANARY}.example.org",
        f"args: ['--mysql-native-password={CANARY}']",
        f"note: '{KEY} {CANARY}'",
        f"url: https://sid:{CANARY}@example.org/",
    ],
)
def test_a_secret_beside_them_is_refused(entry: str) -> None:
    assert len(found(entry)) == 1


@pytest.mark.parametrize(
    "comment",
    [
        "# not-secret: a public test account",
        "# not-secret a public test account",
        "# gitleaks:allow a public test account",
        "# pragma: allowlist secret - a public test account",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        f"a:\n  password: {CANARY}  {{}}\n",
        f"a:\n  {{}}\n  password: {CANARY}\n",
        f"a:\n  {{}}\n  # and more words\n  password: {CANARY}\n",
        f"a:\n  - {{}}\n    token: {CANARY}\n",
        f"a:\n  {{}}\n  key: |\n    {KEY}\n    {CANARY}\n",
        f"a:\n  key: |  {{}}\n    {KEY}\n    {CANARY}\n",
        f"env:\n- name: DB_PASSWORD\n  value: {CANARY}  {{}}\n",
        f"password:\n  {CANARY}  {{}}\n",
        f"kind: Secret\ndata:\n  user: {CANARY}  {{}}\n",
    ],
)
def test_a_line_says_that_it_is_none_and_why(text: str, comment: str) -> None:
    assert found(text.format(comment)) == []
    assert len(found(text.format("# nothing"))) == 1


@pytest.mark.parametrize(
    "comment", ["# not-secret", "# not-secret:", "# gitleaks:allow", "# not-secret: !", "# not-secret: -"]
)
def test_a_comment_without_a_reason_is_refused(comment: str) -> None:
    text = f"a:\n  password: {CANARY}  {comment}\n"
    (problem,) = secrets.check(parse("manifests/w/a.yaml", text.encode())[0], text.encode())
    assert "gives no reason" in problem.message
    assert "# not-secret: <reason>" in (problem.hint or "")


def test_a_comment_is_about_its_own_line_and_no_other() -> None:
    text = f"a:\n  password: {CANARY}  # not-secret: public\n  token: {CANARY}\n"
    text += f"  # not-secret: no, an empty line is between\n\n  pwd: {CANARY}\n"
    assert found(text) == ["a.token", "a.pwd"]
    assert found(f"password: '{CANARY}#not-secret: part of the text'") == ["password"]


TEMPLATE = "a: {{ .Values.a }}\nargs: {{ .b }}\n"


@pytest.mark.parametrize(
    "line",
    [
        f"password: {CANARY} # not-secret: public",
        f"# not-secret: public\npassword: {CANARY}",
        f"{{{{- /* not-secret: public */}}}}\npassword: {CANARY}",
        f"{{# not-secret: public #}}\npassword: {CANARY}",
    ],
)
def test_a_template_may_say_so_too(line: str) -> None:
    assert secrets.check_text("manifests/c/templates/a.yaml", f"{TEMPLATE}{line}\n".encode()) == []


@pytest.mark.parametrize(
    ("file", "hint"),
    [
        ("manifests/c/templates/a.yaml", "the chart's values"),
        ("manifests/environments/j/a.yaml", "a Secret of its own"),
    ],
)
def test_a_template_gets_a_hint_that_fits(file: str, hint: str) -> None:
    (problem,) = secrets.check_text(file, f"{TEMPLATE}password: {CANARY}\n".encode())
    assert hint in (problem.hint or "")
    assert "--in-place" not in (problem.hint or "")
    assert "# not-secret: <reason>" in (problem.hint or "")


CHART = {
    "manifests/c/Chart.yaml": b"name: c\nversion: 1.0.0\napiVersion: v2\n",
    "manifests/c/.helmignore": b"# what helm leaves out\nvalues.schema.yaml\nexamples/\n/docs/*.yaml\n",
    "manifests/c/values.yaml": b"a: b\n",
}
SECRET = f"password: {CANARY}\n".encode()


@pytest.mark.parametrize("file", ["values.schema.yaml", "sub/values.schema.yaml", "examples/a/b.yaml", "docs/a.yaml"])
def test_what_a_charts_helmignore_names_is_no_part_of_it(file: str) -> None:
    desired_state.refuse_plain_secrets({**CHART, f"manifests/c/{file}": SECRET})
    with pytest.raises(Invalid):
        desired_state.refuse_plain_secrets({f"manifests/c/{file}": SECRET, "manifests/c/.helmignore": b"*\n"})


@pytest.mark.parametrize(
    "file", ["values.yaml", "templates/a.yaml", "sub/docs/a.yaml", "docs/a/b.yaml", "examples.yaml"]
)
def test_what_it_does_not_name_is_looked_at(file: str) -> None:
    with pytest.raises(Invalid):
        desired_state.refuse_plain_secrets({**CHART, f"manifests/c/{file}": SECRET})


@pytest.mark.parametrize(
    "workload",
    [
        "{name: w, path: manifests/c/examples}",
        "{name: w, path: manifests/c, helm: {valuesFiles: [manifests/c/examples/a.yaml]}}",
    ],
)
def test_what_is_left_out_of_a_chart_and_used_otherwise_is_looked_at(workload: str) -> None:
    files = {**CHART, FILE: f"{CLUSTER}  workloads: [{workload}]\n".encode(), "manifests/c/examples/a.yaml": SECRET}

    class Anything:
        def render(self, wanted: object) -> bytes:
            return b""

    with pytest.raises(Invalid) as caught:
        desired_state.load(files, charts=Anything())
    assert "looks like a secret" in caught.value.problems[0].message
    assert CANARY not in repr(caught.value.problems)


def test_a_negated_rule_and_a_star() -> None:
    files = {"c/Chart.yaml": b"", "c/.helmignore": b"!*.yaml\n"}
    assert helmignore.left_out("c/a.txt", files, files.__getitem__)
    files["c/.helmignore"] = b"a*z.yaml\n[^b]?.json\n**/x\n"
    left = {
        n: helmignore.left_out(f"c/{n}", files, files.__getitem__) for n in ("abz.yaml", "az.yml", "ab.json", "bb.json")
    }
    assert left == {"abz.yaml": True, "az.yml": False, "ab.json": True, "bb.json": False}
    assert not helmignore.left_out("other/abz.yaml", files, files.__getitem__)
