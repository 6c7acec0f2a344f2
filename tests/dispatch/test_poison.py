"""Frames that a broken or hostile device sends: refused, and nobody else is disturbed."""

import asyncio
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from callcenter.ids import new_id
from dispatch import frames
from dispatch.client import Device
from dispatch.frames import Ack, Do, Hello, Position, Unreadable
from dispatch.line import MOST_UNACKED
from dispatch.push import MOST_BAD_FRAMES
from tests.dispatch.room import Air, closed_by, reading

GOOD = '{"type":"position","lat":-6.17,"lon":106.64,"accuracy_m":8,"at":"2026-11-24T05:00:00Z"}'

POISON = {
    "no json": "halo",
    "half json": '{"type":"do","id":"1"',
    "not an object": "[1,2,3]",
    "no type": '{"id":"1"}',
    "a type nobody knows": '{"type":"selfdestruct"}',
    "hello again": '{"type":"hello","ticket":"x"}',
    "a verb nobody knows": '{"type":"do","id":"1","verb":"explode"}',
    "no key": '{"type":"do","verb":"accept"}',
    "an empty key": '{"type":"do","id":"","verb":"accept"}',
    "a key without end": '{"type":"do","id":"' + "k" * 65 + '","verb":"accept"}',
    "a note without end": '{"type":"do","id":"1","verb":"accept","note":"' + "n" * 2001 + '"}',
    "zero in text": '{"type":"do","id":"1","verb":"decline","reason":"a\\u0000b"}',
    "lone surrogate": '{"type":"do","id":"1","verb":"decline","reason":"\\ud800"}',
    "a mission that is no id": '{"type":"do","id":"1","verb":"accept","mission":"AMB-01"}',
    "NaN": GOOD.replace("-6.17", "NaN"),
    "infinity": GOOD.replace("-6.17", "Infinity"),
    "a number beyond numbers": GOOD.replace("-6.17", "1e999"),
    "beyond the pole": GOOD.replace("-6.17", "-96.17"),
    "beyond the date line": GOOD.replace("106.64", "190"),
    "a number as text": GOOD.replace("-6.17", '"-6.17"'),
    "no time zone": GOOD.replace("Z", ""),
    "year one": GOOD.replace("2026", "0001"),
    "year 9999": GOOD.replace("2026", "9999"),
    "negative accuracy": GOOD.replace('"accuracy_m":8', '"accuracy_m":-8'),
    "deep nesting": '{"type":"do","id":"1","verb":"accept","mission":' + "[" * 30_000 + "]" * 30_000 + "}",
    "a number of 5,000 digits": '{"type":"ack","seq":' + "9" * 5000 + "}",
    "negative seq": '{"type":"ack","seq":-1}',
    "seq beyond bigint": '{"type":"ack","seq":9223372036854775808}',
    "true as a number": '{"type":"ack","seq":true}',
}


@pytest.mark.parametrize("frame", POISON.values(), ids=POISON.keys())
def test_a_frame_that_says_nothing_is_refused_by_name(frame: str) -> None:
    if '"hello"' in frame:
        assert isinstance(frames.hear(frame), Hello)
        return
    with pytest.raises(Unreadable) as refused:
        frames.hear(frame)
    assert len(str(refused.value)) <= 200
    assert "nnnn" not in str(refused.value)


def test_a_refused_wish_is_named_so_that_the_device_knows_which() -> None:
    with pytest.raises(Unreadable) as refused:
        frames.hear('{"type":"do","id":"k7","verb":"explode"}')
    assert refused.value.re == "k7"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_whatever_json_comes_it_is_understood_or_refused(value: object) -> None:
    with suppress(Unreadable):
        assert isinstance(frames.hear(json.dumps(value)), Hello | Ack | Do | Position)


@given(st.text(max_size=200))
def test_whatever_text_comes_it_is_understood_or_refused(text: str) -> None:
    with suppress(Unreadable):
        frames.hear(text)


async def _is_well(device: Device) -> None:
    answer = await device.do("on_duty")
    assert answer["type"] == "ok"


async def test_poison_costs_its_sender_an_answer_and_nobody_else_anything(air: Air) -> None:
    async with await air.device("amb-02") as other:
        for name, frame in POISON.items():
            async with await air.device("amb-01") as amb:
                await amb.ws.send(frame)
                async with asyncio.timeout(5):
                    while (answer := await amb.read())["type"] != "refused":
                        pass
                assert answer["code"] == "frame.unreadable", name
                await _is_well(amb)
        await _is_well(other)


