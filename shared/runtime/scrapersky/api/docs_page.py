"""The page at /docs: Swagger UI from the layer, on one page, with nothing loaded from anywhere else."""

import re
import secrets
from importlib import resources

from aws_lambda_powertools.event_handler import Response

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ScraperSky API</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<div id="docs"></div>
<script nonce="{nonce}">{script}</script>
<script nonce="{nonce}">
SwaggerUIBundle({{url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null}});
</script>
</body>
</html>
"""


def page() -> Response[str]:
    """The page with a policy under which only its own two scripts run, and only this API is called.

    Swagger UI sets `style` attributes, so styles cannot be held to a nonce.
    """
    nonce = secrets.token_urlsafe(16)
    assets = resources.files("aws_lambda_powertools.event_handler.openapi.swagger_ui")
    html = _PAGE.format(
        nonce=nonce,
        style=assets.joinpath("swagger-ui.min.css").read_text("utf-8"),
        script=_inlined(assets.joinpath("swagger-ui-bundle.min.js").read_text("utf-8")),
    )
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Response(
        status_code=200,
        content_type="text/html; charset=utf-8",
        body=html,
        headers={"Content-Security-Policy": policy},
    )


def _inlined(script: str) -> str:
    """The script as it may stand between tags: in its texts and patterns, no tag or comment begins (HTML, 4.12.1.3)."""
    return re.sub(r"<(?=!--|/?script)", r"\\x3c", script, flags=re.IGNORECASE)
