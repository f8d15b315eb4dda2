"""Texts: UTF-8 checked, cut before any work, mojibake repaired, NFC, one line, redacted where asked."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ftfy import TextFixerConfig, fix_text
from pydantic import Field

from models.arrow import Bool, valid_mask
from transforms.modalities._redaction import LONGEST, Personal, redact
from transforms.modalities.base import Cleaned, Cleaner, IssueLog, ModalitySpec

_BYTES_PER_CHARACTER = 4  # the most that UTF-8 needs
_ROUNDS = 8  # repairing what a repair laid bare: two rounds are usual, more only for text made to need them

# Rows without any of these are clean as they stand: not printable ASCII, or space not single and inside.
_NEEDS_REPAIR = r"[^\x20-\x7E]|  |^ | $"
# Controls (white space is handled apart), soft hyphen, zero-width space, word joiner, bidirectional marks and
# overrides, byte order mark, tags and lone surrogates: nothing of them is seen, and all can hide words.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]+"
)
_SPACE = re.compile(r"\s")
_BYTES = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
_BLOCK = 65_536  # characters whose words are handled at once
# Zero-width (non-)joiners shape Persian, Indic scripts and emoji; beside ASCII they only split words.
_JOINERS = re.compile("(?<![^\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f])")


class TextSpec(ModalitySpec):
    """A text; cleaned to one line of NFC (or NFKC) without invisible characters.

    Mojibake, terminal escapes and broken surrogates are repaired by ftfy. HTML entities, quotes, ligatures and
    character widths stay as they are: they are content (NFKC unifies the last two). Issue codes: `not_utf8`,
    `too_long`, `empty` (nothing left).
    """

    kind = "text"
    default_encoder = "hashed_ngrams"
    codes = ("not_utf8", "too_long", "empty")

    column: str
    """The input column."""
    max_chars: int = Field(default=20_000, ge=1, le=10_000_000)
    """Most characters. 20,000 are about 4,000 words, as many as long-context text encoders read."""
    too_long: Literal["cut", "mask"] = "cut"
    """`cut` a longer text after `max_chars`, or `mask` the modality; only its beginning is read."""
    normalize: Literal["NFC", "NFKC"] = "NFC"
    """Unicode normal form; NFKC also replaces ligatures, full-width and other compatibility characters."""
    redact: tuple[Personal, ...] = ()
    """What to replace by its name, as in `<email>`: email, phone, iban, card, ip."""

    def input_columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def check_types(self, schema: pa.Schema) -> list[str]:
        """Whether the column holds strings, or bytes that may be UTF-8."""
        index = schema.get_field_index(self.column)
        if index < 0:
            return [f"column {self.column!r} must be string or binary; got no such column in {schema.names}"]
        found = schema.field(index).type
        value = found.value_type if pa.types.is_dictionary(found) else found
        if _is_textual(value) or pa.types.is_null(value):
            return []
        return [f"column {self.column!r} must be string or binary; got {found}"]

    def gather(self, batch: pa.RecordBatch) -> pa.Array:
        """The column as it is."""
        return batch.column(self.column)

    def raw(self, values: pa.Array) -> pa.Array | None:
        """The text's bytes, of strings too."""
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        return super().raw(values.cast(_BYTES[values.type]) if values.type in _BYTES else values)

    def cleaned_type(self) -> pa.DataType:
        """string: UTF-8 in the chosen normal form, never empty."""
        return pa.string()

    def build(self) -> Cleaner:
        """The cleaner."""
        return TextCleaner(self)


class TextCleaner:
    """Cleans texts; rows that are clean already (most of plain ASCII) are recognised without Python."""

    def __init__(self, spec: TextSpec) -> None:
        self.spec = spec
        self._longest_read = spec.max_chars + LONGEST  # what the cut severs must still be recognised for redaction
        self._needs_work = "|".join([_NEEDS_REPAIR, *(["[0-9@:]"] if spec.redact else [])])
        self._ftfy = TextFixerConfig(
            unescape_html=False,
            uncurl_quotes=False,
            fix_latin_ligatures=False,
            fix_character_width=False,
            normalization=None,  # below, when no letter carries more marks than can be sorted
            explain=False,
        )

    def __call__(self, values: pa.Array) -> Cleaned:
        """Cleaned texts of n values; null where there is none."""
        if pa.types.is_dictionary(values.type):
            return self._clean_distinct(values)
        log = IssueLog(len(values))
        beginnings, cut = _beginnings(values, self._longest_read * _BYTES_PER_CHARACTER)
        texts, too_long = self._clean(_decoded(beginnings, log), cut)
        empty = _mask(pc.equal(pc.binary_length(texts), 0))
        log.add("too_long", too_long)
        log.add("empty", empty & ~too_long)
        unusable = empty | too_long if self.spec.too_long == "mask" else empty
        return Cleaned(_without(texts, unusable).cast(pa.string()), log.to_arrow())

    def _clean_distinct(self, values: pa.DictionaryArray) -> Cleaned:
        # Each distinct text once; and a long one is cut before it is repeated.
        texts, issues = self(values.dictionary)
        no_issues = pa.scalar([], issues.type)
        return Cleaned(texts.take(values.indices), pc.fill_null(issues.take(values.indices), no_issues))

    def _clean(self, texts: pa.Array, cut: Bool) -> tuple[pa.Array, Bool]:
        """The texts, cleaned where needed, and which were too long; rows of `cut` are beginnings."""
        needed = cut | _mask(pc.greater(pc.utf8_length(texts), self.spec.max_chars))
        needed |= _mask(pc.match_substring_regex(texts, self._needs_work))
        needed &= valid_mask(texts)
        too_long = np.zeros(len(texts), dtype=np.bool_)
        cleaned = []
        for row in np.flatnonzero(needed):
            text, too_long[row] = self._clean_one(texts[row].as_py(), bool(cut[row]))
            cleaned.append(text)
        return pc.replace_with_mask(texts, pa.array(needed), pa.array(cleaned, texts.type)), too_long

    def _clean_one(self, text: str, cut: bool) -> tuple[str, bool]:
        text = self._tidy(text)
        # The end of a beginning may be half of something that would have been redacted: it goes.
        limit = min(self.spec.max_chars, max(0, len(text) - LONGEST)) if cut else self.spec.max_chars
        too_long = cut or len(text) > limit
        for _ in range(_ROUNDS):  # what is cut off can change what stays, as an accent changes its letter
            if len(text) <= limit:
                break
            text = self._tidy(text[:limit])
        return text[:limit], too_long

    def _tidy(self, text: str) -> str:
        for _ in range(_ROUNDS):
            tidy = _one_line(text if _is_plain(text) else self._repair(text))
            tidy = redact(tidy, self.spec.redact)
            if tidy == text:
                break
            text = tidy
        return text

    def _repair(self, text: str) -> str:
        marked = _surplus_marks().sub(r"\1", fix_text(text, self._ftfy))
        return unicodedata.normalize(self.spec.normalize, marked)


