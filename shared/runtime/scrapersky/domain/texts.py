"""What a text may hold that is to be stored."""

import re
from typing import Final

UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""What Postgres holds neither in text nor in jsonb: U+0000, and half of a surrogate pair."""
