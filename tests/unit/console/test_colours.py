"""Colours: texts stand out from what is behind them, and series can be told apart by colour-blind people."""

import re
from itertools import combinations
from pathlib import Path

import console
from console.charts import COLOURS, DASHES, SHAPES

CSS = (Path(console.__file__).parent / "static" / "console.css").read_text(encoding="utf-8")
TOKENS = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", CSS))
READABLE = 4.5
"""WCAG 2.2, 1.4.3: contrast of texts."""
APART = 0.07
"""Distance in linear light below which two colours are hard to tell from each other."""

BLIND = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}
"""How colours look to colour-blind people. Machado, Oliveira and Fernandes, IEEE TVCG 2009, severity 1."""

Colour = tuple[float, float, float]


def linear(colour: str) -> Colour:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return red, green, blue


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def seen(colour: str, kind: str) -> Colour:
    own = linear(colour)
    red, green, blue = (sum(a * b for a, b in zip(row, own, strict=True)) for row in BLIND[kind])
    return red, green, blue


def test_texts_can_be_read_on_everything_they_stand_on() -> None:
    for text in ("ink", "muted", "accent", "good", "warn", "bad"):
        for behind in ("panel", "ground", "soft"):
            assert contrast(TOKENS[text], TOKENS[behind]) >= READABLE, (text, behind)
    for kind in ("accent", "good", "warn", "bad"):
        assert contrast(TOKENS[kind], TOKENS[f"{kind}-soft"]) >= READABLE, kind


def test_series_are_told_apart_with_every_kind_of_colour_blindness() -> None:
    for kind in BLIND:
        for one, other in combinations(COLOURS[:4], 2):
            distance = sum((a - b) ** 2 for a, b in zip(seen(one, kind), seen(other, kind), strict=True)) ** 0.5
            assert distance >= APART, (kind, one, other)


def test_series_differ_by_more_than_colour() -> None:
    looks = {(COLOURS[at % len(COLOURS)], DASHES[at % len(DASHES)], SHAPES[at % len(SHAPES)]) for at in range(12)}
    assert len(looks) == 12
