"""Words of the essays, per language: scales from the poorest to the richest, and the sentences around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = 7  # steps of each scale: each must occur often enough in a few thousand essays to be learned


@dataclass(frozen=True)
class Language:
    """The material of one language; `{word}`, `{link}`, `{topic}` and `{number}` are filled in."""

    word: tuple[tuple[str, ...], ...]
    """[LEVELS] words of judgement, from a small child's to a scholar's: how rich the vocabulary is."""
    link: tuple[tuple[str, ...], ...]
    """[LEVELS] words between two thoughts, from a mere list to a weighed argument: how well it is reasoned."""
    topics: tuple[str, ...]
    openers: tuple[str, ...]
    """Both scales in one sentence."""
    sentences: tuple[str, ...]
    """Each with a word of judgement after a word between thoughts."""
    fillers: tuple[str, ...]


ENGLISH = Language(
    word=(
        ("bad", "nice"),
        ("good", "fun"),
        ("boring", "lovely"),
        ("important", "helpful"),
        ("valuable", "complicated"),
        ("remarkable", "beneficial"),
        ("indispensable", "multifaceted"),
    ),
    link=(
        ("and", "and then"),
        ("also", "and so"),
        ("but", "or"),
        ("because", "so"),
        ("although", "since"),
        ("therefore", "however"),
        ("consequently", "nevertheless"),
    ),
    topics=(
        "the river", "our school", "homework", "the library", "the bicycle", "the forest", "music", "the newspaper",
        "breakfast", "the railway", "football", "the computer", "the museum", "the garden",
    ),
    openers=(
        "I was asked about {topic}; {link}, it is {word}.",
        "My essay is on {topic}, {link} I find it {word}.",
        "Many speak of {topic}, {link} some call it {word}.",
    ),
    sentences=(
        "We looked at {topic}, {link} it was {word}.",
        "{link}, {topic} can be {word}.",
        "In the text it says that {topic} is {word}, {link} my friend says it is {word}.",
        "{topic} was {word}, {link} we stayed for {number} hours.",
        "My grandmother likes {topic}, {link} she calls it {word}, {link} I do too.",
        "After {number} days {topic} became {word}, {link} nobody went home.",
        "People need {topic}, {link} life without it is {word}.",
        "{link}, nobody in our class thought that {topic} was {word}.",
    ),
    fillers=(
        "It was raining on that day.",
        "There were {number} of us.",
        "I saw it with my own eyes.",
        "This was in the holidays.",
        "My brother was there with his dog.",
        "That is on page {number} of our book.",
    ),
)  # fmt: skip

RUSSIAN = Language(
    word=(
        ("плохо",), ("хорошо",), ("скучно",), ("важно",), ("ценно",), ("примечательно",), ("основополагающе",),
    ),
    link=(
        ("и",), ("тоже",), ("или",), ("потому что",), ("хотя",), ("поэтому",), ("следовательно",),
    ),
    topics=("река", "школа", "музыка", "библиотека", "сад", "завтрак"),
    openers=("Моё сочинение про то, что {topic} это {word}, {link} так.",),
    sentences=(
        "{topic} это {word}, {link} мы ждали {number} дней.",
        "В тексте сказано: {topic}, {link} это {word}.",
        "{link}, {topic} бывает {word}.",
    ),
    fillers=("В тот день шёл дождь.", "Это на странице {number}.", "Брат пришёл с собакой."),
)  # fmt: skip

GREEK = Language(
    word=(
        ("κακό",), ("καλό",), ("βαρετό",), ("σημαντικό",), ("πολύτιμο",), ("αξιοσημείωτο",), ("θεμελιώδες",),
    ),
    link=(
        ("και",), ("επίσης",), ("ή",), ("επειδή",), ("αν και",), ("επομένως",), ("κατά συνέπεια",),
    ),
    topics=("το ποτάμι", "το σχολείο", "η μουσική", "ο κήπος", "το πρωινό"),
    openers=("Γράφω για {topic}, {link} είναι {word}.",),
    sentences=(
        "Για {topic} μείναμε {number} ώρες, {link} ήταν {word}.",
        "{link}, {topic} είναι {word}.",
        "Ο φίλος μου λέει {word}, {link} εγώ λέω {word}.",
    ),
    fillers=("Έβρεχε εκείνη τη μέρα.", "Είναι στη σελίδα {number}.", "Ήρθε κι ο αδελφός μου."),
)  # fmt: skip

JAPANESE = Language(  # with spaces between phrases, as in texts for learners, so that words can be counted
    word=(
        ("だめ",), ("いい",), ("つまらない",), ("大切",), ("貴重",), ("顕著",), ("根本的",),
    ),
    link=(
        ("と",), ("また",), ("または",), ("だから",), ("けれども",), ("したがって",), ("それにもかかわらず",),
    ),
    topics=("川", "学校", "音楽", "図書館", "朝ご飯"),
    openers=("この 作文 は {topic} です。 {link} {word} です。",),
    sentences=(
        "{topic} は {word} です。 {link} {number} 時間 いました。",
        "{link} 友達 は {word} と 言います。",
        "本 には {topic} が {word} と あります。 {link} そう です。",
    ),
    fillers=("その 日 は 雨 でした。", "{number} ページ に あります。", "弟 も 来ました。"),
)  # fmt: skip

LANGUAGES: Mapping[str, tuple[Language, float]] = {
    "english": (ENGLISH, 0.95),
    "russian": (RUSSIAN, 0.97),
    "greek": (GREEK, 0.988),
    "japanese": (JAPANESE, 1.0),
}
"""Name -> (material, cumulative share of the essays)."""
