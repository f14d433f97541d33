"""Brings the database to the schema of this version; to be invoked after each deployment."""

import os
from typing import TYPE_CHECKING, Any

from scrapersky.db.migrate import apply
from scrapersky.observability import logger, observed
from scrapersky.secret_store import secret
from scrapersky.settings import MigrationSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@observed
def lambda_handler(_event: dict[str, Any], _context: "LambdaContext") -> dict[str, list[str]]:
    """Apply what is missing and answer with the names applied."""
    applied = apply(secret(MigrationSettings.from_env(os.environ).secret_arn))
    logger().info("migrated", extra={"applied": applied})
    return {"applied": applied}
