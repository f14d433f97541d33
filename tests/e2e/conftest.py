"""The whole stack as a deployment has it, once for all tests, with the demo web as the only sites in reach."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.demo_web.server import DemoWeb, serve
from scrapersky_local.stack import Stack, StackOptions
from scrapersky_local.state import StackInfo
from support.held_site import HeldSite

LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A running stack, its data directory and the sites that its scans can reach."""

    info: StackInfo
    data_dir: Path
    web: DemoWeb


@pytest.fixture(scope="session")
def web() -> Iterator[DemoWeb]:
    with serve() as running:
        yield running


@pytest.fixture(scope="session")
def held_site() -> Iterator[HeldSite]:
    with HeldSite() as site:
        yield site


@pytest.fixture
def held(held_site: HeldSite) -> Iterator[HeldSite]:
    """The one site that answers when the test says so; at the end nobody is left waiting."""
    held_site.hold()
    yield held_site
    held_site.let_go()


@pytest.fixture(scope="session")
def stack(web: DemoWeb, held_site: HeldSite) -> Iterator[RunningStack]:
    with throwaway_directory() as data_dir:
        options = StackOptions(
            data_dir=data_dir,
            port=0,
            allow_networks=(LOOPBACK,),
            resolve=(*web.resolve_rules(), *held_site.resolve_rules()),
            ca_file=web.ca_file,
            durable=False,
        )
        with Stack(options).running() as info:
            yield RunningStack(info, data_dir, web)


@pytest.fixture
def api(stack: RunningStack) -> Iterator[httpx.Client]:
    """A client of the stack's API with the stack's own token."""
    headers = {"Authorization": f"Bearer {stack.info.token}"}
    with httpx.Client(base_url=stack.info.api_url, headers=headers, timeout=30, trust_env=False) as client:
        yield client
