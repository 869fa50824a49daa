"""Certificates for the autoscaler's connection: an authority of its own, and one certificate for either end."""

from __future__ import annotations

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ...errors import Invalid

AUTHORITY, SERVER, CLIENT = "ca", "server", "client"
_CLOCKS = datetime.timedelta(minutes=5)  # how far the machines' clocks may differ


@dataclass(frozen=True, slots=True)
class _Pair:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def make(folder: Path, host: str, *, days: int, now: datetime.datetime) -> tuple[Path, ...]:
    """Write ca.crt, server.crt, server.key, client.crt and client.key; `host` is what Cluster Autoscaler's address says
    before the port. The authority's own key is kept nowhere, so that nothing else is ever signed with it. Returns the
    files. Raises Invalid where there are some already, or the folder can't be written."""
    names = [f"{name}.{end}" for name in (AUTHORITY, SERVER, CLIENT) for end in ("crt", "key")]
    if there := [name for name in names if (folder / name).exists()]:
        hint = "make them in a new folder, and change both ends together"
        raise Invalid(f"there are certificates in {folder} already: {', '.join(there)}", hint=hint)
    until = now + datetime.timedelta(days=days)
    authority = _pair("reconciler autoscaler", None, now, until)
    server = _pair(host, authority, now, until, usage=ExtendedKeyUsageOID.SERVER_AUTH, host=host)
    client = _pair("cluster-autoscaler", authority, now, until, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        written = [_write(folder / f"{AUTHORITY}.crt", _pem(authority.certificate), 0o644)]
        for name, pair in ((SERVER, server), (CLIENT, client)):
            written.append(_write(folder / f"{name}.crt", _pem(pair.certificate), 0o644))
            written.append(_write(folder / f"{name}.key", _private(pair.key), 0o600))
    except OSError as error:
        raise Invalid(f"cannot write to {folder}: {error.strerror}") from None
    return tuple(written)


def _pair(
    name: str,
    issuer: _Pair | None,
    now: datetime.datetime,
    until: datetime.datetime,
    *,
    usage: x509.ObjectIdentifier | None = None,
    host: str = "",
) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None if issuer else 0), critical=True)
    )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([_san(host)]), critical=False)
    return _Pair(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))


def _san(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _write(path: Path, content: bytes, mode: int) -> Path:
    """The file is never readable for others, not for a moment."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    return path
