"""The record of dispatch: whatever is done in whatever order, the log adds up to the rows, and the audit says so."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from callcenter import desk
from callcenter.bell import Bell
from callcenter.ids import IncidentId
from callcenter.incident import Outcome
from callcenter.ledger import Ledger
from callcenter.refused import Refused
from callcenter.store import Pool, open_pool
from dispatch import mission, sending
from dispatch.audit import Count, Wrong, audit
from dispatch.sending import Telling, Verb, unit_id_of
from tests.dispatch.room import CREWS, Room
from tests.support.builders import NOON
from tests.support.database import Cluster

CALL_SIGNS = ["AMB-01", "AMB-02", "PMK-01"]
SOON = st.integers(min_value=-120, max_value=600)


async def audited(pool: Pool) -> Wrong | None:
    async with pool.acquire() as connection:
        return await audit(connection, Count())


class Shift(RuleBasedStateMachine):
    """A shift in which anything may happen, also what makes no sense. Only refusals are allowed to come back."""

    runner: asyncio.Runner
    dsn: str

    incidents: Bundle[IncidentId] = Bundle("incidents")
    missions: Bundle[UUID] = Bundle("missions")

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.pool = self.runner.run(open_pool(self.dsn, size=2))
        self.room = Room(Ledger(self.pool, Bell()))

    def teardown(self) -> None:
        assert self.runner.run(audited(self.pool)) is None
        # Each run starts with free units; what was recorded stays, and goes on being audited.
        for call_sign in CALL_SIGNS:
            self.runner.run(self._free(call_sign))
        self.pool.terminate()

    async def _free(self, call_sign: str) -> None:
        live = await self.pool.fetchval("SELECT mission FROM unit_now WHERE call_sign = $1", call_sign)
        async with self.room.ledger.book(by="budi") as book:
            if live is not None:
                await sending.withdraw(book, live, reason="akhir giliran", now=self.now)
        async with self.room.ledger.book(by="budi") as book:
            await sending.set_duty(book, unit_id_of(call_sign), Verb.ON_DUTY, now=self.now)

    def attempt(self, work: Callable[[], object]) -> object:
        self.now += timedelta(seconds=7)
        try:
            return self.runner.run(work())  # type: ignore[arg-type]  # each caller gives a coroutine function
        except Refused:
            return None

    @rule(target=incidents)
    def a_call_comes(self) -> IncidentId:
        return self.runner.run(self.room.incident())

    @rule(target=missions, incident=incidents, units=st.lists(st.sampled_from(CALL_SIGNS), min_size=1, max_size=3))
    def send(self, incident: IncidentId, units: list[str]) -> MultipleResults[UUID]:
        sent = self.attempt(lambda: self.room.send(incident, *units, at=self.now))
        return multiple(*sent) if isinstance(sent, list) else multiple()

    @rule(
        which=missions,
        verb=st.sampled_from(list(Verb)),
        late_s=SOON,
        outcome=st.sampled_from([*Outcome, "beres"]),
        reason=st.sampled_from(["ban kempes", ""]),
    )
    def tell(self, which: UUID, verb: Verb, late_s: int, outcome: str, reason: str) -> None:
        telling = Telling(verb, at=self.now - timedelta(seconds=late_s), reason=reason, outcome=outcome)

        async def work() -> None:
            async with self.room.ledger.book(by="amb-01") as book:
                await sending.hear(book, which, telling, now=self.now)

        self.attempt(work)

    @rule(which=missions, what=st.sampled_from([sending.realert, sending.expire]))
    def time_passes(self, which: UUID, what: Callable[..., object]) -> None:
        async def work() -> None:
            async with self.room.ledger.book(by="rule") as book:
                await what(book, which, now=self.now)  # type: ignore[misc]  # both are coroutine functions

        self.attempt(work)

    @rule(target=missions, which=missions, reason=st.sampled_from(["salah alamat", ""]), again=st.booleans())
    def withdraw_or_resend(self, which: UUID, reason: str, again: bool) -> MultipleResults[UUID]:
        async def work() -> UUID | None:
            async with self.room.ledger.book(by="budi") as book:
                if again:
                    return (await sending.resend(book, which, now=self.now)).missions[0]
                await sending.withdraw(book, which, reason=reason, now=self.now)
                return None

        done = self.attempt(work)
        return multiple(done) if isinstance(done, UUID) else multiple()

    @rule(
        call_sign=st.sampled_from(CALL_SIGNS),
        verb=st.sampled_from(list(Verb)),
        reason=st.sampled_from(["servis", None]),
    )
    def duty(self, call_sign: str, verb: Verb, reason: str | None) -> None:
        async def work() -> None:
            async with self.room.ledger.book(by="amb-01") as book:
                await sending.set_duty(book, unit_id_of(call_sign), verb, reason=reason, now=self.now)

        self.attempt(work)

    @rule(incident=incidents, verb=st.sampled_from(["close", "cancel", "reopen"]))
    def the_desk_decides(self, incident: IncidentId, verb: str) -> None:
        async def work() -> None:
            async with self.room.ledger.book(by="sari") as book:
                match verb:
                    case "close":
                        await desk.close(book, incident, Outcome.INFORMATION, note=None, now=self.now)
                    case "cancel":
                        await desk.cancel(book, incident, "pelapor membatalkan", now=self.now)
                    case _:
                        await desk.reopen(book, incident, "ternyata belum selesai", now=self.now)

        self.attempt(work)

    @invariant()
    def nobody_is_on_an_incident_that_is_over(self) -> None:
        strange = self.runner.run(
            self.pool.fetch(
                """SELECT m.id FROM mission m JOIN incident i ON i.id = m.incident
                   WHERE m.status = ANY($1) AND i.status NOT IN ('triaged', 'open')""",
                list(map(str, mission.LIVE)),
            )
        )
        assert strange == []


@pytest.mark.slow
def test_whatever_happens_in_a_shift_the_log_adds_up_to_the_rows(cluster: Cluster) -> None:
    with asyncio.Runner() as runner:
        dsn = runner.run(cluster.fresh())

        async def register() -> None:
            pool = await open_pool(dsn, size=1)
            await sending.register(Ledger(pool, Bell()), CREWS, now=NOON)
            pool.terminate()

        runner.run(register())
        machine = type("ThisShift", (Shift,), {"runner": runner, "dsn": dsn})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )
        runner.run(cluster.drop(dsn))


async def _an_evening(room: Room) -> UUID:
    incident = await room.incident()
    (first,) = await room.send(incident, "AMB-01")
    await room.tell(first, "accept", "en_route", "on_scene", "cleared")
    return first


async def test_the_audit_finds_nothing_in_an_untouched_record(room: Room) -> None:
    await _an_evening(room)
    assert await audited(room.pool) is None


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE mission SET outcome = 'prank'", "outcome is 'prank' in the row, 'handled' by the log"),
        ("UPDATE mission SET version = version + 1", "the row is at version 6, the log at 5"),
        ("UPDATE unit SET since = since + interval '1 microsecond' WHERE call_sign = 'AMB-01'", "since is"),
        ("DELETE FROM timer; DELETE FROM mission", "is in the log without a row"),
        ("INSERT INTO seat VALUES (gen_random_uuid(), 1, 'free', 'seat-99', NULL, now(), NULL)", "a row without a log"),
        ("ALTER TABLE log DISABLE TRIGGER USER; DELETE FROM log WHERE type = 'UnitEnRoute'", "its events are numbered"),
        (
            "ALTER TABLE log DISABLE TRIGGER USER; UPDATE log SET type = 'Nonsense' WHERE type = 'UnitEnRoute'",
            "cannot be read: KeyError",
        ),
        (
            "ALTER TABLE log DISABLE TRIGGER USER; UPDATE log SET kind = 'ghost' WHERE kind = 'mission'",
            "a row without a log",
        ),
    ],
)
async def test_the_audit_names_the_first_thing_that_was_tampered_with(room: Room, tampering: str, found: str) -> None:
    await _an_evening(room)
    await room.pool.execute(tampering)
    wrong = await audited(room.pool)
    assert wrong is not None
    assert found in str(wrong)
