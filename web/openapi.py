"""One door for each thing a screen can ask: who may, what must be sent, what comes back.

The API's document is made from the same words.

A handler is an async function of the desk and an ``Ask``. ``@route`` says the rest, and ``Route.serve`` does it in
one order for all: who is asking, may they, is it really their page asking (CSRF), is the request well shaped; only
then does the handler run.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from web.bodies import Nothing
from web.policy import POLICY, Scope, Viewer, is_public, scope
from web.problem import MEDIA_TYPE, Problem, ProblemBody, no_such, wrong_shape
from web.session import NO_SESSION, Session

if TYPE_CHECKING:
    from web.desk import Desk

API: Final = "/api/v1"
# Longer than a statement may take; an asker who waited this long is told so instead of being kept in a queue.
ANSWER_S: Final = 8.0
_UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_KEY_LENGTH: Final = range(8, 81)

T_co = TypeVar("T_co", bound=BaseModel, covariant=True)
NO_ID: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Ask(Generic[T_co]):
    """One request, already checked: who asks, how far their right goes, and what they said (the body, or the query)."""

    who: Viewer
    session: Session
    action: str
    scope: Scope
    said: T_co
    http: web.Request
    id: UUID = NO_ID
    key: str | None = None

    def part(self, name: str) -> str:
        """A piece of the path that is not an id."""
        return self.http.match_info[name]

    @property
    def fingerprint(self) -> str:
        """What was asked for, in short: the same key with another fingerprint is a mistake of the client."""
        said = self.said.model_dump_json(exclude_unset=True)
        return sha256(f"{self.http.method} {self.http.path} {said}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Done:
    """An answer that needs more than a body: another status, a cookie, a header."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cookie: Callable[[web.StreamResponse], None] | None = None


# The handlers' own types differ route by route; `route` below checks each where it is written.
Handler = Callable[["Desk", Any], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be asked."""

    method: str
    path: str
    action: str
    said: type[BaseModel]
    answer: Any  # a TypedDict, or None; TypeAdapter takes any type
    status: int
    handler: Handler
    summary: str

    @property
    def is_unsafe(self) -> bool:
        return self.method in _UNSAFE

    @property
    def name(self) -> str:
        """The operation's id in the document: stable, because clients are generated from it."""
        return self.handler.__name__

    async def serve(self, desk: "Desk", request: web.Request) -> web.StreamResponse:
        """Answer one request, or raise the problem with it."""
        # What is public needs no session, and so works while the record is away.
        session = NO_SESSION if is_public(self.action) else await desk.doors.session_of(request)
        right = scope(session.who.role, self.action)
        if right is None:
            raise _not_allowed(signed_in=bool(session.who.login))
        if self.is_unsafe and not is_public(self.action) and not session.has_token(request):
            raise Problem(403, "csrf.wrong", "the page is out of date; reload it and try again")
        ask = Ask(
            who=session.who,
            session=session,
            action=self.action,
            scope=right,
            said=await self._said(request),
            http=request,
            id=_id(request),
            key=_key(request) if self.is_unsafe else None,
        )
        async with asyncio.timeout(ANSWER_S):
            return self._response(await self.handler(desk, ask))

    async def _said(self, request: web.Request) -> BaseModel:
        try:
            if not self.is_unsafe:
                return self.said.model_validate(dict(request.query))
            raw = await request.read()
            if not raw:
                return self.said.model_validate({})
            if request.content_type != "application/json":
                raise Problem(415, "request.not_json", "send the body as application/json")
            return self.said.model_validate_json(raw, strict=True)
        except ValidationError as error:
            raise wrong_shape(error) from error

    def _response(self, answer: object) -> web.StreamResponse:
        if isinstance(answer, web.StreamResponse):
            return answer
        done = answer if isinstance(answer, Done) else Done(body=answer, status=self.status)
        headers = {"Cache-Control": "no-store", **done.headers}
        if done.body is None:
            response = web.Response(status=204, headers=headers)
        else:
            body = to_json(done.body, inf_nan_mode="null")
            response = web.Response(body=body, status=done.status, content_type="application/json", headers=headers)
        if done.cookie is not None:
            done.cookie(response)
        return response


def _not_allowed(*, signed_in: bool) -> Problem:
    if signed_in:
        return Problem(403, "not.allowed", "your role does not allow this; ask a supervisor")
    return Problem(401, "session.needed", "please sign in")


def _id(request: web.Request) -> UUID:
    """The {id} of the path. What is not an id is simply unknown."""
    text = request.match_info.get("id")
    if text is None:
        return NO_ID
    try:
        return UUID(text)
    except ValueError:
        raise no_such("thing") from None


def _key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if len(key) not in _KEY_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
        raise Problem(422, "key.shape", "an Idempotency-Key has 8 to 80 visible ASCII characters")
    return key


ROUTES: Final[list[Route]] = []

H = TypeVar("H", bound=Callable[["Desk", Ask[Any]], Awaitable[object]])


def route(
    method: str,
    path: str,
    *,
    action: str,
    said: type[BaseModel] = Nothing,
    answer: Any = None,  # noqa: ANN401 - a TypedDict; TypeAdapter takes any type
    status: int | None = None,
) -> Callable[[H], H]:
    """Put a handler on the map. Its docstring's first line becomes its summary in the document."""
    if action not in POLICY:
        raise ValueError(f"{action} is not in the policy table")

    def keep(handler: H) -> H:
        summary = (handler.__doc__ or "").strip().partition("\n")[0]
        usual = 204 if answer is None else 200
        ROUTES.append(Route(method, path, action, said, answer, status or usual, handler, summary))
        return handler

    return keep


# ------------------------------------------------------------ the document --

_PROBLEMS: Final = {
    401: "session.needed",
    403: "not.allowed",
    404: "unknown",
    409: "refused",
    422: "request.shape",
    503: "database.away",
}


def document(routes: Iterable[Route], *, version: str) -> dict[str, object]:
    """The OpenAPI 3.1 document of these routes."""
    known = list(routes)
    adapters = _adapters(known)
    schemas, components = TypeAdapter.json_schemas(
        [(key, mode, adapter) for key, (mode, adapter) in adapters.items()],
        ref_template="#/components/schemas/{model}",
    )
    by_key = {key: schema for (key, _), schema in schemas.items()}
    paths: dict[str, dict[str, object]] = {}
    for one in known:
        paths.setdefault(API + one.path, {})[one.method.lower()] = _operation(one, by_key)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Siaga 112",
            "version": version,
            "summary": "The desk of an open-source 112 control room.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components.get("$defs", {}),
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "siaga_session"},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
    }


