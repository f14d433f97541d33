"""The local stack: Postgres, its pooler and the AWS services as processes of this machine, with template.yaml on them.

    with Stack(StackOptions(data_dir=Path("data"), port=0)).running() as info:
        httpx.get(f"{info.api_url}/health")

Rows stay in the data directory. Queues, executions and logs of the AWS services do not: every start deploys anew, sends
again what the last one had not worked off, and begins another round of every batch that is open.
"""

import contextlib
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from secrets import token_hex
from types import FrameType
from typing import NoReturn
from uuid import uuid4

import httpx

from scrapersky.scraping.guard import NetworkPolicy, parse_resolve_rule
from scrapersky_local import database
from scrapersky_local.aws import REGION, Aws, FunctionOutput
from scrapersky_local.deploy import Deployment
from scrapersky_local.logs import entry, readable
from scrapersky_local.metrics import Publisher
from scrapersky_local.places_emulator import server as places
from scrapersky_local.places_emulator.service import Emulator
from scrapersky_local.postgres import PgBouncer, Postgres, find_pgbouncer
from scrapersky_local.processes import PortInUse, StackError, free_port, open_private, require_free
from scrapersky_local.state import StackInfo, hold, load_secrets, stack_file
from scrapersky_local.tokens import Bearer, mint

PROJECT = Path(__file__).parents[3]

# More workers than the pooler has connections, so that a worker which holds one too long shows here first.
POOL_SIZE = 4
WORKERS = 6

READY_SECONDS = 30.0
TOKEN_SECONDS = 30 * 24 * 3600  # as long as a developer works on one thing; every start mints a new one
_PREDECESSOR_SECONDS = 10.0  # what processes of a stack that was killed may need to end
_WATCH_SECONDS = 0.5

Say = Callable[[str], None]


def print_line(line: str) -> None:
    """Say it on standard error, at once."""
    print(line, file=sys.stderr, flush=True)


def say_nothing(_line: str) -> None:
    """For those who do not watch; `functions.log` in the data directory has what functions write, an object a line."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What `scrapersky up` is told.

    `port` 0 takes any free one. `allow_networks` (CIDR), `resolve` (HOST[:PORT]=ADDR:PORT) and `ca_file` let scans
    reach sites on this machine. `places_key` is a key of Google's, with which searches cost money; without one they ask
    `places`, an emulator. `canary_url` is a page that the canary has scanned; without one there is no canary.
    `durable=False` is for data nobody keeps. `say` gets progress and the functions' logs.
    """

    data_dir: Path
    port: int = 0
    allow_networks: tuple[str, ...] = ()
    resolve: tuple[str, ...] = ()
    ca_file: Path | None = None
    places_key: str | None = field(default=None, repr=False)
    places: Emulator = field(default_factory=lambda: Emulator(f"emulated-{token_hex(8)}"))
    canary_url: str | None = None
    durable: bool = True
    say: Say = say_nothing
    project: Path = PROJECT

    @property
    def asked_by_searches(self) -> str:
        """Whom places searches ask, for people. It holds no key."""
        if self.places_key is not None:
            return "places searches ask Google, with your key: their requests cost money"
        return "places searches ask an emulator of Google's services, which knows made-up businesses and costs nothing"

    def fetching(self) -> dict[str, str]:
        """The scan workers' variables. StackError for what their guard would refuse."""
        try:
            NetworkPolicy(
                allowed_networks=tuple(ip_network(text) for text in self.allow_networks),
                resolve=tuple(parse_resolve_rule(text) for text in self.resolve),
            )
        except ValueError as error:
            raise StackError(str(error)) from error
        if self.ca_file is not None:
            _require_certificates(self.ca_file)
        variables = {
            "FETCH_ALLOW_NETWORKS": ",".join(self.allow_networks),
            "FETCH_RESOLVE": ",".join(self.resolve),
            "FETCH_CA_FILE": str(self.ca_file.resolve()) if self.ca_file else "",
        }
        return {name: value for name, value in variables.items() if value}

    def open_data_dir(self) -> Path:
        """The data directory's absolute path, made when it is not there. StackError when no file can be put into it."""
        folder = self.data_dir.absolute()
        try:
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700, parents=True)
            with tempfile.TemporaryFile(dir=folder):  # permissions alone do not tell: root may still have no right to
                return folder
        except OSError as error:
            raise StackError(f"cannot keep data in {folder}: {error.strerror}") from error


