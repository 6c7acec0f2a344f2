import pytest
from aiohttp.test_utils import make_mocked_request

from web.desk import Doorplate


class Loopback:
    """A transport whose other end is on this machine, as a proxy's is."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 40000) if name == "peername" else default


@pytest.mark.parametrize(
    ("public_host", "forwarded", "peer"),
    [
        (None, "203.0.113.9", "127.0.0.1"),
        ("112.kota.example", "203.0.113.9", "203.0.113.9"),
        ("112.kota.example", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("112.kota.example", "", "proxy"),
    ],
)
def test_only_our_own_proxy_says_who_asks(public_host: str | None, forwarded: str, peer: str) -> None:
    request = make_mocked_request("POST", "/", headers={"X-Forwarded-For": forwarded}, transport=Loopback())
    assert Doorplate(public_host).peer(request) == peer
