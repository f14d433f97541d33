"""What holds for every route: many short tests over one database and one deployment, each with tenants of its own."""

from collections.abc import Iterator

import pytest

from conftest import Cluster, TestDatabase, migrated_database
from integration.api.conftest import Client, deployed
from integration.api.guarantees.starts import STARTING, Start, Witness, prepared
from integration.conftest import ScanQueue, scan_queue


@pytest.fixture(scope="module")
def postgres(cluster: Cluster) -> Iterator[TestDatabase]:
    with migrated_database(cluster) as database:
        yield database


@pytest.fixture(scope="module")
def queue() -> Iterator[ScanQueue]:
    with scan_queue() as queue:
        yield queue


@pytest.fixture(scope="module")
def deployment(postgres: TestDatabase, queue: ScanQueue) -> Iterator[Client]:
    with deployed(postgres, queue) as client:
        yield client


@pytest.fixture
def client(deployment: Client) -> Client:
    """A tenant that did nothing before."""
    return deployment.someone_else()


@pytest.fixture(params=STARTING)
def start(request: pytest.FixtureRequest, client: Client) -> Start:
    """Each POST that starts work."""
    return prepared(client, request.param)


@pytest.fixture
def witness(postgres: TestDatabase, queue: ScanQueue) -> Witness:
    return Witness(postgres, queue)
