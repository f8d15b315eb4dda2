"""Words of news and posts about a small firm, per language: two scales, sentence frames, and what says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = 7  # steps of each scale


@dataclass(frozen=True)
class Language:
    """The material of one language; `{sector}`, `{name}`, `{trade}`, `{firm}` and `{number}` are filled in."""

    sector: tuple[tuple[str, ...], ...]
    """[LEVELS] words for how the trade is doing, from booming to collapsing."""
    name: tuple[tuple[str, ...], ...]
    """[LEVELS] words for what people say of the firm, from the worst to the best."""
    trades: tuple[str, ...]
    firms: tuple[str, ...]
    headlines: tuple[str, ...]
    """Both scales in about six words, as a newspaper has it."""
    posts: tuple[str, ...]
    """Both scales, as on a social network."""
    sector_frames: tuple[str, ...]
    name_frames: tuple[str, ...]
    fillers: tuple[str, ...]


ENGLISH = Language(
    sector=(
        ("booming", "thriving"),
        ("expanding", "buoyant"),
        ("steady", "healthy"),
        ("mixed", "flat"),
        ("cooling", "slowing"),
        ("shrinking", "struggling"),
        ("collapsing", "crashing"),
    ),
    name=(
        ("fraudulent", "crooked"),
        ("dishonest", "shady"),
        ("careless", "sloppy"),
        ("ordinary", "passable"),
        ("friendly", "helpful"),
        ("reliable", "respected"),
        ("beloved", "exemplary"),
    ),
    trades=(
        "bakery", "haulage", "joinery", "printing", "catering", "roofing", "textile", "ceramics", "cycle", "florist",
        "plumbing", "furniture",
    ),
    firms=(
        "Alder & Sons", "Brightwater", "Corvid Works", "Dunmore", "Eastgate", "Fennel Street", "Greyfriars",
        "Hollybush", "Ironbridge", "Juniper Lane", "Kestrel", "Larkfield",
    ),
    headlines=(
        "{trade} trade {sector}: {firm} called {name}",
        "{firm}, {name}, faces a {sector} {trade} market",
        "\"{name}\": {firm} in {sector} times",
        "Analysts see {trade} {sector}; {firm} still {name}.",
    ),
    posts=(
        "@{firm} so {name}!! market {sector} tho",
        "{firm} = {name}, {trade} biz {sector} #{trade}",
        "just had {firm} over, {name}. the whole {trade} thing is {sector}",
        "RT: {trade} {sector}, {firm} {name} …",
    ),
    sector_frames=(
        "The chamber of commerce calls the {trade} trade {sector}.",
        "After {number} months orders look {sector}, suppliers {sector}.",
        "Prices up {number} %, demand {sector}.",
        "According to a survey of {number} firms the outlook is {sector}.",
        "My cousin in {trade} says it is {sector}, simply {sector}.",
        "Lenders describe the region as {sector}.",
        "Everybody on the high street feels {sector} these days.",
    ),
    name_frames=(
        "Customers of {number} years describe the owner as {name}.",
        "Reviews this quarter: {name}, {name} and once more {name}.",
        "A former employee called the place {name}.",
        "For me they are {name}, and so says the neighbour: {name}!",
        "The trade magazine found their service {name}.",
    ),
    fillers=(
        "The shop stands between the station and the old mill.",
        "Its founder opened it with {number} pounds and a van.",
        "The council meets again on Thursday at {number} o'clock.",
        "Photo: archive, page {number}.",
        "No comment was to be had before this edition closed.",
        "They moved {number} streets further last spring.",
        "Weather permitting, the fair takes place as planned.",
    ),
)  # fmt: skip

RUSSIAN = Language(
    sector=(
        ("процветает",), ("растёт",), ("стабильна",), ("неровно",), ("остывает",), ("сокращается",), ("рушится",),
    ),
    name=(
        ("мошенники",), ("нечестные",), ("небрежные",), ("обычные",), ("дружелюбные",), ("надёжные",), ("образцовые",),
    ),
    trades=("пекарня", "логистика", "мебель", "печать", "кровля"),
    firms=("Ольха", "Светлая вода", "Восток", "Сокол"),
    headlines=("Отрасль {sector}: {firm}, {name}.", "{firm}: {name}, рынок {sector}."),
    posts=("{firm} {name}!! а рынок {sector}", "#{trade} {sector}, {firm} {name}"),
    sector_frames=("По опросу {number} фирм, отрасль {sector}.", "Через {number} месяцев {trade} {sector}."),
    name_frames=("Клиенты говорят: {name}.", "После {number} заказов скажу: {name}."),
    fillers=("Мастерская стоит у старого вокзала.", "Совет собирается в четверг в {number} часов."),
)  # fmt: skip

KOREAN = Language(
    sector=(
        ("호황",), ("성장",), ("안정",), ("혼조",), ("둔화",), ("위축",), ("붕괴",),
    ),
    name=(
        ("사기",), ("거짓",), ("부주의",), ("평범",), ("친절",), ("성실",), ("모범",),
    ),
    trades=("제과", "운송", "목공", "인쇄", "가구"),
    firms=("오리나무", "맑은물", "동문", "황조롱이"),
    headlines=("{trade} 업계 {sector} , {firm} 평판 {name} .", "{firm} {name} 평가 , 시장 {sector} ."),
    posts=("{firm} 정말 {name} !! 시장 은 {sector}", "#{trade} {sector} , {firm} {name}"),
    sector_frames=("{number} 개 회사 조사 결과 업계 는 {sector} .", "{number} 개월 뒤 에도 {sector} ."),
    name_frames=("손님들 말 로는 {name} .", "{number} 번 주문 하고 느낀 점 : {name} ."),
    fillers=("가게 는 역 과 방앗간 사이 에 있다.", "의회 는 목요일 {number} 시 에 열린다."),
)  # fmt: skip

HINDI = Language(
    sector=(
        ("फलफूल",), ("बढ़त",), ("स्थिर",), ("मिलाजुला",), ("सुस्त",), ("सिकुड़ता",), ("ध्वस्त",),
    ),
    name=(
        ("धोखेबाज़",), ("बेईमान",), ("लापरवाह",), ("साधारण",), ("मिलनसार",), ("भरोसेमंद",), ("आदर्श",),
    ),
    trades=("बेकरी", "ढुलाई", "बढ़ईगिरी", "छपाई", "फ़र्नीचर"),
    firms=("शीशम", "निर्मल जल", "पूर्वी द्वार", "बाज़"),
    headlines=("{trade} बाज़ार {sector} : {firm} {name}", "{firm} को {name} कहा गया , धंधा {sector}"),
    posts=("{firm} सच में {name} !! बाज़ार {sector}", "#{trade} {sector} , {firm} {name}"),
    sector_frames=("{number} कंपनियों के सर्वे में बाज़ार {sector} ।", "{number} महीने बाद भी {sector} ।"),
    name_frames=("ग्राहक कहते हैं : {name} ।", "{number} बार काम कराया , {name} ।"),
    fillers=("दुकान पुराने स्टेशन के पास है ।", "सभा गुरुवार को {number} बजे होगी ।"),
)  # fmt: skip

LANGUAGES: Mapping[str, tuple[Language, float]] = {
    "english": (ENGLISH, 0.95),
    "russian": (RUSSIAN, 0.97),
    "korean": (KOREAN, 0.985),
    "hindi": (HINDI, 1.0),
}
"""Name -> (material, cumulative share of the texts)."""

SECTOR_EMOJI = ("🚀", "📈", "🌞", "🤷", "🌧", "📉", "🔥")
"""[LEVELS] from booming to collapsing."""
NAME_EMOJI = ("🤬", "😡", "🙁", "😐", "🙂", "😊", "😍")
"""[LEVELS] from the worst to the best."""