class Stack:
    """One local stack. Start it from a thread that lives as long as it: its processes end with their starter."""

    def __init__(self, options: StackOptions) -> None:
        self._options = options
        self._say = options.say

    @contextlib.contextmanager
    def running(self) -> Iterator[StackInfo]:
        """Bring everything up, wait until the API answers, and take it down at the end. StackError says what failed."""
        with self._started() as (info, _):
            yield info

    def run(self) -> NoReturn:
        """Run until an exception (a signal's, usually) ends it; StackError when a part of the stack ends by itself."""
        with self._started() as (_, aws):
            while aws.running:
                time.sleep(_WATCH_SECONDS)
            raise StackError(f"the AWS services ended; see {aws.log}")

    @contextlib.contextmanager
    def _started(self) -> Iterator[tuple[StackInfo, Aws]]:
        begin = time.monotonic()
        options = self._options
        fetching = options.fetching()
        data_dir = options.open_data_dir()
        port = options.port or free_port()
        api_url = f"http://127.0.0.1:{port}"
        with ExitStack() as parts:
            unclean = parts.enter_context(hold(data_dir, api_url))
            _wait_for_port(port, _PREDECESSOR_SECONDS if unclean else 0)
            log = parts.enter_context(open_private(data_dir / "functions.log", "wb"))

            def show(output: FunctionOutput) -> None:
                publisher.take(output.function, output.line)
                if kept := entry(output.function, output.line):
                    log.write(f"{kept}\n".encode())
                    log.flush()
                if text := readable(output.function, output.line):
                    self._say(text)

            variables = fetching | self._places(parts)
            aws = Aws(data_dir / "aws", port=free_port(), api_port=port, variables=variables, on_output=show)
            parts.callback(aws.stop)
            publisher = Publisher(aws.put_metrics, self._say)
            parts.enter_context(publisher.running())
            aws.start()  # it takes the longest, so it starts while Postgres does
            info = self._deploy(parts, data_dir, aws, api_url)
            parts.enter_context(stack_file(data_dir, info))
            where = f"console at {api_url}/, docs at {api_url}/docs"
            self._say(f"ready at {api_url} after {time.monotonic() - begin:.1f} s ({where})")
            yield info, aws

    def _places(self, parts: ExitStack) -> dict[str, str]:
        """The variables that lead searches to the emulator, which is started; none with a key of Google's."""
        self._say(self._options.asked_by_searches)
        if self._options.places_key is not None:
            return {}
        url = parts.enter_context(places.serve(self._options.places))
        return {"PLACES_API_URL": url, "GEOCODING_API_URL": url}

    def _deploy(self, parts: ExitStack, data_dir: Path, aws: Aws, api_url: str) -> StackInfo:
        secrets = load_secrets(data_dir)
        data_dir.chmod(0o711)  # as root the servers run as another user, who must be able to pass through
        self._say("starting Postgres")
        postgres = parts.enter_context(Postgres(data_dir / "postgres", durable=self._options.durable))
        database.prepare(postgres, secrets)
        app_dsn = database.app_dsn(postgres, secrets)
        if find_pgbouncer() is None:
            self._say("pgbouncer is not installed: functions connect to Postgres directly, without a pooler")
        else:
            users = {database.APP: secrets.app_password}
            pooler = parts.enter_context(PgBouncer(postgres, users=users, pool_size=POOL_SIZE))
            app_dsn = pooler.dsn(database.APP, database.NAME)
        self._say("deploying template.yaml")
        aws.wait_ready()
        deployment = Deployment(aws, self._options.project)
        canary = Bearer(tenant_id=str(uuid4()), user_id="canary")  # a tenant that nobody else is
        arns = deployment.create_secrets(
            {
                "database": app_dsn,
                "migrations": database.owner_dsn(postgres, secrets),
                "jwt": secrets.jwt_secret,
                "places": self._options.places_key or self._options.places.key,
                "canary": mint(secrets.jwt_secret, canary, ttl_seconds=TOKEN_SECONDS),
            }
        )
        deployment.create_stack(
            {
                "DatabaseSecretArn": arns["database"],
                "MigrationDatabaseSecretArn": arns["migrations"],
                "JwtSecretArn": arns["jwt"],
                "PlacesKeySecretArn": arns["places"],
                "ContactUrl": f"{api_url}/docs",
                "ScanMaximumConcurrency": str(WORKERS),
                "BatchMaximumLanes": str(WORKERS),
                "EventBusName": "default",  # as AWS has it, so that a rule on it gets what happens here
                "CanaryUrl": self._options.canary_url or "",
                "CanaryTokenSecretArn": arns["canary"] if self._options.canary_url else "",
            },
            {"CANARY_API_URL": api_url},
        )
        deployment.set_secret("WebhookKeySecret", secrets.webhook_key)
        deployment.invoke("MigrateFunction")
        resumed = database.resume(postgres)
        if resumed:
            self._say(f"{resumed} of the last run go on")
            deployment.invoke("SweeperFunction")
        deployment.open_routes()
        _wait_until_healthy(api_url)
        bearer = Bearer(tenant_id=secrets.tenant_id, user_id=secrets.user_id)
        return StackInfo(
            api_url=api_url,
            token=mint(secrets.jwt_secret, bearer, ttl_seconds=TOKEN_SECONDS),
            database_url=app_dsn,
            direct_database_url=database.superuser_dsn(postgres),
            aws_endpoint_url=aws.endpoint_url,
            region=REGION,
        )


def run_until_interrupted(options: StackOptions) -> None:
    """Run a stack until SIGINT, SIGTERM or SIGHUP, then stop it. For the main thread of a program."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        for number in stopping:
            signal.signal(number, signal.SIG_IGN)  # an impatient second Ctrl-C must not cut the stopping short
        raise KeyboardInterrupt

    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in stopping}
    try:
        Stack(options).run()
    except KeyboardInterrupt:
        options.say("stopped")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _require_certificates(file: Path) -> None:
    """Raise StackError unless the file is one that a worker can load its further authorities from."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError as error:
        raise StackError(f"no PEM certificates in {file}") from error
    except OSError as error:
        raise StackError(f"cannot read {file}: {error.strerror}") from error
    if not context.cert_store_stats()["x509"]:  # a list of revoked ones loads as well
        raise StackError(f"no PEM certificates in {file}")


def _wait_for_port(port: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return require_free(port, "the API")
        except PortInUse:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)


def _wait_until_healthy(api_url: str) -> None:
    """Wait until the API and, through it, the database answer."""
    deadline = time.monotonic() + READY_SECONDS
    for path in ("/health", "/health/database"):
        while True:
            answer = httpx.get(f"{api_url}{path}", timeout=READY_SECONDS, trust_env=False)
            if answer.status_code == httpx.codes.OK:
                break
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                raise StackError(f"{path} answers {answer.status_code}: {answer.text[:300]}")
            time.sleep(0.2)
