"""Which stored answers a purge means."""

import pytest

from llmring_core.gateway.caching import (
    BadPurgePrefix,
    BadPurgeUrl,
    NothingNamed,
    Purge,
    PurgeWanted,
    covers,
    purge_of,
)
from llmring_core.ids import ProjectId
from tests.builders.caching import a_key
from tests.builders.kernel import P1, P2

URL = "/v1/models?b=2&a=1"


def wanted(
    url: str = URL, prefix: str = "", method: str = "GET", project: ProjectId | None = None
) -> Purge:
    return purge_of(PurgeWanted(project=project, method=method, url=url, prefix=prefix))


@pytest.mark.parametrize(
    "url", [URL, "/v1/models?a=1&b=2", f"https://api.openai.com{URL}", f"http://x:1{URL}#here"]
)
def test_a_url_is_all_variants_of_it(url: str) -> None:
    purge = wanted(url, method="get")
    for key in (a_key(query="b=2&a=1"), a_key(P2, query="a=1&b=2", account="k2")):
        assert covers(purge, key)
    for key in (a_key(), a_key(method="HEAD", query="b=2&a=1"), a_key(path="/v1/model")):
        assert not covers(purge, key)


@pytest.mark.parametrize(
    ("prefix", "is_covered"),
    [("/", True), ("/v1/mod", True), ("/v1/models", True), ("/v1/models/", False), ("/v2", False)],
)
def test_a_path_is_all_that_begins_with_it(prefix: str, is_covered: bool) -> None:
    assert covers(wanted(prefix=prefix), a_key(method="POST", query="x")) is is_covered


def test_a_key_may_be_copied_from_an_answer_or_begun() -> None:
    key = a_key()
    for digits in (1, 8, 64):
        assert covers(wanted(prefix=key.digest[:digits]), key)
    assert not covers(wanted(prefix=a_key(P2).digest), key)


@pytest.mark.parametrize("prefix", ["", "/", a_key(P2).digest])
def test_a_project_is_only_its_own(prefix: str) -> None:
    assert not covers(wanted("/v1/models", prefix, project=P1), a_key(P2))
    assert covers(wanted("/v1/models", prefix, project=P2), a_key(P2))


@pytest.mark.parametrize(("method", "url"), [("", URL), ("GET", ""), ("G T", URL), ("é", URL)])
def test_both_are_named_also_beside_a_prefix(method: str, url: str) -> None:
    with pytest.raises(NothingNamed):
        wanted(url, "/", method)


@pytest.mark.parametrize(
    "url",
    [
        *("v1/models", "http://", "http://x", "ftp://x/v1", "//x/v1", "http://[x/"),
        *("/a b", "/é", "/\0", "/" * 8193, "javascript:/x"),
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(BadPurgeUrl):
        wanted(url)


@pytest.mark.parametrize("prefix", ["*", "g", "A" * 3, "a" * 65, "/a b", "/\n", " ", "a*"])
def test_what_is_neither_path_nor_key_is_refused(prefix: str) -> None:
    with pytest.raises(BadPurgePrefix):
        wanted(prefix=prefix)
