"""What is hidden from whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.policy import Role, Scope, Viewer
from web.redact import Rendering, Sight, data, mask, rendering_for


@pytest.mark.parametrize(
    ("number", "masked"),
    [(None, None), ("", ""), ("112", "•••"), ("5551234", "•••••34"), ("+628121234567", "+628•••••••67")],
)
def test_a_number_is_recognised_but_cannot_be_rung(number: str | None, masked: str | None) -> None:
    assert mask(number) == masked


@given(st.text("+0123456789", min_size=5, max_size=20))
def test_at_least_three_digits_of_a_number_are_hidden_and_its_length_is_kept(number: str) -> None:
    masked = mask(number) or ""
    assert len(masked) == len(number)
    assert masked.count("•") >= 3


def test_people_who_see_the_same_are_sent_the_same_bytes() -> None:
    def seen_by(role: Role, scope: Scope, agency: str | None = None) -> Rendering:
        return rendering_for(Viewer("x", "X", role, agency), scope)

    assert seen_by(Role.CALL_TAKER, Scope.ALL) == seen_by(Role.DISPATCHER, Scope.ALL) == Rendering(Sight.WORKING)
    assert seen_by(Role.SUPERVISOR, Scope.ALL) == Rendering(Sight.WHOLE)
    assert seen_by(Role.LEADER, Scope.REDACTED) == Rendering(Sight.VEILED)
    assert seen_by(Role.AGENCY_OFFICER, Scope.AGENCY, "dlh") == Rendering(Sight.QUEUE, "dlh")
    assert seen_by(Role.AGENCY_OFFICER, Scope.AGENCY) == Rendering(Sight.QUEUE, "")


def test_an_event_keeps_what_happened_and_hides_who_called() -> None:
    event = {
        "number": "TLR-1",
        "reporter_number": "+628121234567",
        "reporter_name": "Siti",
        "changes": {"callback": "021555"},
    }
    assert data(event, Rendering(Sight.WORKING), is_open=True) == event
    assert data(event, Rendering(Sight.WHOLE), is_open=False) == event
    assert data(event, Rendering(Sight.VEILED), is_open=True) == {}
    hidden = data(event, Rendering(Sight.WORKING), is_open=False)
    assert hidden["reporter_number"] == "+628•••••••67"
    assert hidden["reporter_name"] is None
    assert hidden["changes"] == {"callback": "••••55"}
    assert data(event, Rendering(Sight.QUEUE, "dlh"), is_open=True) == {"number": "TLR-1", "changes": event["changes"]}
