"""Certificates made on the spot, and a server that shows one."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """Signs certificates. Every one is called `kubernetes`, as kubeadm calls its own."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("kubernetes")
        now = datetime.datetime.now(datetime.UTC)
        self.certificate = _pem(_built(self._name, self._name, self._key, self._key, now + 365 * DAY, authority=True))

    def pair(self, name: str, ends: datetime.datetime) -> Pair:
        """A certificate for `name`, good on the loopback address, until `ends`."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _built(_name(name), self._name, key, self._key, ends, authority=False)
        return Pair(_pem(made), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _built(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    ends: datetime.datetime,
    *,
    authority: bool,
) -> x509.Certificate:
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(ends - 400 * DAY).not_valid_after(ends)
    made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    return made.add_extension(here, critical=False).sign(signer, hashes.SHA256())


@contextlib.contextmanager
def serving(pair: Pair, folder: Path, status: str = "401 Unauthorized") -> Iterator[str]:
    """An https server on loopback that answers everything with `status`; yields its address."""
    file = folder / "server.pem"
    file.write_bytes(pair.certificate + pair.key)
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, settings, status), daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, settings: ssl.SSLContext, status: str) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        with contextlib.suppress(OSError), plain, settings.wrap_socket(plain, server_side=True) as secured:
            if secured.recv(4096):
                secured.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode())
