"""What went wrong, said so that a person and a program can both act on it (RFC 9457, problem+json)."""

import logging
from collections.abc import Sequence
from typing import Final

from aiohttp import web
from pydantic import ValidationError
from pydantic_core import to_json
from typing_extensions import TypedDict

from callcenter.refused import Refused
from callcenter.store import AWAY

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"

TITLES: Final = {
    400: "This is not JSON",
    401: "Please sign in",
    403: "Not allowed",
    404: "There is no such thing",
    405: "Not possible here",
    409: "The rules say no",
    413: "Too large",
    415: "Only JSON is read here",
    422: "The request has the wrong shape",
    429: "Slow down",
    500: "A mistake of ours",
    503: "The record cannot be reached",
}

# Refusals are 409 unless the code says something more exact.
_STATUS_OF_REFUSAL: Final = {"unknown": 404}


class Fault(TypedDict):
    """One thing wrong with what was sent."""

    where: str
    what: str


class ProblemBody(TypedDict, total=False):
    """An answer that says no: ``code`` is stable, ``detail`` is a sentence for the screen."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request: str
    errors: Sequence[Fault]


class Problem(Exception):
    """An answer that says no, raised wherever that becomes clear."""

    def __init__(
        self, status: int, code: str, detail: str, *, errors: Sequence[Fault] = (), retry_after_s: int | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.errors = errors
        self.retry_after_s = retry_after_s


def no_such(kind: str) -> Problem:
    """The answer for an unknown id, and for one that is somebody else's: the two must look alike."""
    return Problem(404, "unknown", f"there is no such {kind}; reload the screen")


def wrong_shape(error: ValidationError) -> Problem:
    """What pydantic found, without repeating what was sent: it may be a caller's data."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if any(fault["type"] == "json_invalid" for fault in found):
        return Problem(400, "request.not_json", "the body is not JSON; check quotes, commas and numbers")
    faults = [Fault(where=".".join(str(part) for part in fault["loc"]), what=fault["msg"]) for fault in found[:20]]
    return Problem(422, "request.shape", "some fields are missing, unknown or out of bounds", errors=faults)


def _problem_of(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case Refused():
            return Problem(_STATUS_OF_REFUSAL.get(error.code, 409), error.code, str(error))
        case ValidationError():
            return wrong_shape(error)
        case web.HTTPRequestEntityTooLarge():
            return Problem(413, "too.large", "the body is too large; shorten the text")
        case web.HTTPMethodNotAllowed():
            return Problem(405, "method", f"use {', '.join(sorted(error.allowed_methods))} here")
        case web.HTTPNotFound():
            return Problem(404, "unknown", "there is no such address; check the path")
        case web.HTTPException():
            return Problem(error.status, "http", error.reason)
        case _ if isinstance(error, AWAY):
            detail = "the record cannot be reached just now; keep the call, write it down, and try again"
            return Problem(503, "database.away", detail, retry_after_s=1)
        case _:
            return Problem(500, "mistake", "something went wrong on our side; try again and tell the administrator")


def answer(problem: Problem, request_id: str) -> web.Response:
    """The problem as a response."""
    body = ProblemBody(
        type=f"urn:siaga112:problem:{problem.code}",
        title=TITLES.get(problem.status, "Refused"),
        status=problem.status,
        detail=str(problem),
        code=problem.code,
        request=request_id,
    )
    if problem.errors:
        body["errors"] = problem.errors
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    return web.Response(body=to_json(body), status=problem.status, content_type=MEDIA_TYPE, headers=headers)


def from_error(error: Exception, request: web.Request, request_id: str) -> web.Response:
    """Any error as an answer; a mistake of ours goes to the log whole, and to the asker only as a number to quote."""
    problem = _problem_of(error)
    if problem.status == 500:
        log.error("request failed", extra={"method": request.method, "path": request.path}, exc_info=error)
    elif problem.status == 503:
        log.warning("record away", extra={"path": request.path, "error": type(error).__name__})
    response = answer(problem, request_id)
    if isinstance(error, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return response
