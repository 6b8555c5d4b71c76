"""The one list of tags: what each is called, what it says, and which feature or computation it comes from."""

from collections.abc import Collection, Iterable

from recsys.artifacts.tagging import activity, consumption, person, standing
from recsys.artifacts.tagging.described import own as described
from recsys.artifacts.tagging.spec import Group, Pace, TagSpec

CATALOGUE: tuple[TagSpec, ...] = (*person.TAGS, *consumption.TAGS, *activity.TAGS, *standing.TAGS)

HOUR_BANDS: dict[str, tuple[int, int]] = {
    "night": (22, 5),
    "morning": (5, 11),
    "noon": (11, 14),
    "afternoon": (14, 18),
    "evening": (18, 22),
}
"""Hours of the day [from, to), the first one over midnight."""

HOUR_WORDS: dict[str, tuple[str, str]] = {
    "night": ("夜间", "at night"),
    "morning": ("早上", "in the morning"),
    "noon": ("中午", "around noon"),
    "afternoon": ("下午", "in the afternoon"),
    "evening": ("晚上", "in the evening"),
}

CHANNEL_PREFIX, HOUR_PREFIX = "days_since_channel:", "days_since_hours:"
"""A tag each of these begins the name of: one a channel of the shop, one a band of hours."""


def tags_of(features: Collection[str], own: Iterable[str], segments: Collection[str]) -> tuple[TagSpec, ...]:
    """Return the tags that can be told, in the order of the catalogue; standings always can.

    features: published features by name. own: columns computed beside them, those of channels and hours too.
    segments: the segmentations there are.
    """
    computed = list(own)

    def told(spec: TagSpec) -> bool:
        if spec.flag is not None:
            return True
        if spec.segment is not None:
            return spec.segment in segments
        return spec.feature in features if spec.feature is not None else spec.name in computed

    families = (_of_family(name) for name in computed)
    return (*filter(told, CATALOGUE), *(spec for spec in families if spec is not None))


def _of_family(name: str) -> TagSpec | None:
    """Return the tag of a channel or of a band of hours, None for other names."""
    if name.startswith(CHANNEL_PREFIX):
        channel = name.removeprefix(CHANNEL_PREFIX)
        words = (f"距上次在{channel}购买天数", f"days since a purchase through {channel}")
        about = (
            f"距最近一次通过“{channel}”购买的天数；未知=从未",
            f"as_of minus the last purchase day through {channel}; unknown = never",
        )
    elif name.startswith(HOUR_PREFIX):
        band = name.removeprefix(HOUR_PREFIX)
        zh, en = HOUR_WORDS[band]
        start, end = HOUR_BANDS[band]
        words = (f"距上次{zh}购买天数", f"days since a purchase {en}")
        about = (
            f"距最近一次在{start}点至{end}点之间购买的天数；未知=从未",
            f"as_of minus the last purchase day at hours from {start} to before {end}; unknown = never",
        )
    else:
        return None
    return described(name, Group.ACTIVITY, Pace.DYNAMIC, "days", words, about, since=True)
