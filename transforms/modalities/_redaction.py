"""Replaces e-mail addresses, phone numbers, IBANs, card numbers and IP addresses by `<email>`, `<phone>` etc.

Each kind is a pattern and, where one exists, the kind's own check sum or parser, so that prices, dates and
order numbers stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal, TypeAlias

Personal: TypeAlias = Literal["email", "phone", "iban", "card", "ip"]

LONGEST = 320  # characters: an e-mail address of 64 + "@" + 255 (RFC 3696), longer than any other kind

# Length -> countries whose IBANs are that long. Source: SWIFT IBAN Registry (ISO 13616).
_IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK|FI|FK|FO|GL|NL|SD",
    19: "MK|SI",
    20: "AT|BA|EE|KZ|LT|LU|MN|XK",
    21: "CH|HR|LI|LV",
    22: "BG|BH|CR|DE|GB|GE|IE|ME|RS|VA",
    23: "AE|GI|IL|IQ|OM|SO|TL",
    24: "AD|CZ|ES|MD|PK|RO|SA|SE|SK|TN|VG",
    25: "LY|PT|ST",
    26: "IS|TR",
    27: "BI|DJ|FR|GR|IT|MC|MR|SM",
    28: "AL|AZ|BY|CY|DO|GT|HN|HU|LB|NI|PL|SV",
    29: "BR|EG|PS|QA|UA",
    30: "JO|KW|MU|YE",
    31: "MT|SC",
    32: "LC",
    33: "RU",
}
_IBAN_SHAPES = "|".join(
    rf"(?:{countries})[0-9]{{2}}(?: ?[A-Z0-9]){{{length - 4}}}" for length, countries in _IBAN_COUNTRIES.items()
)

# Every repetition is bounded and starts at a boundary: time grows with the text's length, not its square.
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,63}(?![\w-])")
_IBAN = re.compile(rf"(?<![^\W_])(?ai:{_IBAN_SHAPES})(?![^\W_])")  # a: without it K (Kelvin) equals K
_CARD = re.compile(r"(?<![\w.,-])[2-6](?:[ -]?[0-9]){12,18}(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\w|\.[0-9])")
_IPV6 = re.compile(
    r"""(?<![\w:.])(?=[0-9a-f]{0,4}:)
    [0-9a-f:]{2,39}
    (?:(?<=:)[0-9]{1,3}(?:\.[0-9]{1,3}){3})?  # ::ffff:10.0.0.1
    (?![\w:]|\.[0-9])""",
    re.VERBOSE | re.IGNORECASE,
)
_PHONE = re.compile(
    r"""(?<![\w+<])(?<![0-9][.,/:-])(?:
      (?:\+|00(?=[1-9][0-9 ./()-]{0,4}[ ./()-]))[1-9](?:[ ./()-]{0,2}[0-9]){7,14}  # +49 (30) 123-4567
    | (?:\([2-9][0-9]{2}\)[ ]?|[2-9][0-9]{2}[.-])[0-9]{3}[.-][0-9]{4}              # (415) 555-2671
    | 0[1-9][0-9]{0,3}(?P<by>[ /-])[0-9]{2,8}(?:(?P=by)[0-9]{2,8}){0,4}            # 01 23 45 67 89
    )(?!\w|[.,:-][0-9])""",
    re.VERBOSE,
)
_DATE = re.compile(r"[0-9]{1,2}([ ./-])[0-9]{1,2}\1(?:19|20)[0-9]{2}")
_PHONE_DIGITS = range(9, 18)  # 15 is the most (E.164), after a 00; 9 is a short national number with its 0

# Issuer -> lengths of its numbers (ISO/IEC 7812); all others have 16 or 19 digits.
_CARD_LENGTHS = {"34": (15,), "37": (15,), "30": (14,), "36": (14,), "38": (14,)}


def redact(text: str, kinds: Collection[Personal]) -> str:
    """The text with every value of these kinds replaced by the kind's name in angle brackets.

    Redacting the result again changes nothing.
    """
    # A replaced value may have hidden its neighbour's boundary, so until nothing is found. It ends: every
    # replacement takes away digits or an "@" and brings none.
    while (redacted := _pass(text, kinds)) != text:
        text = redacted
    return text


def _pass(text: str, kinds: Collection[Personal]) -> str:
    for kind, replace in _REPLACE.items():
        if kind in kinds:
            text = replace(text)
    return text


def _emails(text: str) -> str:
    return _EMAIL.sub("<email>", text) if "@" in text else text


def _ibans(text: str) -> str:
    return _IBAN.sub(lambda found: "<iban>" if _is_iban(found.group()) else found.group(), text)


def _is_iban(candidate: str) -> bool:
    """ISO 7064 MOD 97-10: country and check digits moved to the end, letters read as 10..35, remainder 1."""
    iban = candidate.replace(" ", "")
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def _cards(text: str) -> str:
    return _CARD.sub(_card, text)


def _card(found: re.Match[str]) -> str:
    """The candidate, which may reach into the next number, with a valid card number at its start replaced."""
    candidate = found.group()
    ends = [place + 1 for place, character in enumerate(candidate) if character.isdigit()]
    for length in _CARD_LENGTHS.get(candidate[:2], (19, 16)):
        if length <= len(ends):
            number, rest = candidate[: ends[length - 1]], candidate[ends[length - 1] :]
            if not rest[:1].isdigit() and _luhn(number):
                return "<card>" + rest
    return candidate


def _luhn(number: str) -> bool:
    """Whether the digits, every second from the right doubled and its digits added, sum to a multiple of 10."""
    digits = [int(character) for character in reversed(number) if character.isdigit()]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


def _addresses(text: str) -> str:
    text = _IPV6.sub(_ipv6, text) if ":" in text else text
    return _IPV4.sub(lambda found: _if_parsed(IPv4Address, found.group()), text)


def _ipv6(found: re.Match[str]) -> str:
    candidate = found.group()
    address = candidate.removesuffix(":") if not candidate.endswith("::") else candidate
    if not any(character.isdigit() for character in address):
        return candidate  # `a::b` is more likely a name in a program
    return _if_parsed(IPv6Address, address) + candidate[len(address) :]


def _if_parsed(address: type[IPv4Address] | type[IPv6Address], candidate: str) -> str:
    try:
        address(candidate)
    except AddressValueError:
        return candidate
    return "<ip>"


def _phones(text: str) -> str:
    return _PHONE.sub(lambda found: "<phone>" if _is_phone(found.group()) else found.group(), text)


def _is_phone(candidate: str) -> bool:
    return sum(map(str.isdigit, candidate)) in _PHONE_DIGITS and not _DATE.match(candidate)


_REPLACE: dict[Personal, Callable[[str], str]] = {
    "email": _emails,
    "iban": _ibans,
    "card": _cards,
    "ip": _addresses,
    "phone": _phones,  # last: the others have check sums or parsers
}
