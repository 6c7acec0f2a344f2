"""Indonesian addresses, as callers say and call-takers type them, brought into one spelling."""

import re
from dataclasses import dataclass, fields
from typing import Final
from unicodedata import combining, normalize

LONGEST: Final = 300

WORDS: Final = {
    "jl": "Jalan",
    "jln": "Jalan",
    "jlan": "Jalan",
    "jalan": "Jalan",
    "gg": "Gang",
    "gng": "Gang",
    "gang": "Gang",
    "komp": "Kompleks",
    "kompl": "Kompleks",
    "komplek": "Kompleks",
    "kompleks": "Kompleks",
    "perum": "Perumahan",
    "perm": "Perumahan",
    "prm": "Perumahan",
    "perumahan": "Perumahan",
    "kp": "Kampung",
    "kpg": "Kampung",
    "kamp": "Kampung",
    "kampung": "Kampung",
    "ds": "Desa",
    "desa": "Desa",
    "kel": "Kelurahan",
    "kelurahan": "Kelurahan",
    "kec": "Kecamatan",
    "kecamatan": "Kecamatan",
    "kab": "Kabupaten",
    "kabupaten": "Kabupaten",
    "blk": "Blok",
    "blok": "Blok",
    "no": "No.",
    "nmr": "No.",
    "nomor": "No.",
    "rt": "RT",
    "rw": "RW",
    "rs": "RS",
    "rsud": "RSUD",
    "tmn": "Taman",
    "psr": "Pasar",
    "ps": "Pasar",
    "rmh": "Rumah",
    "rmh.": "Rumah",
    "dpn": "Depan",
    "blkg": "Belakang",
    "sblh": "Sebelah",
    "dkt": "Dekat",
    "rya": "Raya",
    "utr": "Utara",
    "slt": "Selatan",
    "tmr": "Timur",
    "brt": "Barat",
}
"""What is typed, without its full stop → what is meant."""

SPELLINGS: Final = (
    ("oe", "u"),
    ("dj", "j"),
    ("tj", "c"),
    ("nj", "ny"),
    ("ie", "i"),
    ("kh", "k"),
    ("sy", "s"),
    ("v", "f"),
    ("z", "s"),
    ("y", "i"),
    ("uw", "u"),
    ("aa", "a"),
    ("dh", "d"),
    ("th", "t"),
    ("h", ""),
)
"""Old (Soeharto-era and before) and careless spellings folded together; for comparing only, never for showing."""

TOKEN: Final = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z][0-9]+(?![A-Za-z0-9])"  # "C2" is one word, "no5" and "rt02" are two
    r"|[0-9]+[A-Za-z]?(?![A-Za-z0-9])|[A-Za-z]+\.?|[0-9]+|[^\sA-Za-z0-9]",
    re.ASCII,
)
RT_RW: Final = re.compile(r"(?i)\brt\W{0,4}rw\W{0,4}(\d{1,3})\W{1,4}(\d{1,3})\b", re.ASCII)
NOT_A_WORD: Final = re.compile(r"[^a-z0-9]+", re.ASCII)
DOUBLED: Final = re.compile(r"([a-z])\1+", re.ASCII)

STREET: Final = frozenset({"Jalan", "Gang"})
ESTATE: Final = frozenset({"Kompleks", "Perumahan", "Kampung"})


@dataclass(frozen=True, slots=True)
class Address:
    """The parts a typed address names; what it does not name is empty."""

    street: str = ""
    number: str = ""
    block: str = ""
    estate: str = ""
    rt: str = ""
    rw: str = ""
    kelurahan: str = ""
    kecamatan: str = ""
    rest: str = ""


STARTS: Final = {
    **dict.fromkeys(STREET, "street"),
    **dict.fromkeys(ESTATE, "estate"),
    "Blok": "block",
    "No.": "number",
    "RT": "rt",
    "RW": "rw",
    "Kelurahan": "kelurahan",
    "Kecamatan": "kecamatan",
}
"""The word that begins a part, and the part it begins."""

KEEPS_ITS_WORD: Final = frozenset({"street", "estate"})
SINGLE: Final = frozenset({"number", "block", "rt", "rw"})
"""Parts of one word, so that what follows them belongs to nobody."""


def normalise(text: str) -> str:
    """One spelling: "jln.raya cipondoh no5 rt02/03" → "Jalan Raya Cipondoh No. 5 RT 02 RW 03"."""
    out: list[str] = []
    for piece in _tokens(text):
        if piece == "," and out and out[-1] != ",":
            out.append(",")
        elif piece != ",":
            out.append(piece)
    return " ".join(out).replace(" ,", ",").strip(" ,")


def parse(text: str) -> Address:
    """The parts of an address; order and completeness are the caller's, not ours."""
    parts: dict[str, list[str]] = {field.name: [] for field in fields(Address)}
    part = "rest"
    for piece in _tokens(text):
        begun = STARTS.get(piece)
        if piece == ",":
            part = "rest"
        elif begun and not (begun == "kelurahan" and parts[begun]):
            part = begun
            if part in KEEPS_ITS_WORD:
                parts[part].append(piece)
        else:
            parts[part].append(piece)
            part = "rest" if part in SINGLE else part
    return Address(**{name: " ".join(words) for name, words in parts.items()})


def key(text: str) -> str:
    """For comparing: small letters, no punctuation, abbreviations written out, old spellings folded."""
    return " ".join(fold(word) for word in NOT_A_WORD.split(normalise(text).lower()) if word)


def fold(word: str) -> str:
    """One word in its comparing form: "Tjipondoh" and "Cipondo" fold alike."""
    folded = word
    for old, new in SPELLINGS:
        folded = folded.replace(old, new)
    return DOUBLED.sub(r"\1", folded) or word


def _tokens(text: str) -> list[str]:
    text = "".join(letter for letter in normalize("NFKD", text[:LONGEST]) if not combining(letter))  # "é" → "e"
    text = RT_RW.sub(r"RT \1 RW \2", text)
    raw = [piece for piece in TOKEN.findall(text) if piece.isascii() and (piece[0].isalnum() or piece in ",/-")]
    out: list[str] = []
    for piece in raw:
        word = WORDS.get(piece.rstrip(".").lower())
        before = out[-1] if out else ""
        if piece in "/-":
            if before not in {"", ",", "/", "-"}:
                out.append(piece)
        elif before == "/" and len(out) >= 3 and out[-3] == "RT" and piece.isdigit():
            out[-1:] = ["RW", piece]  # "RT 02/03"
        elif before in {"/", "-"} and len(out) >= 2 and _joins(out[-2]) and word is None:
            out[-2:] = [out[-2] + before + piece]  # "12/A", "B-3"
        elif before in {"/", "-"}:
            out[-1] = word or _shown(piece)
        else:
            out.append(word or _shown(piece))
    return [piece for piece in out if piece not in {"/", "-"}]


def _joins(piece: str) -> bool:
    return any(letter.isdigit() for letter in piece) or len(piece) == 1


def _shown(piece: str) -> str:
    """Capitals where a name has them, and for blocks, initials and house numbers."""
    bare = piece.rstrip(".")
    if bare == ",":
        return bare
    if bare[:1].isdigit() or len(bare) <= 2:
        return bare.upper()
    return bare.capitalize()
