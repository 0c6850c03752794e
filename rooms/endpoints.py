"""How the equipment of a room is called, and which addresses each way of calling knows."""

import re
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from rooms.kernel import FieldInvalid, bounded_text

LONGEST_ADDRESS = 200


class EndpointKind(StrEnum):
    """How the room's equipment is called."""

    SIP = "sip"
    H323 = "h323"
    CLIENT = "client"
    NONE = "none"


# RFC 3261: sip:user@host:port;parameters, the user may be missing.
_SIP = re.compile(
    r"sips?:(?:[\w.!~*'()&=+$,;?/%-]+@)?(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?:[;?][\x21-\x7e]*)?",
    re.ASCII | re.IGNORECASE,
)
# H.225.0: an E.164 number, an H.323-ID, a URL-ID or a transport address, with or without scheme.
_H323 = re.compile(
    r"(?:h323:)?(?:[\w.!~*'()&=+$,#%-]+@)?(?P<host>\[[0-9a-fA-F:.]+\]|[\w.+*#-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?(?:;[\x21-\x7e]*)?",
    re.ASCII | re.IGNORECASE,
)
_LOOKS_LIKE_IP = re.compile(r"[0-9]+(?:\.[0-9]+){2,}")
_LARGEST_PORT = 65_535


def read_endpoint(kind: EndpointKind, text: str) -> str:
    """An address that equipment of this kind can be called under; empty where none is needed.

    | kind | address |
    | --- | --- |
    | `sip` | a SIP URI, `sip:1000@hop.gov.vn` |
    | `h323` | an IP address, a number or an alias, with or without `h323:` |
    | `client` | the link of a room, `https://…`, or none |
    | `none` | none |

    Raises `FieldInvalid` for the field `endpoint_address`.
    """
    address = bounded_text("endpoint_address", text, LONGEST_ADDRESS)
    if kind is EndpointKind.NONE:
        if address:
            raise FieldInvalid("endpoint_address", "nothing_to_call")
        return ""
    if not address:
        if kind is EndpointKind.CLIENT:
            return ""
        raise FieldInvalid("endpoint_address", "missing")
    if kind is EndpointKind.CLIENT:
        if not _is_link(address):
            raise FieldInvalid("endpoint_address", "not_a_link")
        return address
    found = (_SIP if kind is EndpointKind.SIP else _H323).fullmatch(address)
    if not found or not _is_host(found["host"]) or int(found["port"] or 1) not in _PORTS:
        problem = "not_a_sip_address" if kind is EndpointKind.SIP else "not_an_h323_address"
        raise FieldInvalid("endpoint_address", problem)
    return address


_PORTS = range(1, _LARGEST_PORT + 1)


def _is_host(host: str) -> bool:
    if not host.startswith("[") and not _LOOKS_LIKE_IP.fullmatch(host):
        return not host.startswith((".", "-")) and ".." not in host
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_link(address: str) -> bool:
    try:
        parts = urlsplit(address)
        # Reading the port is what finds one that is no number.
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0
            and not any(c.isspace() for c in address)
        )
    except ValueError:
        return False
