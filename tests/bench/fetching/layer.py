"""Hides from httpx and httpcore what they load when it happens to be installed, and the Lambda layer does not have."""

import sys

sys.modules.update({"click": None, "h2": None, "rich": None, "trio": None})  # type: ignore[dict-item]  # not to be found
