"""However an address is typed, it means the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.address import LONGEST, Address, fold, key, normalise, parse

BITS = (
    *("jl.", "Jln", "gg", "komp.", "PERUM", "no.", "no12", "rt02/03", "RT/RW", "005/002", "kel.", "Kec", "blok"),
    *("b-3", "12/A", ",", "Cipondoh", "H.", "/", "-", "2", "raya", "é", "·"),
)
ABBREVIATED = st.lists(st.sampled_from(BITS), max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("jln.raya cipondoh no5 rt02/03", "Jalan Raya Cipondoh No. 5 RT 02 RW 03"),
        ("JL. UJI TIMUR 13 No. 5", "Jalan Uji Timur 13 No. 5"),
        ("jalan uji utara 3 no 4", "Jalan Uji Utara 3 No. 4"),
        (
            "Gg. H. Mansyur no.12/A, Kel. Gondrong kec cipondoh",
            "Gang H Mansyur No. 12/A, Kelurahan Gondrong Kecamatan Cipondoh",
        ),
        ("perum. Taman Royal 2 blok B-3 no 7 rt 02 / rw 03", "Perumahan Taman Royal 2 Blok B-3 No. 7 RT 02 RW 03"),
        ("komp pinang griya blok c2/12", "Kompleks Pinang Griya Blok C2/12"),
        ("RT/RW 005/002 kp. Poris dkt masjid, Batuceper", "RT 005 RW 002 Kampung Poris Dekat Masjid, Batuceper"),
        ("  jl   K.H.Hasyim  Ashari ", "Jalan K H Hasyim Ashari"),
        ("Jl. Café Ébène", "Jalan Cafe Ebene"),
        ("", ""),
        (",,/-,", ""),
    ],
)
def test_abbreviations_are_written_out(typed: str, meant: str) -> None:
    assert normalise(typed) == meant


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        (
            "jl raya cipondoh no 5 rt 02/03 kel cipondoh indah, kec cipondoh",
            Address(
                street="Jalan Raya Cipondoh",
                number="5",
                rt="02",
                rw="03",
                kelurahan="Cipondoh Indah",
                kecamatan="Cipondoh",
            ),
        ),
        (
            "Perum Banjar Wijaya blok B-3 no 7",
            Address(estate="Perumahan Banjar Wijaya", block="B-3", number="7"),
        ),
        ("depan pasar anyar", Address(rest="Depan Pasar Anyar")),
        ("jl merdeka no 4 depan bank", Address(street="Jalan Merdeka", number="4", rest="Depan Bank")),
    ],
)
def test_the_parts_of_an_address_are_told_apart(typed: str, parts: Address) -> None:
    assert parse(typed) == parts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tjipondoh", "cipondo"),
        ("Jl. Batoe Tjeper", "jalan batu ceper"),
        ("KARAWATJI", "Karawaci"),
        ("Kel. Soedimara", "kelurahan sudimara"),
        ("Sjamsuddin", "Sjamsudin"),
        ("Perum. Poris  Indah", "perumahan poris indah"),
    ],
)
def test_old_and_careless_spellings_compare_alike(one: str, other: str) -> None:
    assert key(one) == key(other)


def test_a_word_of_nothing_but_silent_letters_stays_itself() -> None:
    assert fold("h") == "h"


@given(st.one_of(ABBREVIATED, st.text(max_size=120)))
def test_normalising_twice_is_normalising_once(typed: str) -> None:
    once = normalise(typed)
    assert normalise(once) == once
    assert key(once) == key(typed)


@given(st.one_of(ABBREVIATED, st.text()))
def test_any_text_has_parts_and_a_key(typed: str) -> None:
    parts = parse(typed)
    assert len(normalise(typed)) <= 20 * LONGEST
    assert key(typed) == key(typed).strip().lower()
    assert isinstance(parts.rest, str)
