"""What writer and reader of tags agree on."""

CATALOGUE = "traits.json"
"""Tags and segmentations of a publication, in their order: what they are, and the labels of texts."""


def tag_file(place: int) -> str:
    """Name the column of a tag that no feature holds, by its place in the catalogue."""
    return f"tag_{place}"


def segment_file(place: int) -> str:
    """Name the column of a segmentation, by its place in the catalogue."""
    return f"segment_{place}"