def _adapters(routes: list[Route]) -> dict[str, tuple[Any, TypeAdapter[Any]]]:
    adapters: dict[str, tuple[Any, TypeAdapter[Any]]] = {"problem": ("serialization", TypeAdapter(ProblemBody))}
    for one in routes:
        if one.is_unsafe:
            adapters[f"{one.name}.said"] = ("validation", TypeAdapter(one.said))
        if one.answer is not None:
            adapters[f"{one.name}.answer"] = ("serialization", TypeAdapter(one.answer))
    return adapters


def _operation(one: Route, schemas: Mapping[str, object]) -> dict[str, object]:
    statuses = {status for status in _PROBLEMS if not (is_public(one.action) and status in {401, 403})}
    responses: dict[str, object] = {
        str(status): {
            "description": f"{HTTPStatus(status).phrase} (code: {_PROBLEMS[status]}, or one more exact)",
            "content": {MEDIA_TYPE: {"schema": schemas["problem"]}},
        }
        for status in sorted(statuses)
    }
    good: dict[str, object] = {"description": HTTPStatus(one.status).phrase}
    if one.answer is not None:
        good["content"] = {"application/json": {"schema": schemas[f"{one.name}.answer"]}}
    operation: dict[str, object] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Action `{one.action}` of the policy table: {', '.join(POLICY[one.action])}.",
        "tags": [one.path.split("/")[1].partition(".")[0]],
        "parameters": _parameters(one),
        "responses": {str(one.status): good, **responses},
    }
    if one.is_unsafe and one.said is not Nothing:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[f"{one.name}.said"]}},
        }
    if not is_public(one.action):
        operation["security"] = [{"session": [], "csrf": []} if one.is_unsafe else {"session": []}]
    return operation


def _parameters(one: Route) -> list[dict[str, object]]:
    parameters: list[dict[str, object]] = []
    for name in _path_names(one.path):
        schema = {"type": "string", "format": "uuid"} if name == "id" else {"type": "string"}
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    if one.is_unsafe:
        key = {"type": "string", "minLength": _KEY_LENGTH.start, "maxLength": _KEY_LENGTH.stop - 1}
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
        return parameters
    schema_of_query = one.said.model_json_schema()
    needed = schema_of_query.get("required", [])
    for name, schema in schema_of_query.get("properties", {}).items():
        parameters.append({"name": name, "in": "query", "required": name in needed, "schema": schema})
    return parameters


@cache
def _path_names(path: str) -> tuple[str, ...]:
    return tuple(piece.partition("}")[0] for piece in path.split("{")[1:])
