"""What a researcher may ask for, and what is refused: at its line, in words."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from reconciler.errors import Problem
from reconciler.model.desired import Environment, pinned, quantity
from reconciler.spec.validate import validate
from reconciler.spec.yaml import parse

TEN_LINES = """\
apiVersion: research.moc/v1alpha1
kind: Environment
metadata:
  name: work
spec:
  type: rstudio
  owner: ada
"""
DIGEST = "sha256:" + "0123456789abcdef" * 4
TODAY = datetime.date(2026, 11, 25)


def read(*lines: str) -> tuple[Environment | None, list[Problem]]:
    text = TEN_LINES + "".join(f"  {line}\n" for line in lines)
    for line in lines:
        key = line.partition(":")[0]
        if f"  {key}: " in TEN_LINES:
            text = "".join(x for x in text.splitlines(keepends=True) if not x.startswith(f"  {key}: ")) + f"  {line}\n"
    (document,) = parse("env.yaml", text.encode())
    return validate(Environment, document)


def made(*lines: str) -> Environment:
    found, problems = read(*lines)
    assert found is not None, problems
    return found


def problem(*lines: str) -> Problem:
    found, problems = read(*lines)
    assert found is None
    (one,) = problems
    return one


def test_seven_lines_are_enough() -> None:
    spec = made().spec
    assert (spec.cpu, spec.memory, spec.gpu, spec.volume, spec.access.via) == ("1", "2Gi", 0, "10Gi", "backend")
    assert (spec.cull.enabled, spec.cull.timeout, spec.cull.every) == (True, 3600, 600)


@pytest.mark.parametrize(
    "line",
    [
        "cpu: 500m",
        'cpu: "2.5"',
        "memory: 512Mi",
        "memory: 1.5Gi",
        "gpu: 2",
        "gpuResource: amd.com/gpu",
        "gpuResource: nvidia.com/mig-1g.5gb",
        "image: rocker/rstudio:4.4.2",
        "image: rstudio",
        f"image: localhost:5000/a/b_c:1.0@{DIGEST}",
        f"image: quay.io/jupyter/scipy-notebook@{DIGEST}",
        "packages: {r: [dplyr, data.table, Rcpp]}",
        "access: {via: route}",
        "access: {via: ingress, host: ada.sid.example.org, ingressClass: nginx, issuer: letsencrypt}",
        "access: {via: ingress, host: ada.sid.example.org, tlsSecret: wildcard.example.org}",
        "expires: 2020-01-01",
        "podSecurity: baseline",
    ],
)
def test_what_may_be_asked_for(line: str) -> None:
    made(line)


@pytest.mark.parametrize(
    ("line", "path", "words"),
    [
        ('cpu: "0"', "spec.cpu", "makes no sense"),
        ("cpu: 1Ti", "spec.cpu", "is no number of cores"),
        ("cpu: 2Gi", "spec.cpu", "is no number of cores"),
        ('cpu: "100000"', "spec.cpu", "makes no sense"),
        ('cpu: "1.2.3"', "spec.cpu", "is no quantity"),
        ("cpu: 2", "spec.cpu", "expected text"),
        ("memory: 0Gi", "spec.memory", "makes no sense"),
        ('memory: "4"', "spec.memory", "is no size with its unit"),
        ("memory: 500m", "spec.memory", "is no size with its unit"),
        ("memory: -1Gi", "spec.memory", "is no size with its unit"),
        ("memory: 9999Ti", "spec.memory", "makes no sense"),
        ("volume: 0Gi", "spec.volume", "makes no sense"),
        ("gpu: -1", "spec.gpu", "greater than or equal"),
        ("gpuResource: gpu", "spec.gpuResource", "does not have the right form"),
        ("type: matlab", "spec.type", "expected one of 'jupyter', 'rstudio' or 'desktop'"),
        ("owner: Ada Lovelace", "spec.owner", "does not have the right form"),
        (f"owner: {'a' * 41}", "spec.owner", "at most 40 characters"),
        ("image: Rocker/RStudio:1", "spec.image", "is no image"),
        ("image: 'rocker/rstudio:a b'", "spec.image", "has a tag that is none"),
        ("image: rocker/rstudio@sha256:12", "spec.image", "has a digest"),
        (f"image: rocker/rstudio@md5:{'0' * 32}", "spec.image", "has a digest"),
        ("image: https://quay.io/a", "spec.image", "is no image"),
        ("image: ''", "spec.image", "is no image"),
        ("expires: 2026-02-30", "spec.expires", "is no date of the calendar"),
        ("expires: tomorrow", "spec.expires", "does not have the right form"),
        ("packages: {apt: [vim]}", "spec.packages.apt", "need root"),
        ("packages: {r: ['dplyr; rm -rf /']}", "spec.packages.r.0", "does not have the right form"),
        ("packages: {pip: [numpy]}", "spec.packages.pip", "has no pip"),
        ("packages: {cran: [dplyr]}", "spec.packages.cran", "unknown key"),
        ("access: {via: ingress}", "spec.access", "'host' is missing"),
        ("access: {host: ada.example.org}", "spec.access.host", "say via"),
        ("access: {via: route, issuer: x}", "spec.access.issuer", "is an Ingress's"),
        ("access: {via: route, host: ada}", "spec.access.host", "is no host name"),
        (f"access: {{via: route, host: {'a' * 64}.example.org}}", "spec.access.host", "is no host name"),
        ("cull: {timeout: 5}", "spec.cull.timeout", "greater than or equal to 300"),
        ("podSecurity: privileged", "spec.podSecurity", "expected one of"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(line: str, path: str, words: str) -> None:
    found = problem(line)
    assert found.path == path
    assert found.line >= 6
    assert words in found.message


@pytest.mark.parametrize("package", ["numpy", "numpy==2.1.0", "scikit-learn>=1.5,<2", "jupyterlab[test]~=4.2"])
def test_packages_are_names_and_versions(package: str) -> None:
    made("type: jupyter", f"packages: {{pip: ['{package}'], conda: [gdal, conda-forge::xarray, python=3.12]}}")


@pytest.mark.parametrize(
    "package",
    ["-r /etc/passwd", "--index-url=http://x", "a @ https://x/a.whl", "git+https://x", "../a", "a b", "$(id)"],
)
def test_an_option_or_an_address_is_no_package(package: str) -> None:
    assert "right form" in problem("type: jupyter", f"packages: {{pip: ['{package}']}}").message


def test_what_another_image_has_is_not_judged() -> None:
    made("image: registry.example.org/both:1", "packages: {pip: [numpy], r: [dplyr]}")


def test_a_route_without_a_host_must_fit_into_one() -> None:
    text = TEN_LINES.replace("name: work", f"name: {'w' * 40}").replace("owner: ada", f"owner: {'a' * 40}")
    (document,) = parse("env.yaml", (text + "  access: {via: route}\n").encode())
    found, (one,) = validate(Environment, document)
    assert (found, one.path, "longer than 63" in one.message) == (None, "spec.access", True)
    (document,) = parse("env.yaml", (text + "  access: {via: route, host: ada.example.org}\n").encode())
    assert validate(Environment, document)[1] == []


def test_the_last_day_counts_and_the_day_after_does_not() -> None:
    env = made("expires: 2026-11-25")
    days = [datetime.timedelta(days=n) for n in (-1, 0, 1)]
    assert [env.expired(TODAY + day) for day in days] == [False, False, True]
    assert not made().expired(TODAY)


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", Decimal("0.5")), ("2", Decimal(2)), ("1Ki", Decimal(1024)), ("1.5G", Decimal(1_500_000_000))],
)
def test_quantities(text: str, value: Decimal) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "1e3", "Gi", "1 Gi", "1Xi", "1" * 30])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity(text)


def test_a_digest_pins_and_a_tag_does_not() -> None:
    assert pinned(f"a:1@{DIGEST}")
    assert not pinned("a:1")
