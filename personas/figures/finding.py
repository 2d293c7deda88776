"""Finding figures: each kind has its pattern; what an earlier one has taken, a later one does not see."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from personas.figures.numerals import NUMBER, normal_text, parse_number
from personas.needs import Sieve

__all__ = ["Figure", "Kind", "find_figures"]

Kind = Literal[
    "link",
    "contact",
    "phone",
    "date",
    "weekday",
    "time",
    "percent",
    "discount",
    "amount",
    "points",
    "duration",
    "number",
]

_DOMAIN_ENDS = "com|cn|net|org|top|xyz|vip|cc|shop|club|site|online|ltd|tk|ru|ly|icu"
#: Ends that libraries have in their names (socket.io): an address only with a page behind it.
_NAME_ENDS = "io|me|co|app|info|link|gg|work|live|ai|dev"
_SPELLED = {c: str(i) for i, c in enumerate("零一二三四五六七八九")} | {"〇": "0", "幺": "1"}


@dataclass(frozen=True, slots=True)
class Figure:
    """``value`` is the normal form, ``text`` how it was written, ``start`` and ``end`` where in the normal text."""

    kind: Kind
    value: str
    text: str
    start: int
    end: int


_Read = Callable[[re.Match[str]], str | None]


def _number(match: re.Match[str]) -> str | None:
    return parse_number(match["n"])


def _digits(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    return digits[2:] if len(digits) == 13 and digits.startswith("86") else digits


def _link(match: re.Match[str]) -> str:
    return re.sub(r"^https?://(?:www\.)?|^www\.", "", match[0].lower()).rstrip("/.,;:!?")


def _day(match: re.Match[str]) -> str | None:
    month, day = parse_number(match["m"]), parse_number(match["d"])
    if not month or not day or not _within(month, 12) or not _within(day, 31):
        return None
    year = match.groupdict().get("y")
    return f"{year + '-' if year else ''}{month}-{day}"


def _within(number: str, most: int) -> bool:
    return number.isdigit() and 1 <= int(number) <= most


def _of_month(match: re.Match[str]) -> str | None:
    day = parse_number(match["d"])
    return f"d{day}" if day and _within(day, 31) else None


def _month(match: re.Match[str]) -> str | None:
    month = parse_number(match["m"])
    return f"m{month}" if month and _within(month, 12) else None


def _weekday(match: re.Match[str]) -> str:
    return {"天": "日"}.get(match["w"], match["w"])


_LATE = ("下午", "傍晚", "晚上", "晚", "今晚", "明晚")
_EARLY = ("凌晨", "早上", "早晨", "上午", "早", "中午")


def _clock(match: re.Match[str]) -> str | None:
    """``h:mm`` on 24 hours where the half of the day is known, ``?h:mm`` (on 12) where it is not."""
    groups = match.groupdict()
    number, period = parse_number(match["h"]), groups.get("p")
    if number is None or not number.isdigit() or int(number) > 24:
        return None
    minutes = _minutes(groups)
    hour = int(number)
    if minutes is None:
        return None
    if period in _LATE and hour < 12:
        hour += 12
    known = period is not None or hour > 12 or ":" in match[0]
    return f"{hour}:{minutes:02}" if known else f"?{hour % 12}:{minutes:02}"


def _minutes(groups: dict[str, str | None]) -> int | None:
    said = groups.get("min")
    if not said or said in ("钟", "整"):
        return 0
    named = {"半": 30, "一刻": 15, "三刻": 45}.get(said)
    if named is not None:
        return named
    number = parse_number(said.removesuffix("分"))
    return int(number) if number and number.isdigit() and int(number) < 60 else None


def _discount(match: re.Match[str]) -> str | None:
    """85折, 8.5折 and 八五折 are the same."""
    number = parse_number(match["n"])
    if number is None:
        return None
    if "-" in number:
        return number.replace("-", ".")
    return f"{int(number) / 10:g}" if number.isdigit() and int(number) > 10 else number


def _amount(match: re.Match[str]) -> str | None:
    number, rest = parse_number(match["n"]), match.groupdict().get("rest")
    if number is None or not rest or "." in number:
        return number
    tail = parse_number(rest)
    return f"{number}.{tail}" if tail and tail.isdigit() else number


def _threshold(match: re.Match[str]) -> str | None:
    return parse_number(match["n"] or match["m"])


def _small_change(match: re.Match[str]) -> str | None:
    number = parse_number(match["n"])
    return f"0.{number}" if number and number.isdigit() and int(number) < 10 else None


_MINUTES = {"分钟": 1, "小时": 60, "钟头": 60, "天": 1440, "日": 1440, "周": 10080, "星期": 10080, "礼拜": 10080}


def _duration(match: re.Match[str]) -> str | None:
    number, unit = parse_number(match["n"]), match["u"].removeprefix("个")
    if number is None:
        return None
    half = 0.5 if match.groupdict().get("half") else 0.0
    if "-" in number:
        return f"{unit} {number}"
    value = float(number) + half
    if unit in _MINUTES:
        return f"{value * _MINUTES[unit]:g}min"
    months = {"月": 1, "年": 12}.get(unit)
    return f"{value * months:g}mo" if months else f"{value:g}{unit[:1]}"


def _spelled(match: re.Match[str]) -> str:
    return "".join(_SPELLED[c] for c in match[0])


_PERIOD = r"(?P<p>凌晨|早上|早晨|上午|中午|下午|傍晚|晚上|今晚|明晚|早|晚)"
_TIME_TAIL = r"(?P<min>半|一刻|三刻|钟|整|{n}分|[0-5]\d(?!\d))".replace("{n}", NUMBER)
_AFTER_TIME = r"(?=前|后|左右|到|至|[-~—]|开始|起|之|准时|上班|下班|开门|关门|营业|发货|直播|截止)"
_FOLLOWS_ONE = r"(?=内|之内|以内|后|之后|左右|到账|发货|时间|前|有效|保修|质保|会员|就|才)"

_SOURCES: tuple[tuple[Kind, str, _Read], ...] = (
    ("link", r"(?:https?://|www\.)[^\s\u3000-\u9fff()<>\"'、。;!?]+", _link),
    ("link", r"(?<![\w.@-])[\w.+-]+@[\w-]+(?:\.[A-Za-z]{2,})+", _link),
    (
        "link",
        rf"(?<![\w.@-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+(?:(?:{_DOMAIN_ENDS})(?![A-Za-z0-9])|(?:{_NAME_ENDS})(?=/))"
        r"(?:/[^\s\u3000-\u9fff()<>\"'、。;!?]*)?",
        _link,
    ),
    (
        "contact",
        r"(?:微信号?|V信|VX|WX|WeChat|QQ群?号?|企鹅号?|加V|薇信?|威信|电报|Telegram|TG)[号是为:\s]{0,4}"
        r"(?P<c>[A-Za-z][-_A-Za-z0-9]{5,19}|\d{5,12})",
        lambda match: match["c"].lower(),
    ),
    ("phone", r"(?<![\d.])(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)", _digits),
    ("phone", r"(?<![\d.])[48]00[- ]?\d{3,4}[- ]?\d{3,4}(?!\d)", _digits),
    ("phone", r"(?<![\d.])0\d{2,3}[- ]?\d{7,8}(?!\d)", _digits),
    ("phone", r"[零〇一二三四五六七八九幺]{7,}", _spelled),
    ("date", r"(?<!\d)(?P<y>\d{4})\s*[年/.-]\s*(?P<m>\d{1,2})\s*[月/.-]\s*(?P<d>\d{1,2})(?!\d)\s*[日号]?", _day),
    ("date", rf"(?P<m>{NUMBER})\s*月\s*(?P<d>{NUMBER})\s*[日号]", _day),
    ("date", r"(?<!\d)(?P<y>\d{4})\s*年(?!\d)", lambda match: f"y{match['y']}"),
    (
        "weekday",
        r"(?<![一二两三四五六七八九十\d几])(?:周|星期|礼拜)(?P<w>[一二三四五六日天末])(?![次个遍回位])",
        _weekday,
    ),
    ("duration", rf"(?P<n>{NUMBER})\s*(?P<half>个半)(?P<u>小时|月|钟头)", _duration),
    ("duration", rf"(?P<n>{NUMBER})\s*(?P<u>个?工作日|个?小时|个?钟头|分钟|秒)钟?", _duration),
    (
        "duration",
        rf"(?<!第)(?P<n>(?!一[天周年]|半天){NUMBER})\s*(?P<u>天|周|年)(?![级代份租龄纪末边围到期年一])",
        _duration,
    ),
    ("duration", rf"(?<![第每有这那哪新])(?P<n>一)(?P<u>天|周|年){_FOLLOWS_ONE}", _duration),
    ("duration", rf"(?P<n>{NUMBER})\s*(?P<u>个星期|个礼拜|星期|礼拜|个月)(?![一二三四五六日天]\B)", _duration),
    ("duration", rf"(?P<n>{NUMBER})\s*(?P<u>日)(?=内|之内|以内|后|之后|左右)", _duration),
    ("date", rf"(?<![个第\d])(?P<m>{NUMBER})\s*月(?:份|底|初|中旬|上旬|下旬)?", _month),
    ("date", rf"(?<![第\d])(?P<d>{NUMBER})\s*[日号](?![楼线店门柜仓机院馆厅码色字电池])", _of_month),
    ("time", r"(?<!\d)(?P<h>\d{1,2}):(?P<min>[0-5]\d)(?!\d)", _clock),
    ("time", rf"{_PERIOD}\s*(?P<h>{NUMBER})\s*[点时](?!间){_TIME_TAIL}?", _clock),
    ("time", rf"(?<![第有下这那几])(?P<h>{NUMBER})\s*点{_TIME_TAIL}", _clock),
    ("time", rf"(?<![第有下这那几])(?P<h>{NUMBER})\s*点{_AFTER_TIME}", _clock),
    ("percent", rf"(?P<n>{NUMBER})\s*%", _number),
    ("percent", rf"百分之(?P<n>{NUMBER})", _number),
    ("discount", rf"(?P<n>{NUMBER})\s*折(?![叠腾断页])", _discount),
    ("points", rf"(?P<n>{NUMBER})\s*(?:个?积分|张[^\s、。]{{0,4}}券|元?代金券)", _number),
    ("amount", rf"[¥$€]\s*(?P<n>{NUMBER})(?:元|块)?", _amount),
    (
        "amount",
        rf"(?P<n>{NUMBER})\s*(?:元|圆整|块钱|人民币|RMB|美元|美金|港币|欧元)(?![旦宵素])(?P<rest>\d)?",
        _amount,
    ),
    ("amount", r"(?P<n>\d+(?:\.\d+)?)块(?P<rest>\d)?(?![屏电板硬表布砖肉蛋])", _amount),
    ("amount", r"(?P<n>[一二两三四五六七八九]?[十百千万][零一二三四五六七八九十百千]*)块", _amount),
    ("amount", rf"(?P<n>{NUMBER})(?:毛钱?|角钱)", _small_change),
    (
        "amount",
        r"(?:价格|售价|原价|现价|优惠价|到手价?|只要|仅需|只需|费用|收费|合计|一共|总共|共计|赔付?|退还?|返现?|补偿|便宜)"
        r"(?:您|你|了)?[是为:约仅共]?\s*(?P<n>\d+(?:\.\d+)?)(?![\w%.:-])",
        _amount,
    ),
    ("amount", r"满\s*(?P<n>\d+)\s*(?=减|送|包邮)|(?:立减|减免|减)\s*(?P<m>\d+)(?![\w%.])", _threshold),
    ("number", r"(?<![\d.])\d{4}(?:[ -]\d{4}){2,}(?:[ -]\d{1,4})?(?!\d)", _digits),
    ("number", r"(?<![\d.])\d{5,}(?!\d)", lambda match: match[0]),
)
_PATTERNS = tuple((kind, re.compile(pattern, re.IGNORECASE), read) for kind, pattern, read in _SOURCES)
_SIEVE = Sieve([pattern for _, pattern, _ in _SOURCES], ignore_case=True)

#: ``3-5个工作日``: the first number has the second one's unit.
_RANGE_START = re.compile(rf"({NUMBER})\s*[-~—到至]\s*$")
_RANGED: dict[Kind, str] = {"duration": "u", "amount": "", "percent": "", "discount": "", "points": ""}


@lru_cache(maxsize=512)
def find_figures(text: str) -> tuple[Figure, ...]:
    """Return the figures of a text in the order in which they stand."""
    plain = normal_text(text)
    if not _MAY_HOLD.search(plain):
        return ()
    taken = bytearray(len(plain))
    found: list[Figure] = []
    for number in _SIEVE.possible(plain):
        kind, pattern, read = _PATTERNS[number]
        for match in pattern.finditer(plain):
            if not any(taken[match.start() : match.end()]) and (value := read(match)):
                found.append(Figure(kind, value, match[0].strip(), match.start(), match.end()))
                taken[match.start() : match.end()] = b"\x01" * (match.end() - match.start())
                found.extend(_range_start(plain, kind, match, read, taken))
    return tuple(sorted(found, key=lambda figure: figure.start))


_MAY_HOLD = re.compile(r"[\d零〇一二两三四五六七八九十百千万半末日天]|\w\.\w|@")


def _range_start(plain: str, kind: Kind, match: re.Match[str], read: _Read, taken: bytearray) -> Iterator[Figure]:
    """Yield the lower end of a range whose upper end has just been found."""
    if kind not in _RANGED or "n" not in match.groupdict():
        return
    before = _RANGE_START.search(plain, 0, match.start("n"))
    if before is None or any(taken[before.start(1) : before.end(1)]):
        return
    unit = plain[match.end("n") : match.end()]
    pattern = next(p for k, p, r in _PATTERNS if k == kind and r is read and p is match.re)
    whole = pattern.search(before[1] + unit)
    if whole and (value := read(whole)):
        taken[before.start(1) : before.end(1)] = b"\x01" * len(before[1])
        yield Figure(kind, value, before[1] + unit, before.start(1), before.end(1))
