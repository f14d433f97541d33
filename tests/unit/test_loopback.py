"""Which hosts are this machine."""

import pytest

from scrapersky.domain.loopback import is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("api.localhost", True),
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("api.example", False),
    ],
)
def test_this_machine_is_told_from_others(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
