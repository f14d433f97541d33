"""Certificates for the demo web, made when it starts and gone when it stops.

The authority and the leaves carry what X.509 verifiers in strict mode ask for (RFC 5280, section 4.2): key usage,
and subject and authority key identifiers.
"""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scrapersky_local.demo_web.sites import Https, Site

_LIFETIME = timedelta(days=1)
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: signs leaves, and is trusted by those who are given `pem`."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def make_authority(name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = _builder(subject, subject, key, datetime.now(UTC), _LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
    return Authority(key, builder.sign(key, hashes.SHA256()))


def server_contexts(sites: Iterable[Site], authority: Authority, folder: Path) -> Mapping[Https, ssl.SSLContext]:
    """One server context for each way in which a site's https behaves. `folder` takes the key files."""
    hosts = [host for site in sites for host in site.hosts]
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=400)
    stranger = make_authority("An authority that nobody knows")
    return {
        Https.TRUSTED: _context(folder, Https.TRUSTED, authority, hosts, now),
        Https.UNTRUSTED: _context(folder, Https.UNTRUSTED, stranger, hosts, now),
        Https.EXPIRED: _context(folder, Https.EXPIRED, authority, hosts, long_ago),
        Https.OTHER_NAME: _context(folder, Https.OTHER_NAME, authority, ["another-site.example"], now),
    }


def _context(folder: Path, kind: Https, signer: Authority, hosts: list[str], since: datetime) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name("ScraperSky demo web"), signer.certificate.subject, key, since, _LIFETIME)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage("digital_signature"), True),
        (identifier, False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    certificate = builder.sign(signer.key, hashes.SHA256())
    # The ssl module reads keys from files only.
    path = folder / f"{kind}.pem"
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    path.unlink()
    return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, since: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since - timedelta(hours=1))
        .not_valid_after(since + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in allowed for usage in _USAGES})
