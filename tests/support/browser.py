"""A real headless Chromium, and pages of it that remember everything that went wrong in them."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

PROGRAMS = ("chromium", "google-chrome", "chromium-browser")
# No sandbox: tests may run as root. The rest keeps the browser from asking the world anything by itself.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = (1280, 850), (360, 740)
WAIT_MS = 15_000
# What the browser itself says of an answer that is no success, or of none: the console tells it in its own way.
_OF_ANSWERS = "Failed to load resource:"


def size(pixels: tuple[int, int]) -> Any:
    """A viewport as Playwright takes it."""
    return {"width": pixels[0], "height": pixels[1]}


def find_browser() -> str:
    """The program's path.

    Raises:
        RuntimeError: there is none, with what installs it.
    """
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    raise RuntimeError(
        f"the console's tests need a browser, and none of {', '.join(PROGRAMS)} is there: apt-get install chromium"
    )


@contextmanager
def running_browser(resolve: Iterable[str] = ()) -> Iterator[Browser]:
    """A browser with a profile of its own. `resolve` are rules HOST:PORT=ADDR:PORT, as the stack's scans have them."""
    rules = ", ".join("MAP {} {}".format(*rule.split("=")) for rule in resolve)
    arguments = [*ARGUMENTS, f"--host-resolver-rules={rules}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=arguments)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what was told of it: errors, broken policies, and requests that went to anybody else."""

    page: Page
    origin: str
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [*self.errors, *(f"asked {url}" for url in self.strangers)]

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_OF_ANSWERS):
            self.errors.append(message.text)

    def asked(self, url: str) -> None:
        if not url.startswith((f"{self.origin}/", f"blob:{self.origin}/", "data:")):
            self.strangers.append(url)


def watched(context: BrowserContext, origin: str) -> Watched:
    """A new page of the context that is only meant to ask `origin`."""
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    seen = Watched(page, origin)
    page.on("console", seen.heard)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", lambda request: seen.asked(request.url))
    return seen


def violations(page: Page, *, rules: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds that is serious or critical, with where: by WCAG 2.2, A and AA, and its own advice."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    run_only: Any = (
        {"type": "rule", "values": rules}
        if rules
        else {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    # A list's rows are alike, and looking at a few of them finds what looking at all does.
    where = {"exclude": [["tbody tr:nth-child(n+5)"]]}
    look = "([where, only]) => axe.run(where, {runOnly: only, resultTypes: ['violations']})"
    found = page.evaluate(look, [where, run_only])
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
