"""Which hosts of a URL are this machine itself."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host, without port and brackets, is a loopback address, `localhost` or a name under it (RFC 6761)."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
