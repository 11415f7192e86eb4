import httpx
import pytest

from infrastructure.http import ConnectionEnded, HttpClient


def failing(error: Exception) -> HttpClient:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return HttpClient(transport=httpx.MockTransport(answer))


async def test_a_connection_that_ends_as_soon_as_it_is_made_is_a_failure_to_connect() -> None:
    http = failing(AttributeError("'NoneType' object has no attribute 'getpeername'", name="getpeername"))
    with pytest.raises(ConnectionEnded) as failure:
        await http.get("http://shop.example/item")
    assert isinstance(failure.value, httpx.TransportError)
    assert failure.value.request.url == "http://shop.example/item"


async def test_a_fault_of_our_own_stays_one() -> None:
    with pytest.raises(AttributeError):
        await failing(AttributeError("'Shop' object has no attribute 'name'", name="name")).get("http://shop.example/")
