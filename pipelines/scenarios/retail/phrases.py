"""Words of the reviews, per language: scales from worst to best, sentence frames, and what says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = 9  # steps of each scale, from one end to the other
KINDS = 6  # of products: with corners, round, boxes, rings, bottles, crosses


@dataclass(frozen=True)
class Language:
    """The material of one language; places in braces are filled in."""

    quality: tuple[tuple[str, ...], ...]
    """[LEVELS] words for how pleased the writer is."""
    bond: tuple[tuple[str, ...], ...]
    """[LEVELS] words for how attached the writer is to the shop."""
    colour: tuple[tuple[str, ...], ...]
    """[LEVELS] words for the product's colour, from cold to warm."""
    pattern: tuple[tuple[str, ...], ...]
    """[LEVELS] words for the product's pattern, from plain to ornate."""
    thing: tuple[tuple[str, ...], ...]
    """[KINDS] words for the product."""
    openers: tuple[str, ...]
    """All scales in about seven words."""
    quality_frames: tuple[str, ...]
    bond_frames: tuple[str, ...]
    product_frames: tuple[str, ...]
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
    colour=(
        ("indigo", "navy"), ("blue", "sapphire"), ("turquoise", "teal"), ("mint", "emerald"), ("green", "olive"),
        ("lime", "khaki"), ("yellow", "mustard"), ("orange", "amber"), ("red", "scarlet"),
    ),
    pattern=(
        ("bare", "blank"), ("plain", "unadorned"), ("sober", "austere"), ("simple", "modest"), ("neat", "tidy"),
        ("patterned", "figured"), ("fancy", "decorated"), ("ornate", "lush"), ("baroque", "opulent"),
    ),
    thing=(
        ("mirror", "clock"), ("plate", "balloon"), ("radio", "chest"), ("wreath", "bangle"), ("bottle", "vase"),
        ("fan", "kite"),
    ),
    openers=(
        "{quality} {thing}, {colour}, {pattern}, I'm {bond}.",
        "{thing}, {colour} and {pattern}: {quality}; me: {bond}!",
        "Found the {pattern} {colour} {thing} {quality}, feeling {bond}.",
        "Overall {quality}, this {colour} {thing} so {pattern}, and I'm {bond}.",
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
    product_frames=(
        "It is a {pattern} {thing}, {colour} all over.",
        "The picture is right: {colour}, {pattern}, a {thing} as you expect it.",
        "I wanted {colour} and something {pattern}, so I took this {thing}.",
        "The {colour} looks {pattern} on our shelf.",
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
    colour=(
        ("индиго",), ("синий",), ("бирюзовый",), ("мятный",), ("зелёный",),
        ("салатовый",), ("жёлтый",), ("оранжевый",), ("красный",),
    ),
    pattern=(
        ("голый",), ("гладкий",), ("строгий",), ("простой",), ("опрятный",),
        ("узорный",), ("нарядный",), ("пышный",), ("барочный",),
    ),
    thing=(("часы",), ("тарелка",), ("радио",), ("браслет",), ("бутылка",), ("вентилятор",)),
    openers=(
        "{thing}, цвет {colour}, узор {pattern}: {quality}, я {bond}.",
        "В целом {quality}, {thing}, {colour}, {pattern}, пока {bond}.",
    ),
    quality_frames=(
        "Через {number} дней всё ещё {quality}.", "Упаковка {quality}, сервис {quality}.", "Муж сказал {quality}.",
    ),
    bond_frames=("Что до магазина, {bond}.", "После {number} заказов {bond}."),
    product_frames=("Цвет {colour}, вид {pattern}.", "Это {thing}, {colour} и {pattern}."),
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
    colour=(
        ("λουλακί",), ("μπλε",), ("τιρκουάζ",), ("μέντα",), ("πράσινο",),
        ("λαχανί",), ("κίτρινο",), ("πορτοκαλί",), ("κόκκινο",),
    ),
    pattern=(
        ("γυμνό",), ("λείο",), ("αυστηρό",), ("απλό",), ("τακτικό",),
        ("σχεδιαστό",), ("στολισμένο",), ("πλούσιο",), ("μπαρόκ",),
    ),
    thing=(("ρολόι",), ("πιάτο",), ("ραδιόφωνο",), ("βραχιόλι",), ("μπουκάλι",), ("ανεμιστήρας",)),
    openers=(
        "Το {thing} είναι {quality}, {colour}, {pattern}, {bond}.",
        "Γενικά {quality}, {colour} {thing}, {pattern}, τώρα {bond}.",
    ),
    quality_frames=(
        "Μετά από {number} μέρες ακόμα {quality}.", "Η τιμή καλώς, το υλικό {quality}.", "Όλοι λένε {quality}.",
    ),
    bond_frames=("Για το κατάστημα, {bond}.", "Μετά από {number} αγορές {bond}."),
    product_frames=("Χρώμα {colour}, σχέδιο {pattern}.", "Είναι {thing}, {colour} και {pattern}."),
    fillers=("Ήρθε την Τρίτη με βροχή.", "Το πήρε ο γείτονας.", "Είναι {number} εκατοστά όπως γράφει."),
)  # fmt: skip

JAPANESE = Language(  # with spaces between phrases, as in texts for learners, so that words can be counted
    quality=(
        ("最悪",), ("ひどい",), ("悪い",), ("いまいち",), ("普通",), ("まあまあ",), ("良い",), ("素敵",), ("完璧",),
    ),
    bond=(
        ("絶縁",), ("解約",), ("不信",), ("比較中",), ("未定",), ("継続",), ("信頼",), ("推薦",), ("一生の友",),
    ),
    colour=(
        ("藍色",), ("青色",), ("水色",), ("薄荷色",), ("緑色",), ("黄緑",), ("黄色",), ("橙色",), ("赤色",),
    ),
    pattern=(
        ("無地",), ("平ら",), ("地味",), ("簡素",), ("整然",), ("模様入り",), ("派手",), ("豪華",), ("絢爛",),
    ),
    thing=(("時計",), ("皿",), ("ラジオ",), ("腕輪",), ("瓶",), ("扇風機",)),
    openers=(
        "この {colour} {pattern} {thing} は {quality} で {bond} です。",
        "全体 として {quality} 、 {colour} で {pattern} の {thing} 、 今 は {bond} 。",
    ),
    quality_frames=("{number} 日 たっても {quality} です。", "箱 も {quality} 、 対応 も {quality} 。"),
    bond_frames=("お店 には {bond} です。", "{number} 回 買って {bond} 。"),
    product_frames=("色 は {colour} 、 柄 は {pattern} です。", "{thing} は {colour} で {pattern} です。"),
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
