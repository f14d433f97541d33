"""An issuer of keys that answers as tests want it to."""

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from scrapersky.api.jwks import KeySet, KeysUnreachable
from scrapersky.api.tokens import TokenConfig

URL = "https://issuer.example/jwks.json"
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Issuer:
    """A key set that is counted, can be changed and can be down; and a clock."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.fetched = 0
        self.down = False
        self.seconds = 0.0  # that an answer takes
        self.now = 1000.0

    def fetch(self, url: str) -> bytes:
        assert url == URL
        self.fetched += 1
        self.now += self.seconds
        if self.down:
            raise KeysUnreachable("down")
        return json.dumps({"keys": self.keys}).encode()

    def config(self, algorithm: str = "RS256") -> TokenConfig:
        keys = KeySet(URL, algorithm, fetch=self.fetch, clock=lambda: self.now)
        return TokenConfig(algorithm, keys, "authenticated")
