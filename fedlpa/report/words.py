"""Numbers as people read them; used by the report and by the live view."""

import unicodedata

NONE = "–"

_ABBREVIATIONS = {"ari": "ARI", "nmi": "NMI", "auc": "AUC", "ema": "EMA", "em": "EM"}
_SCORE_NAMES = {
    "all": "All",
    "old": "Old",
    "new": "New",
    "seen": "Seen graph",
    "seen_accuracy": "Seen-class accuracy",
    "unseen_node": "Unseen node",
    "missing_class": "Missing class",
    "new_client": "New client",
}


def score_name(key: str) -> str:
    """How a score's key is written.

    >>> score_name("unseen_node"), score_name("old"), score_name("top_5")
    ('Unseen node', 'Old', 'Top 5')
    """
    return _SCORE_NAMES.get(key) or title(key)


def title(key: str) -> str:
    """A key as words: ``self_distillation`` is "Self distillation"."""
    words = key.replace("_", " ").replace("-", " ").split()
    text = " ".join(_ABBREVIATIONS.get(word.lower(), word) for word in words)
    return text[:1].upper() + text[1:]


def percent(share: float | None, digits: int = 1) -> str:
    """A fraction in [0, 1] as per cent: 0.931 is "93.1 %" (with a no-break space)."""
    return NONE if share is None else f"{100 * share:.{digits}f}\u00a0%"


def count(value: float | None) -> str:
    """A whole number with thousands separated: 1797 is "1,797"."""
    return NONE if value is None else f"{value:,.0f}"


def size(number_of_bytes: float | None) -> str:
    """Bytes in decimal units: 37500 is "37.5 kB"."""
    if number_of_bytes is None:
        return NONE
    value, unit = float(number_of_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if abs(value) < 999.5:
            break
        value, unit = value / 1000, larger
    digits = 0 if unit == "B" or abs(value) >= 99.95 else 1
    return f"{value:.{digits}f}\u00a0{unit}"


def duration(seconds: float | None) -> str:
    """Seconds in at most two units: 161 is "2 min 41 s"."""
    if seconds is None:
        return NONE
    if seconds < 10:
        return f"{seconds:.1f}\u00a0s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}\u00a0s"
    if whole < 3600:
        return f"{whole // 60}\u00a0min {whole % 60:02d}\u00a0s"
    minutes = round(seconds / 60)
    return f"{minutes // 60}\u00a0h {minutes % 60:02d}\u00a0min"


def plural(number: int, noun: str) -> str:
    """ "1 site", "5 sites", "2 categories"."""
    many = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else many}"


def ranges(numbers: list[int]) -> str:
    """Round numbers in short: [1, 2, 3, 7] is "1–3, 7"."""
    parts: list[list[int]] = []
    for value in sorted(set(numbers)):
        if parts and value == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], value]
        else:
            parts.append([value])
    return ", ".join("–".join(str(end) for end in part) for part in parts)


def printable(text: object) -> str:
    """``text`` without control characters: what a site sends must not steer a terminal or a page."""
    spaced = " ".join(str(text).split())
    return "".join(letter for letter in spaced if not unicodedata.category(letter).startswith("C"))