@cache
def _surplus_marks() -> re.Pattern[str]:
    """All marks of a letter behind its 30th, the most that Unicode's Stream-Safe Text Format allows (UAX #15).

    Normalizing sorts them, in time that grows with their square: 10 seconds for 100,000 of them. No language needs
    more than a few. A mark is what is, or is decomposed into, a character that follows another.
    """
    begins = ((character, unicodedata.normalize("NFKD", character)[0]) for character in map(chr, range(0x300, 0x20000)))
    marks = "".join(character for character, first in begins if unicodedata.combining(first))
    return re.compile(f"([{marks}]{{30}})[{marks}]+")


def _one_line(text: str) -> str:
    return " ".join(filter(None, map(_visible_words, _pieces(text))))


def _pieces(text: str) -> Iterator[str]:
    """The text cut at white space, every _BLOCK characters: each word becomes an object of 50 bytes or more."""
    start = 0
    while found := _SPACE.search(text, start + _BLOCK):
        yield text[start : found.start()]
        start = found.end()
    yield text[start:]


def _visible_words(text: str) -> str:
    return " ".join(_JOINERS.sub("", _INVISIBLE.sub("", text)).split())


def _is_plain(text: str) -> bool:
    """Whether ftfy has nothing to repair: ASCII without terminal escapes."""
    return text.isascii() and "\x1b" not in text


def _beginnings(values: pa.Array, most: int) -> tuple[pa.Array, Bool]:
    """large_binary with at most `most` bytes of each value, in whole UTF-8 characters; and which were cut."""
    if pa.types.is_string_view(values.type) or pa.types.is_binary_view(values.type):  # no kernels take these
        return _beginnings(pa.array([_first_bytes(value, most + 1) for value in values], pa.large_binary()), most)
    raw = values.cast(pa.large_binary())
    cut = _mask(pc.greater(pc.binary_length(raw), most))
    if cut.any():
        raw = pc.binary_slice(raw, 0, most)
        whole = [_whole_characters(raw[row].as_py()) for row in np.flatnonzero(cut)]
        raw = pc.replace_with_mask(raw, pa.array(cut), pa.array(whole, raw.type))
    return raw, cut


def _first_bytes(value: pa.Scalar, most: int) -> bytes | None:
    buffer = value.as_buffer()
    return None if buffer is None else bytes(memoryview(buffer)[:most])


def _whole_characters(beginning: bytes) -> bytes:
    try:
        return beginning[: codecs.utf_8_decode(beginning, "strict", False)[1]]
    except UnicodeDecodeError:
        return beginning  # found again, and counted, when all are decoded


def _decoded(raw: pa.Array, log: IssueLog) -> pa.Array:
    """large_string of the rows that are UTF-8; the others are null, with the issue `not_utf8`."""
    try:
        return raw.cast(pa.large_string())  # checks all rows at once, but does not say which one is wrong
    except pa.ArrowInvalid:
        wrong = ~_mask(pc.string_is_ascii(raw.view(pa.large_string()))) & valid_mask(raw)
        for row in np.flatnonzero(wrong):
            wrong[row] = not _is_utf8(raw[row].as_buffer())
        log.add("not_utf8", wrong)
        return _without(raw, wrong).cast(pa.large_string())


def _is_utf8(content: pa.Buffer) -> bool:
    try:
        codecs.utf_8_decode(content, "strict", True)
    except UnicodeDecodeError:
        return False
    return True


def _is_textual(found: pa.DataType) -> bool:
    checks = (
        "string",
        "large_string",
        "string_view",
        "binary",
        "large_binary",
        "binary_view",
        "fixed_size_binary",
    )
    return any(getattr(pa.types, f"is_{name}")(found) for name in checks)


def _without(values: pa.Array, rows: Bool) -> pa.Array:
    return pc.if_else(pa.array(rows), pa.scalar(None, values.type), values) if rows.any() else values


def _mask(flags: pa.BooleanArray) -> Bool:
    mask: Bool = flags.fill_null(False).to_numpy(zero_copy_only=False)
    return mask
