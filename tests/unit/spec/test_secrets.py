"""What looks like a secret in plain text is refused by its key, and never repeated; what only speaks of one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import Invalid, Problem
from reconciler.spec import secrets
from reconciler.spec.yaml import parse
from tests.unit.examples import desired

ROOT = Path(__file__).parents[3]
CANARY = "canary7f3a91c0"
SEALED = "ENC[AES256_GCM,data:dw==,iv:W+5zeKl8R0Q=,tag:RZ1LrB5Ggpp2Mg==,type:str]"
SOPS = f"sops: {{age: [{{recipient: age1abc}}], mac: '{SEALED}', version: 3.13.3}}\n"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{CANARY}xyz"


def found(text: str) -> list[Problem]:
    problems = [problem for document in parse("x.yaml", text.encode()) for problem in secrets.check(document)]
    for problem in problems:
        assert CANARY not in repr(problem)
        assert problem.hint
        assert "sops --encrypt" in problem.hint
    return problems


def paths(text: str) -> list[str]:
    return [problem.path for problem in found(text)]


@pytest.mark.parametrize(
    "key",
    [
        "password", "PASSWORD", "db_password", "dbPassword", "db-passwd", "userPass", "DB_PWD", "passphrase", "token",
        "apiToken", "API_KEY", "apikey", "api-key", "privateKey", "private_key", "clientSecret", "webhook-secret",
        "secret", "secretKey", "AWS_SECRET_ACCESS_KEY", "connectionString", "client-key-data", "password2", "tokens",
        "encryptionKey", "SLACK_BOT_TOKEN", "spring.datasource.password",
    ],
)  # fmt: skip
def test_a_key_that_says_secret(key: str) -> None:
    assert paths(f"a: {{b: [{{{key}: {CANARY}}}]}}") == [f"a.b.0.{key}"]
    assert paths(f"env: {{{key}: {CANARY}}}") == [f"env.{key}"]
    assert paths(f"env:\n  - {{name: {key}, value: {CANARY}}}") == ["env.0.value"]
    assert paths(f"args: ['--{key}={CANARY}']") == ["args.0"]


@pytest.mark.parametrize(
    "entry",
    [
        "secretName: database",
        "tokenPath: /var/run/x",
        "passwordFile: x",
        "secretRef: x",
        "automountServiceAccountToken: false",
        "publicKey: ssh-ed25519 AAAA",
        "passwordSecretRef: {name: a, key: password}",
        "valueFrom: {secretKeyRef: {name: a, key: token}}",
        "volumes: [{name: token, secret: {secretName: a}}]",
        "imagePullSecrets: [{name: a}]",
        "existingSecret: a",
        "pullSecret: a",
        "maxTokens: 4096",
        "env: [{name: MAX_TOKENS, value: '4096'}]",
        "env: [{name: USE_TOKEN, value: 'true'}]",
        "env: [{name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: a, key: b}}}]",
        "password: ''",
        "password:",
        "password: ${application.db.password}",
        "token: $(TOKEN)",
        "password: <from the vault>",
        "token: /var/run/secrets/kubernetes.io/serviceaccount/token",
        f"password: {SEALED}",
        "tokenTTL: 30m",
        "compass: north",
        "annotations: {nginx.ingress.kubernetes.io/auth-secret: basic-auth}",
        "encryptedData: {password: AgByabc}",
        "data: [{secretKey: password, remoteRef: {key: a}}]",
        "properties: {password: {type: string}}",
        "required: [password, token]",
        "resources: [secrets]",
        "args: ['--token-file=/x', '--token=$(TOKEN)']",
        "url: https://example.org:8443/a@b",
        "image: quay.io/a/b:1@sha256:abc",
        "url: postgres://sid:${PASSWORD}@db/sid",
        "text: 'the -----BEGIN CERTIFICATE----- is public'",
    ],
)
def test_what_only_speaks_of_a_secret(entry: str) -> None:
    assert found(entry) == []


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}", "a private key"),
        (f"-----BEGIN PRIVATE KEY-----\n{CANARY}", "a private key"),
        (f"LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0{CANARY}", "a private key"),
        ("AKIAIOSFODNN7EXAMPLE", "an AWS key"),
        ("ghp_" + CANARY + "a" * 30, "a GitHub token"),
        ("github_pat_" + CANARY + "a" * 60, "a GitHub token"),
        ("glpat-" + CANARY + "a" * 10, "a GitLab token"),
        ("xoxb-123456789012-" + CANARY, "a Slack token"),
        ("https://hooks.slack.com/services/T0001/B0001/" + CANARY, "a Slack webhook"),
        (JWT, "a JSON web token"),
        ("AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQ", "an age key"),
        (f"auth:\n  application_credential_secret: {CANARY}\n", "an OpenStack credential"),
        (f"auth:\n  auth_url: https://a\n  password: {CANARY}\n", "an OpenStack password"),
        (f"users:\n- client-key-data: {CANARY}\n", "a kubeconfig's key"),
        (f"postgres://sid:{CANARY}@db/sid", "a URL with a password"),
    ],
)
def test_a_value_of_unmistakable_form_under_any_key(value: str, what: str) -> None:
    assert secrets.form_of(value) == what
    (problem,) = found(f"data:\n  note: {value!r}\n".replace("\\n", "\n\n    "))
    assert problem.path == "data.note"
    assert problem.line == 2
    assert what in problem.message


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f"stringData:\n  note: {CANARY}\n", ["stringData.note"]),
        (f"data:\n  note: {CANARY}\nstringData: {{a: '{SEALED}'}}\n{SOPS}", ["data.note"]),
        (f"data: {{a: '{SEALED}'}}\n", ["data.a"]),
        (f"data: {{a: '{SEALED}'}}\nsops: {{}}\n", ["data.a"]),
        (f"data: {{a: 'ENC[AES256_GCM,{CANARY}]'}}\n{SOPS}", ["data.a"]),
        (f"data: {{a: 'ENC[{CANARY}]'}}\n{SOPS}", ["data.a"]),
        (f"data: [{CANARY}]\n", ["data"]),
        ("data: {a: 1}\n", ["data.a"]),
        (f"data: {{a: '{SEALED}', b: '{SEALED}'}}\n{SOPS}", []),
        ("type: kubernetes.io/service-account-token\n", []),
        ("data: {}\nstringData:\n", []),
        ("stringData: {a: '${application.db.password}'}\n", []),
    ],
)
def test_a_secret_is_encrypted_or_refused(text: str, where: list[str]) -> None:
    assert paths(SECRET + text) == where


def test_a_secret_in_a_list_is_one_too() -> None:
    (problem,) = found(f"kind: List\nitems:\n- kind: Secret\n  data:\n    note: {CANARY}\n")
    assert (problem.path, problem.line, problem.column) == ("items.0.data.note", 5, 5)
    assert "encrypted-regex" in (problem.hint or "")


def test_a_template_is_read_line_by_line() -> None:
    text = f"a: {{{{ name }}}}\npassword: {CANARY}\ntoken: {{{{ token }}}}\n- x: {JWT}\n  password: # nothing\n"
    problems = secrets.check_text("x.j2", text.encode())
    assert [(p.line, p.column) for p in problems] == [(2, 1), (4, 1)]
    assert CANARY not in repr(problems)


def test_however_many_there_are_some_are_told() -> None:
    text = "kind: Secret\ndata:\n" + "".join(f"  k{n}: {CANARY}\n" for n in range(1000))
    assert len(found(text)) == 100


def test_this_repository_holds_none() -> None:
    files = [f for folder in ("desired", "manifests") for f in sorted((ROOT / folder).rglob("*")) if f.is_file()]
    assert len(files) > 10
    for file in files:
        text, name = file.read_bytes(), str(file.relative_to(ROOT))
        assert secrets.check_text(name, text) == []
        if b"{{" not in text and file.suffix != ".md":
            assert [p for document in parse(name, text) for p in secrets.check(document)] == []


@pytest.mark.parametrize(
    "changes",
    [
        [("cloud: sandbox", f"cloud: {{password: {CANARY}}}")],
        [("cloud: sandbox", f"cloud: sandbox\n  token: {CANARY}")],
        [("count: 2", f"count: {JWT}")],
        [("ssh-ed25519 AAAA", f"-----BEGIN OPENSSH PRIVATE KEY----- {CANARY}")],
        [("labels: {team: blue}", f"labels: {{password: [{CANARY}]}}")],
        [("name: demo", f"name: {JWT}")],
    ],
)
def test_a_mistake_does_not_repeat_it(changes: list[tuple[str, str]]) -> None:
    with pytest.raises(Invalid) as caught:
        desired(*changes)
    assert caught.value.problems
    assert CANARY not in repr(caught.value.problems)
    assert CANARY not in str(caught.value)
