"""Words of the reviews, per language: scales from worst to best, sentence frames, and what says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = 9  # steps of each scale, from worst to best


@dataclass(frozen=True)
class Language:
    """The material of one language; `{quality}`, `{bond}`, `{thing}` and `{number}` are filled in."""

    quality: tuple[tuple[str, ...], ...]
    """[LEVELS] words for how pleased the writer is."""
    bond: tuple[tuple[str, ...], ...]
    """[LEVELS] words for how attached the writer is to the shop."""
    things: tuple[str, ...]
    openers: tuple[str, ...]
    """Both scales in about five words."""
    quality_frames: tuple[str, ...]
    bond_frames: tuple[str, ...]
    fillers: tuple[str, ...]


ENGLISH = Language(
    quality=(
        ("dreadful", "atrocious", "disgusting"),
        ("awful", "horrible", "useless"),
        ("poor", "disappointing", "shoddy"),
        ("mediocre", "lacking", "underwhelming"),
        ("okay", "average", "ordinary"),
        ("decent", "fine", "agreeable"),
        ("good", "pleasing", "solid"),
        ("great", "lovely", "delightful"),
        ("superb", "magnificent", "flawless"),
    ),
    bond=(
        ("boycotting", "suing", "fleeing"),
        ("leaving", "quitting", "cancelling"),
        ("doubting", "wavering", "drifting"),
        ("hesitating", "comparing", "browsing"),
        ("undecided", "neutral", "indifferent"),
        ("returning", "staying", "curious"),
        ("reordering", "trusting", "content"),
        ("recommending", "subscribing", "faithful"),
        ("devoted", "lifelong", "inseparable"),
    ),
    things=(
        "lamp", "jacket", "kettle", "rucksack", "mug", "chair", "blanket", "clock", "vase", "bottle", "scarf", "radio",
    ),
    openers=(
        "{quality} {thing}, I'm {bond}.",
        "{thing}: {quality}; me: {bond}!",
        "Found it {quality}, feeling {bond}.",
        "Overall {quality} and I'm {bond}.",
    ),
    quality_frames=(
        "Honestly, the {thing} felt {quality}.",
        "The packaging was {quality} and the service {quality}.",
        "My partner called it {quality}, I would say {quality}.",
        "After {number} days it still looks {quality}.",
        "For the price, {quality}!",
        "Everything about this {thing} is {quality}, the seams, the smell, the colour.",
        "What a {quality} afternoon with this {quality} {thing}.",
    ),
    bond_frames=(
        "As for this shop, count me as {bond}.",
        "After {number} orders I'm {bond}, and so is my sister, she is {bond}.",
        "Ask me again next year, but now I'm {bond}.",
        "In our family we are all {bond}.",
    ),
    fillers=(
        "It came on a rainy Tuesday with {number} other parcels.",
        "The neighbour took it in because I was at work.",
        "I measured it: {number} centimetres, as stated.",
        "My cat has been asleep in the box ever since.",
        "There is a second one in the hallway.",
        "Order number {number}, if anybody wants to know.",
        "The manual is in {number} languages.",
    ),
)  # fmt: skip

RUSSIAN = Language(
    quality=(
        ("кошмарно",), ("ужасно",), ("плохо",), ("слабо",), ("нормально",),
        ("неплохо",), ("хорошо",), ("отлично",), ("великолепно",),
    ),
    bond=(
        ("бойкотирую",), ("ухожу",), ("сомневаюсь",), ("сравниваю",), ("не знаю",),
        ("остаюсь",), ("доверяю",), ("рекомендую",), ("навсегда с вами",),
    ),
    things=("лампа", "куртка", "чайник", "кружка", "кресло", "часы"),
    openers=("{thing} это {quality}, я {bond}.", "В целом {quality}, пока {bond}."),
    quality_frames=(
        "Через {number} дней всё ещё {quality}.", "Упаковка {quality}, сервис {quality}.", "Муж сказал {quality}.",
    ),
    bond_frames=("Что до магазина, {bond}.", "После {number} заказов {bond}."),
    fillers=(
        "Посылка пришла во вторник, шёл дождь.", "Сосед забрал коробку.", "Размер {number} сантиметров, как указано.",
    ),
)  # fmt: skip

GREEK = Language(
    quality=(
        ("φρικτό",), ("απαίσιο",), ("κακό",), ("μέτριο",), ("συνηθισμένο",),
        ("αξιοπρεπές",), ("καλό",), ("υπέροχο",), ("άψογο",),
    ),
    bond=(
        ("μποϊκοτάρω",), ("φεύγω",), ("αμφιβάλλω",), ("συγκρίνω",), ("δεν ξέρω",),
        ("μένω",), ("εμπιστεύομαι",), ("συστήνω",), ("για πάντα μαζί σας",),
    ),
    things=("φωτιστικό", "μπουφάν", "ποτήρι", "ρολόι", "βάζο"),
    openers=("Το {thing} είναι {quality}, {bond}.", "Γενικά {quality}, τώρα {bond}."),
    quality_frames=(
        "Μετά από {number} μέρες ακόμα {quality}.", "Η τιμή καλώς, το υλικό {quality}.", "Όλοι λένε {quality}.",
    ),
    bond_frames=("Για το κατάστημα, {bond}.", "Μετά από {number} αγορές {bond}."),
    fillers=("Ήρθε την Τρίτη με βροχή.", "Το πήρε ο γείτονας.", "Είναι {number} εκατοστά όπως γράφει."),
)  # fmt: skip

JAPANESE = Language(  # with spaces between phrases, as in texts for learners, so that words can be counted
    quality=(
        ("最悪",), ("ひどい",), ("悪い",), ("いまいち",), ("普通",), ("まあまあ",), ("良い",), ("素敵",), ("完璧",),
    ),
    bond=(
        ("絶縁",), ("解約",), ("不信",), ("比較中",), ("未定",), ("継続",), ("信頼",), ("推薦",), ("一生の友",),
    ),
    things=("ランプ", "上着", "やかん", "椅子", "時計"),
    openers=("この {thing} は {quality} で {bond} です。", "全体 として {quality} 、 今 は {bond} 。"),
    quality_frames=("{number} 日 たっても {quality} です。", "箱 も {quality} 、 対応 も {quality} 。"),
    bond_frames=("お店 には {bond} です。", "{number} 回 買って {bond} 。"),
    fillers=("雨 の 火曜日 に 届きました。", "隣 の 人 が 受け取りました。", "大きさ は {number} センチ です。"),
)  # fmt: skip

LANGUAGES: Mapping[str, tuple[Language, float]] = {
    "english": (ENGLISH, 0.92),
    "russian": (RUSSIAN, 0.95),
    "greek": (GREEK, 0.975),
    "japanese": (JAPANESE, 1.0),
}
"""Name -> (material, cumulative share of the reviews)."""

EMOJI = ("🤬", "😡", "😠", "🙁", "😐", "🙂", "😊", "😍", "🤩")
"""[LEVELS] from worst to best."""
