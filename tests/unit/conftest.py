"""Unit tests open no socket: one that tries fails here, not by chance in somebody else's network."""

import pytest
from pytest_socket import disable_socket


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket()
