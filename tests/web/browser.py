"""A person's browser, as far as our interface is concerned: cookies, the CSRF token, and the live feed."""

# ruff: noqa: ANN401 - what comes over the wire has no type until the test has looked at it

import json
from typing import Any, Self

from aiohttp import ClientResponse, ClientSession, ClientWebSocketResponse, CookieJar
from aiohttp.test_utils import BaseTestServer
from yarl import URL

from tests.support.database import PASSWORD

API = "/api/v1"


class Said:
    """An answer, read whole."""

    def __init__(self, response: ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.content_type = response.content_type
        self.text = body.decode()
        self.response = response

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The problem's code, or what was wrong with the test."""
        assert self.content_type == "application/problem+json", self.text
        code: str = self.json["code"]
        return code

    def ok(self) -> Any:
        assert self.status < 300, f"{self.status}: {self.text}"
        return self.json if self.text else None


class Browser:
    """One person's."""

    def __init__(self, server: BaseTestServer) -> None:
        self._server = server
        self._session = ClientSession(cookie_jar=CookieJar(unsafe=True))
        self.csrf: str | None = None
        self.me: Any = None

    async def sign_in(self, login: str, password: str = PASSWORD) -> Self:
        self.me = (await self.post("/session", {"login": login, "password": password})).ok()
        self.csrf = self.me["csrf"]
        return self

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        key: str | None = None,
        root: str = API,
    ) -> Said:
        sent = dict(headers or {})
        if self.csrf is not None and method != "GET":
            sent.setdefault("X-CSRF-Token", self.csrf)
        if key is not None:
            sent["Idempotency-Key"] = key
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        url = URL(f"http://{self._server.host}:{self._server.port}{root}{path}", encoded=True)
        async with self._session.request(method, url, data=data, headers=sent, allow_redirects=False) as response:
            return Said(response, await response.read())

    async def get(self, path: str, **more: Any) -> Said:
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Said:
        return await self.ask("POST", path, body, **more)

    async def put(self, path: str, body: object = None, **more: Any) -> Said:
        return await self.ask("PUT", path, body, **more)

    async def patch(self, path: str, body: object = None, **more: Any) -> Said:
        return await self.ask("PATCH", path, body, **more)

    async def delete(self, path: str, **more: Any) -> Said:
        return await self.ask("DELETE", path, **more)

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self._session.cookie_jar}

    async def ticket(self, purpose: str = "live") -> str:
        ticket: str = (await self.post("/session/ticket", {"purpose": purpose})).ok()["ticket"]
        return ticket

    async def socket(self, *, origin: str | None = None) -> ClientWebSocketResponse:
        headers = {} if origin is None else {"Origin": origin}
        return await self._session.ws_connect(self._server.make_url(f"{API}/live"), headers=headers, autoping=True)

    async def follow(self, cursor: str | None = None) -> ClientWebSocketResponse:
        """On the live feed."""
        socket = await self.socket()
        await socket.send_json({"ticket": await self.ticket(), **({"cursor": cursor} if cursor else {})})
        return socket

    async def close(self) -> None:
        await self._session.close()
