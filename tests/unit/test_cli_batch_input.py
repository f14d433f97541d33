"""The domains of a batch, as people keep them: lists, spreadsheets' CSV, standard input."""

from pathlib import Path

import pytest

from scrapersky.domain.limits import MAX_DOMAINS
from scrapersky_cli.domain_list import MAX_BYTES, read_domains
from scrapersky_cli.errors import UsageError


def read(tmp_path: Path, content: str | bytes, name: str = "domains.txt") -> list[str]:
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return read_domains(str(path))


def refusal(tmp_path: Path, content: str | bytes, name: str = "domains.txt") -> str:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, content, name)
    return caught.value.message.replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a.example\nb.example\n", ["a.example", "b.example"]),
        ("a.example\r\nb.example", ["a.example", "b.example"]),
        ("a.example\rb.example\r", ["a.example", "b.example"]),
        ("\ufeffa.example\n", ["a.example"]),
        ("# ours\n\n  a.example  \n#b.example\nc.example # the new one\n", ["a.example", "c.example"]),
        ("https://a.example/x#top\n", ["https://a.example/x#top"]),
        ("https://a.example/x,y;z\nb.example\n", ["https://a.example/x,y;z", "b.example"]),
        ("a.example\na.example\n", ["a.example", "a.example"]),
        ("müller.example\n", ["müller.example"]),
        ("no domain\n", ["no domain"]),
    ],
)
def test_a_list_has_an_entry_a_line(tmp_path: Path, content: str, expected: list[str]) -> None:
    assert read(tmp_path, content) == expected


@pytest.mark.parametrize("column", ["domain", "domains", "url", "website", "Domain", "WEBSITE", " Url "])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("name", ["list.csv", "list.tsv", "list.txt", "list"])
def test_a_csv_is_told_by_its_header(tmp_path: Path, column: str, delimiter: str, name: str) -> None:
    rows = [["Company", column, "City"], ["A", "a.example", "Ulm"], ["B", " https://b.example/ ", ""]]
    content = "\n".join(delimiter.join(row) for row in rows)
    assert read(tmp_path, content, name) == ["a.example", "https://b.example/"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("domain\na.example\nb.example\n", ["a.example", "b.example"]),
        ("\n# exported\n\nname,domain\nA,a.example\n\n,\n# C,c.example\nD\nB,b.example\n", ["a.example", "b.example"]),
        ('"Name, long","Domain"\r\n"A, B","a.example"\r\n"two\r\nlines",b.example\r\n', ["a.example", "b.example"]),
        ("#;Domain\n1;a.example\n#2;b.example\n", ["a.example", "b.example"]),
        ("domain\n#a.example\nb.example\n", ["b.example"]),
        ("website,domain\nhttps://w.example/,d.example\n", ["d.example"]),
        ("a;b;url, or so;url\n1;2;3;a.example\n", ["a.example"]),
    ],
)
def test_a_csv_gives_its_column(tmp_path: Path, content: str, expected: list[str]) -> None:
    assert read(tmp_path, content, "list.csv") == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spreadsheets_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    content = "Firma\tDomain\nMüller\tmüller.example\n".encode(encoding)
    assert read(tmp_path, content, "list.csv") == ["müller.example"]


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing yet\n", "domain\n", "name,domain\nA,\n"])
@pytest.mark.parametrize("name", ["list.csv", "list.txt"])
def test_a_file_that_names_nothing_says_so(tmp_path: Path, content: str, name: str) -> None:
    assert refusal(tmp_path, content, name) == f"/{name} names no domain"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("a.example\nb.example\n", "list.csv"),
        ("https://a.example/,A\n", "list.tsv"),
        ("name,homepage\nA,a.example\n", "list.txt"),
        ("a.example;A\n", "list"),
    ],
)
def test_a_missing_header_is_said_with_what_stands_there(tmp_path: Path, content: str, name: str) -> None:
    message = refusal(tmp_path, content, name)
    assert "domain, domains, url or website" in message
    assert message.endswith(f"and is: {content.splitlines()[0]}")


def test_a_quote_that_is_left_open_does_not_swallow_the_rest(tmp_path: Path) -> None:
    assert "is no CSV at line 3" in refusal(tmp_path, 'domain\na.example\n"b.example\n', "list.csv")


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, b"m\xfcller.example\n") == "/domains.txt is no UTF-8 text; save it as UTF-8"
    assert "is no UTF-16 text" in refusal(tmp_path, b"\xff\xfea")


def test_as_many_domains_as_a_batch_takes_are_read_and_no_more(tmp_path: Path) -> None:
    most = "".join(f"{number}.example\n" for number in range(MAX_DOMAINS))
    assert len(read(tmp_path, most)) == MAX_DOMAINS
    assert "names 10001 domains; a batch takes 10000 at most" in refusal(tmp_path, most + "one-more.example\n")


def test_a_file_of_another_kind_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(UsageError, match="larger than 32 MiB"):
        read_domains(str(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.txt", tmp_path):
        with pytest.raises(UsageError, match=f"cannot read {path}: "):
            read_domains(str(path))
