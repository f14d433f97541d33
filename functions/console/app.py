"""The console: one page that is a client of the HTTP API.

It is static, so this function has neither database nor secret: all that is shown comes from the API, with the token of
who looks at it.
"""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.utilities.typing import LambdaContext

from scrapersky.api import console_files
from scrapersky.api.app import create_app
from scrapersky.api.operations import OF_AN_ASSET, operation
from scrapersky.api.parameters import IfNoneMatch
from scrapersky.observability import observed

PAGE = "/"
FILES = "/console/{file}"

app = create_app(public=(PAGE, FILES))

FileName = Annotated[str, Path(description="The file's name, as the page has it.")]


@app.get(
    PAGE,
    **operation(
        "console",
        "The console: this API in a browser",
        tag="Documents",
        content=console_files.CONTENT_OF_PAGE,
        headers=OF_AN_ASSET,
        problems=(422,),
        conditional=True,
    ),
)
def page(if_none_match: IfNoneMatch = None) -> Response[str]:
    return console_files.answer(console_files.PAGE, if_none_match)


@app.get(
    "/console/<file>",
    **operation(
        "console_file",
        "A script, the style or the icon of the console",
        tag="Documents",
        content=console_files.CONTENT_OF_FILES,
        headers=OF_AN_ASSET,
        problems=(404, 422),
        conditional=True,
    ),
)
def file(file: FileName, if_none_match: IfNoneMatch = None) -> Response[str]:
    return console_files.answer(file, if_none_match)


@observed
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
