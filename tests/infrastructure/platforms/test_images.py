import httpx
import pytest

from domain.policies.retry import ErrorClass
from infrastructure.http import HttpClient
from infrastructure.platforms.connector import PlatformCallFailed
from infrastructure.platforms.images import MAX_BYTES, HttpImages
from services.simulators.images import draw

URL = "https://images.example/1.png"


def web(request: httpx.Request) -> httpx.Response:
    match request.url.path:
        case "/1.png":
            return httpx.Response(200, content=draw("1"))
        case "/large.png":
            return httpx.Response(200, content=bytes(MAX_BYTES + 1))
        case "/away.png":
            return httpx.Response(302, headers={"Location": "http://127.0.0.1/"})
        case "/down.png":
            raise httpx.ConnectError("down")
        case "/ended.png":
            raise AttributeError("'NoneType' object has no attribute 'getpeername'", name="getpeername")
    return httpx.Response(404)


def images(allowed: frozenset[str] | None = frozenset({"images.example"})) -> HttpImages:
    return HttpImages(HttpClient(transport=httpx.MockTransport(web)), allowed)


async def test_a_picture_is_fetched() -> None:
    assert await images().fetch(URL) == draw("1")
    assert await images(None).fetch(URL) == draw("1")


@pytest.mark.parametrize(
    ("url", "error_class"),
    [
        ("file:///etc/passwd", ErrorClass.VALID),
        ("https://", ErrorClass.VALID),
        ("http://[", ErrorClass.VALID),
        ("https://images.example:x/1.png", ErrorClass.VALID),
        ("http://127.0.0.1/admin", ErrorClass.VALID),
        ("https://images.example/none.png", ErrorClass.VALID),
        ("https://images.example/large.png", ErrorClass.VALID),
        ("https://images.example/away.png", ErrorClass.VALID),
        ("https://images.example/down.png", ErrorClass.NETWORK),
        ("https://images.example/ended.png", ErrorClass.NETWORK),
    ],
)
async def test_what_is_no_usable_picture_is_refused(url: str, error_class: ErrorClass) -> None:
    with pytest.raises(PlatformCallFailed) as failure:
        await images().fetch(url)
    assert failure.value.error.error_class is error_class
