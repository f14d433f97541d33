"""Migrations are appended, never changed: a database that has one refuses a version in which it reads otherwise."""

from scrapersky.db.migrate import shipped

RELEASED = {
    "0001_schema.sql": "3662d64476f77da93aceb23171bb5ae3921617587dcdb3c0dd39ae3ac1364af9",
    "0002_doors.sql": "3c920b01f8cfb28e686c2133e550c801947947bb40f6513403b29dbccf15649e",
    "0003_walls_and_sources.sql": "75bcfe0a7dcfdf369be386dc5330c686fb703ca3aa46d938c4e91057e3aa7a74",
    "0004_second_deliveries.sql": "2eb29e36f55ac2088f036a3941318d6dbb98177a5800b3b01c56a1825942d560",
    "0005_schema_version.sql": "f2a6591908ae75f65a93d1dcdebecb89c9ae5aa1ad574805f8e699b5ec3dad32",
    "0006_sitemaps.sql": "63bbae66a8abd1538e3ba27f749775355982c0103f90dc58244c2626fcd99bc1",
    "0007_places.sql": "a779c23dcdfddb046ce0740ae4af1af3ebb1ead0a8058f40aac2f11a21c04528",
    "0008_events.sql": "ce6888bee2844e10d158a97939d2e21e2156f43c9e214b544ad9b4e4930adddf",
    "0009_postponed.sql": "d789b45f1dc2e7464ad67bf5a5546ec06ad1a2e9084d60d93f4877d012a4dfb9",
    "0010_fair_events.sql": "9630099fc082872cddf2db3ab7ce37a44d207dea4a623dee206863afc6a73fe0",
    "0011_lock_order.sql": "b7345ff24149c5c82526abbff6bc8ad6075476108e922ad3660d7174610ba01e",
}


def test_a_released_migration_reads_as_it_was_released() -> None:
    assert {migration.name: migration.sha256 for migration in shipped()} == RELEASED


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [int(migration.name.partition("_")[0]) for migration in shipped()]
    assert numbers == list(range(1, len(numbers) + 1))
