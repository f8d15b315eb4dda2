"""Redaction: what is replaced, what must stay, and that hostile text costs little."""

from __future__ import annotations

import time
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.modalities._redaction import Personal, redact

ALL: tuple[Personal, ...] = get_args(Personal)

# Card numbers: the test numbers that the networks publish. IBANs: the examples of the SWIFT registry.
REPLACED = {
    "mail joe.doe+x@mail.example.com.": "mail <email>.",
    "JOE@EXAMPLE.CO.UK, ann@müller.de": "<email>, <email>",
    "a@b.com+c@d.com": "<email><email>",
    "to DE89 3704 0044 0532 0130 00 please": "to <iban> please",
    "(gb82west12345698765432)": "(<iban>)",
    "DE89370400440532013000 NO9386011117947": "<iban> <iban>",
    "FR14 2004 1010 0505 0001 3M02 606": "<iban>",
    "4111 1111 1111 1111": "<card>",
    "5555-5555-5555-4444": "<card>",
    "4111 1111 1111 1111 10 pieces": "<card> 10 pieces",
    "4111111111111111 123": "<card> 123",
    "Amex 378282246310005.": "Amex <card>.",
    "Diners 30569309025904": "Diners <card>",
    "from 10.0.0.1 to 192.168.2.255.": "from <ip> to <ip>.",
    "::1, fe80::1: 2001:db8:0:0:0:0:0:1": "<ip>, <ip>: <ip>",
    "::ffff:10.0.0.1": "<ip>",
    "+49 30 1234567": "<phone>",
    "+49 (0)30 123-4567": "<phone>",
    "call +4915112345678.": "call <phone>.",
    "0049 30 1234567": "<phone>",
    "(415) 555-2671 or 415-555-2671": "<phone> or <phone>",
    "030 1234567, 0171/1234567": "<phone>, <phone>",
    "01 23 45 67 89": "<phone>",
}

KEPT = [
    "me @home, a@b, @joe.com",
    "DE88370400440532013000",  # check digits wrong
    "XX89370400440532013000",  # no such country
    "DE893704004405320130001",  # one too long
    "4111 1111 1111 1112",  # Luhn
    "7992739871300004",  # no issuer begins with 7
    "999.1.1.1 and 1.2.3 and v1.2.3.4.5",
    "12:30:45 and std::vector and a::b",
    "2026-11-23, 23.11.2026, 11/23/2026, 01/02/2026 10:30, 01 02 2026 10 30",
    "2026-11-23T10:15:30",
    "$1,234,567.89, EUR 1 200 000 000, 3.14159265358979",
    "order 12345678, order 0012345678901, 1234567890, 1200-3400-5600",
    "ISBN 978-3-16-148410-0",
]


@pytest.mark.parametrize("text", REPLACED)
def test_replaced(text: str) -> None:
    """Values that check out are replaced by their kind's name; what stands around them stays."""
    assert redact(text, ALL) == REPLACED[text]


@pytest.mark.parametrize("text", KEPT)
def test_kept(text: str) -> None:
    """Dates, prices, versions, order numbers, and numbers whose check sum is wrong stay."""
    assert redact(text, ALL) == text


@pytest.mark.parametrize("kind", ALL)
def test_only_what_was_asked_for(kind: Personal) -> None:
    """Each kind is replaced on its own."""
    text = "a@b.com DE89370400440532013000 4111111111111111 10.0.0.1 +49301234567"

    redacted = redact(text, [kind])

    assert redacted.count("<") == 1
    assert f"<{kind}>" in redacted


def test_a_letter_that_only_looks_like_ascii() -> None:
    """The Kelvin sign folds to K, but is no letter of an IBAN."""
    text = "GB82WEST1234569876543\u212a"

    assert redact(text, ALL) == text


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("0123456789 +-./:@()<>aDE\u212a"), max_size=60))
def test_redacting_twice_changes_nothing(text: str) -> None:
    """Redaction is idempotent, for any mixture of the characters that it looks at."""
    once = redact(text, ALL)

    assert redact(once, ALL) == once


@pytest.mark.parametrize("unit", ["1 ", "a", "a:", "+1", "AB12", "DE89 ", "a@", "1.1.", "0123 ", "4-", "::", "x.y@a."])
def test_hostile_repetition_costs_little(unit: str) -> None:
    """20,000 characters made to backtrack take well under the 20 s that quadratic patterns would."""
    started = time.process_time()

    redact(unit * (20_000 // len(unit)), ALL)

    assert time.process_time() - started < 1