async def test_bytes_are_refused(air: Air) -> None:
    async with await air.device("amb-01") as amb:
        await amb.ws.send(b"\x00\xff")
        assert (await amb.read())["code"] == "frame.unreadable"


async def test_a_device_that_sends_nothing_but_rubbish_is_cut_off(air: Air) -> None:
    async with await air.device("amb-01") as amb, await air.device("amb-02") as other:
        for _ in range(MOST_BAD_FRAMES):
            await amb.ws.send("rubbish")
        assert await closed_by(reading(amb)) == 4413
        await _is_well(other)


@pytest.mark.parametrize("size", [frames.MOST_BYTES + 1, 10 * 2**20])
async def test_a_frame_without_end_closes_that_line_only(air: Air, size: int) -> None:
    async def say_it() -> None:
        await broken.send("x" * size)
        while True:
            await broken.recv()

    async with await air.device("amb-02") as other:
        # Not `async with`: the library's client trips over itself when it closes what was cut off while it wrote.
        broken = await connect(air.url, compression=None)
        await broken.send(json.dumps({"type": "hello", "ticket": await air.room.ticket("amb-01")}))
        assert await closed_by(say_it()) in {1009, None}
        await _is_well(other)


async def test_a_flood_closes_that_line_only(air: Air) -> None:
    async def flood() -> None:
        while True:
            await amb.ws.send('{"type":"ack","seq":1}')

    async with await air.device("amb-01") as amb, await air.device("amb-02") as other:
        assert await closed_by(flood()) == 4413
        await _is_well(other)


async def _closed_with(url: str, *first: str | bytes) -> int | None:
    async with connect(url, compression=None) as ws:
        try:
            for frame in first:
                await ws.send(frame)
            async with asyncio.timeout(5):
                while True:
                    await ws.recv()
        except ConnectionClosed as closed:
            return None if closed.rcvd is None else closed.rcvd.code


async def test_who_does_not_say_hello_with_a_good_ticket_does_not_come_in(air: Air) -> None:
    def hello(ticket: str, cursor: str | None = None) -> str:
        return json.dumps({"type": "hello", "ticket": ticket, "cursor": cursor})

    used = await air.room.ticket("amb-01")
    expired = await air.room.ticket("amb-01", lasts_s=-1)
    assert await _closed_with(air.url, "rubbish") == 4401
    assert await _closed_with(air.url, GOOD) == 4401
    assert await _closed_with(air.url, b"hello") == 4401
    assert await _closed_with(air.url, hello("no such ticket")) == 4401
    assert await _closed_with(air.url, hello("\0")) == 4401
    assert await _closed_with(air.url, hello(expired)) == 4401
    assert await _closed_with(air.url, hello(await air.room.ticket("budi"))) == 4403
    for cursor in ("yesterday", "1", "-1-1", "99999999999999999999-1", "9223372036854775807-1"):
        assert await _closed_with(air.url, hello(await air.room.ticket("amb-01"), cursor)) == 4409
    async with connect(air.url, compression=None) as ws:
        await ws.send(hello(used))
        assert json.loads(await ws.recv())["type"] == "welcome"
        assert await _closed_with(air.url, hello(used)) == 4401


async def test_only_our_own_pages_and_only_the_path_for_devices(air: Air) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(air.url.replace("/unit", "/admin")):
            pass
    assert refused.value.response.status_code == 404


async def test_what_does_not_exist_is_refused_and_what_is_anothers_looks_the_same(air: Air) -> None:
    (others,) = await air.room.send(await air.room.incident(), "AMB-02")
    async with await air.device("amb-01") as amb:
        nothing = await amb.do("accept", mission=str(new_id()))
        anothers = await amb.do("accept", mission=str(others))
        none = await amb.do("accept")
    assert nothing["code"] == anothers["code"] == "unknown"
    assert nothing["message"] == anothers["message"]
    assert none["code"] == "mission.none"


async def test_an_ack_of_what_was_never_sent_is_no_row(air: Air) -> None:
    async with await air.device("amb-01") as amb:
        for seq in range(MOST_UNACKED):
            await amb.say({"type": "ack", "seq": seq})
        await _is_well(amb)
    assert await air.room.pool.fetchval("SELECT count(*) FROM delivery") == 0
