"""The document of both websockets, made from the types that check and write their frames (AsyncAPI 3.0)."""

from typing import Any, Final, Literal

from pydantic import TypeAdapter

from dispatch import frames as push
from web import frames as live

Mode = Literal["validation", "serialization"]

# What each side says on each socket.
SPOKEN: Final[dict[str, dict[str, tuple[type[Any], ...]]]] = {
    "live": {"in": (live.Hello,), "out": (live.Snapshot, live.Changes, live.Positions, live.Beat)},
    "push": {
        "in": (push.Hello, push.Ack, push.Do, push.Position),
        "out": (push.Welcome, push.Told, push.Beat, push.Ok, push.Not),
    },
}
ABOUT: Final = {
    "live": ("/api/v1/live", "The consoles' live feed: a snapshot, then what changes."),
    "push": ("/unit", "The responders' push, on a port of its own (Config.push_url)."),
}
CLOSE_CODES: Final = {
    "4401": "the ticket is unknown, used or too old: get a new one",
    "4403": "the session has ended, or the account drives no unit: sign in again",
    "4408": "too slow: come back with the last cursor",
    "4409": "start anew: come back without a cursor",
    "4413": "a frame that is too large or says nothing known",
}


def document(*, version: str) -> dict[str, object]:
    """Both sockets, and the schema of every frame."""
    schemas, definitions = TypeAdapter.json_schemas(
        [
            ((socket, side, kind), _mode(side), TypeAdapter(kind))
            for socket, sides in SPOKEN.items()
            for side, kinds in sides.items()
            for kind in kinds
        ],
        ref_template="#/components/schemas/{model}",
    )
    payloads: dict[tuple[str, str, type[Any]], object] = {key: schema for (key, _), schema in schemas.items()}
    messages = {
        _name(socket, side, kind): {"name": kind.__name__, "payload": payloads[socket, side, kind]}
        for socket, side, kind in payloads
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Siaga 112 websockets", "version": version, "description": _rules()},
        "defaultContentType": "application/json",
        "channels": {socket: _channel(socket) for socket in SPOKEN},
        "operations": {
            f"{socket}.{'receive' if side == 'in' else 'send'}": {
                "action": "receive" if side == "in" else "send",
                "channel": {"$ref": f"#/channels/{socket}"},
                "messages": [{"$ref": f"#/channels/{socket}/messages/{_name(socket, side, kind)}"} for kind in kinds],
            }
            for socket, sides in SPOKEN.items()
            for side, kinds in sides.items()
        },
        "components": {"messages": messages, "schemas": definitions.get("$defs", {})},
    }


def _channel(socket: str) -> dict[str, object]:
    address, about = ABOUT[socket]
    names = [_name(socket, side, kind) for side, kinds in SPOKEN[socket].items() for kind in kinds]
    return {
        "address": address,
        "description": about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }


def _name(socket: str, side: str, kind: type[Any]) -> str:
    return f"{socket}.{side}.{kind.__name__}"


def _mode(side: str) -> Mode:
    return "validation" if side == "in" else "serialization"


def _rules() -> str:
    codes = "; ".join(f"{code}: {what}" for code, what in CLOSE_CODES.items())
    return f"The first frame holds a one-time ticket from POST /api/v1/session/ticket. Close codes: {codes}."
