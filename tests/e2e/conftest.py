"""The whole stack as a deployment has it, once for all tests, with the demo web and a crowd as the sites in reach."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import boto3
import httpx
import psycopg
import pytest
from psycopg.rows import TupleRow

from scrapersky_local.accounts import throwaway_directory
from scrapersky_local.demo_web.server import DemoWeb, serve
from scrapersky_local.places_emulator.service import Emulator
from scrapersky_local.stack import Stack, StackOptions
from scrapersky_local.state import StackInfo
from scrapersky_local.tokens import Bearer, mint
from support.crowd import Crowd, serve_crowd
from support.held_site import HeldSite
from support.loopback import CLOSED_PORT
from support.webhook_receivers import HttpReceiver

LOOPBACK = "127.0.0.0/8"


class Site(Protocol):
    """Something that scans or deliveries can reach under a name."""

    def resolve_rules(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Hook:
    """`http://hook.example/`, which hears what webhooks are sent."""

    receiver: HttpReceiver
    port: int

    def resolve_rules(self) -> tuple[str, ...]:
        return f"hook.example:80=127.0.0.1:{self.port}", f"hook.example:443=127.0.0.1:{CLOSED_PORT}"


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A running stack, its data directory, the sites that its scans can reach, and whom its searches ask."""

    info: StackInfo
    data_dir: Path
    web: DemoWeb
    crowd: Crowd
    google: Emulator


@pytest.fixture(scope="session", autouse=True)
def own_state_home() -> Iterator[None]:
    """Stacks of these tests are not announced to the shells of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch, throwaway_directory() as folder:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield


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
def whole_crowd() -> Iterator[Crowd]:
    with serve_crowd() as running:
        yield running


@pytest.fixture
def crowd(whole_crowd: Crowd) -> Crowd:
    """The crowd, quick to answer as long as the test says nothing else."""
    whole_crowd.latency = 0.0
    return whole_crowd


@contextmanager
def running_stack(web: DemoWeb, crowd: Crowd, *sites: Site) -> Iterator[RunningStack]:
    """A new stack, for those that do to it what others must not see."""
    with throwaway_directory() as data_dir:
        options = StackOptions(
            data_dir=data_dir,
            port=0,
            allow_networks=(LOOPBACK,),
            resolve=(
                *web.resolve_rules(),
                *crowd.resolve_rules(),
                *(rule for site in sites for rule in site.resolve_rules()),
            ),
            ca_file=web.ca_file,
            durable=False,
        )
        with Stack(options).running() as info:
            yield RunningStack(info, data_dir, web, crowd, options.places)


@pytest.fixture(scope="session")
def hook() -> Iterator[Hook]:
    receiver = HttpReceiver()
    with receiver.listening() as port:
        yield Hook(receiver, port)


@pytest.fixture(scope="session")
def stack(web: DemoWeb, whole_crowd: Crowd, held_site: HeldSite, hook: Hook) -> Iterator[RunningStack]:
    with running_stack(web, whole_crowd, held_site, hook) as running:
        yield running


def client_of(info: StackInfo) -> httpx.Client:
    """A client of a stack's API with the stack's own token."""
    headers = {"Authorization": f"Bearer {info.token}"}
    return httpx.Client(base_url=info.api_url, headers=headers, timeout=30, trust_env=False)


@pytest.fixture
def api(stack: RunningStack) -> Iterator[httpx.Client]:
    with client_of(stack.info) as client:
        yield client


@pytest.fixture
def database(stack: RunningStack) -> Iterator[psycopg.Connection[TupleRow]]:
    """The owner's connection: sees what is really stored."""
    with psycopg.connect(stack.info.direct_database_url, autocommit=True) as connection:
        yield connection


def token_of(stack: RunningStack, tenant_id: UUID) -> str:
    """A token of another tenant than the stack's own."""
    secret = json.loads((stack.data_dir / "secrets.json").read_text("utf-8"))["jwt_secret"]
    return mint(secret, Bearer(str(tenant_id), "stranger"), ttl_seconds=600)


def aws_of(info: StackInfo) -> Callable[[str], Any]:
    """Clients of a stack's AWS services, by name."""
    session: Any = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=info.region)
    return lambda service: session.client(service, endpoint_url=info.aws_endpoint_url)


@pytest.fixture
def aws(stack: RunningStack) -> Callable[[str], Any]:
    return aws_of(stack.info)
