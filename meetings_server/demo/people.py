"""The invented people of the demonstration."""

from dataclasses import dataclass

from rooms.people import Role

PASSWORD = "hop-truc-tuyen"  # noqa: S105 -- printed for everyone to see


@dataclass(frozen=True, slots=True)
class Account:
    """A demo account. `unit` is a unit's code in the catalogue of Hà Nội 2021."""

    username: str
    name: str
    title: str
    unit: str
    role: Role
    label: str


ACCOUNTS = (
    Account(
        "thuky",
        "Nguyễn Thu Hà",
        "Thư ký, Văn phòng UBND Thành phố",
        "01",
        Role.SECRETARY,
        "Thư ký Thành phố",
    ),
    Account(
        "thuky.snv",
        "Trần Minh Châu",
        "Văn thư Sở Nội vụ",
        "01-SNV",
        Role.SECRETARY,
        "Thư ký Sở Nội vụ",
    ),
    Account(
        "thuky.dongda",
        "Lê Ngọc Bích",
        "Văn thư UBND Quận Đống Đa",
        "006",
        Role.SECRETARY,
        "Thư ký Quận Đống Đa",
    ),
    Account(
        "vanthu.vanmieu",
        "Đặng Thùy Dương",
        "Văn thư UBND Phường Văn Miếu",
        "00181",
        Role.SECRETARY,
        "Văn thư Phường Văn Miếu",
    ),
    Account(
        "truc.vanmieu",
        "Phạm Văn Tùng",
        "Cán bộ trực điểm cầu Phường Văn Miếu",
        "00181",
        Role.OPERATOR,
        "Trực điểm cầu Phường Văn Miếu",
    ),
    Account(
        "truc.cattlinh",
        "Hoàng Đức Anh",
        "Cán bộ trực điểm cầu Phường Cát Linh",
        "00178",
        Role.OPERATOR,
        "Trực điểm cầu Phường Cát Linh",
    ),
    Account(
        "truc.dongda",
        "Vũ Quang Huy",
        "Cán bộ trực điểm cầu Quận Đống Đa",
        "006",
        Role.OPERATOR,
        "Trực điểm cầu Quận Đống Đa",
    ),
    Account(
        "lanhdao",
        "Đỗ Hoàng Long",
        "Phó Chủ tịch UBND Thành phố",
        "01",
        Role.OFFICIAL,
        "Lãnh đạo Thành phố (chủ trì)",
    ),
    Account(
        "lanhdao.vanmieu",
        "Bùi Thị Lan",
        "Chủ tịch UBND Phường Văn Miếu",
        "00181",
        Role.OFFICIAL,
        "Lãnh đạo Phường Văn Miếu",
    ),
    Account(
        "kythuat",
        "Ngô Gia Bảo",
        "Kỹ thuật viên hệ thống họp trực tuyến",
        "01",
        Role.TECHNICIAN,
        "Kỹ thuật Thành phố",
    ),
    Account("quantri", "Đinh Khánh Vân", "Quản trị hệ thống", "01", Role.ADMINISTRATOR, "Quản trị"),
)
