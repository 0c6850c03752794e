"""Words of the head and of the lists that follow from the tree of units, as they stand on paper."""

# A place is named without the word for what it is: "Đống Đa", not "Quận Đống Đa".
PLACE_WORDS = (
    "Thành phố ",
    "Tỉnh ",
    "Quận ",
    "Huyện ",
    "Thị xã ",
    "Thị trấn ",
    "Phường ",
    "Xã ",
    "Đặc khu ",
)
CITY = "city"
# Below a city its levels have headings of their own; elsewhere units stand under the unit above.
LEVEL_HEADINGS = {
    CITY: "Điểm cầu Thành phố",
    "department": "Các sở, ban, ngành Thành phố",
    "district": "Các quận, huyện, thị xã",
}
HELD_ONLINE = "Trực tuyến"
ALL_WHO_WERE_ASKED = "Như thành phần dự họp"


def committee(territory: str) -> str:
    """The people's committee that leads a territory."""
    return f"Ủy ban nhân dân {territory[:1].lower()}{territory[1:]}"


def place_name(territory: str) -> str:
    """As the place stands before the day: `Hà Nội`; one that is a number keeps its word: `Quận 1`."""
    for word in PLACE_WORDS:
        if territory.startswith(word) and not territory.removeprefix(word)[:1].isdigit():
            return territory.removeprefix(word)
    return territory
