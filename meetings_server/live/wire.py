"""Websocket frames (RFC 6455) as bytes: those a server sends, and those that clients send.

Lines are many and their messages small, so this is only as much of the protocol as they need, with a
limit for everything that a client decides.
"""

from collections.abc import Iterator
from time import monotonic

from websockets.frames import Close, Frame, Opcode

try:
    from websockets.speedups import apply_mask
except ImportError:  # not built for this machine
    from websockets.utils import apply_mask

WRONG, NOT_UTF8, FLOOD, TOO_LARGE = 1002, 1007, 1008, 1009

LARGEST_MESSAGE = 16 * 1024
MOST_PARTS = 64
"""Frames of one message."""
MOST_CONTROLS = 200
"""Pings and pongs of a line within `WINDOW` seconds."""
WINDOW = 10.0

CONTROL = 8
LARGEST_CONTROL = 125
TWO_BYTES, EIGHT_BYTES = 126, 127


class Broken(Exception):
    """What a client sent breaks the protocol: the code and reason to close with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def text_frame(payload: bytes) -> bytes:
    """A whole text frame as a server sends it: unmasked, not compressed."""
    size = len(payload)
    if size < TWO_BYTES:
        return bytes((0x81, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


def payloads_of(frames: bytes) -> Iterator[bytes]:
    """The texts in frames of `text_frame`."""
    at = 0
    while at < len(frames):
        size, start = frames[at + 1], at + 2
        if size >= TWO_BYTES:
            start = at + (4 if size == TWO_BYTES else 10)
            size = int.from_bytes(frames[at + 2 : start])
        at = start + size
        yield frames[start:at]


def close_frame(code: int, reason: str = "") -> bytes:
    # A client may close without a code, and is answered in kind.
    data = Close(code, reason).serialize() if code not in {1005, 1006} else b""
    return Frame(Opcode.CLOSE, data).serialize(mask=False)


def pong_frame(payload: bytes) -> bytes:
    return Frame(Opcode.PONG, payload).serialize(mask=False)


class Reader:
    """Takes bytes as they come and gives whole messages; control frames come between."""

    __slots__ = ("_at", "_controls", "_data", "_kind", "_parts", "_since")

    def __init__(self, early: bytes = b"") -> None:
        self._data = early
        self._at = 0
        self._kind: Opcode | None = None
        self._parts: list[bytes] = []
        self._controls = 0
        self._since = 0.0

    def feed(self, data: bytes) -> None:
        if data:
            self._data = self._data[self._at :] + data if self._at < len(self._data) else data
            self._at = 0

    def next(self) -> tuple[Opcode, bytes] | None:
        """The next whole message or control frame, None until more has come. Raises `Broken`."""
        while True:
            frame = self._frame()
            if frame is None:
                return None
            final, opcode, payload = frame
            if opcode >= CONTROL:
                self._count_control(opcode)
                return opcode, payload
            if (opcode is Opcode.CONT) != (self._kind is not None):
                raise Broken(WRONG, "fragments out of order")
            if final and self._kind is None:
                return self._whole(opcode, payload)
            self._kind = self._kind or opcode
            self._parts.append(payload)
            if len(self._parts) > MOST_PARTS or sum(map(len, self._parts)) > LARGEST_MESSAGE:
                raise Broken(TOO_LARGE, "message too large")
            if final:
                opcode, payload = self._kind, b"".join(self._parts)
                self._kind, self._parts = None, []
                return self._whole(opcode, payload)

    def _whole(self, opcode: Opcode, payload: bytes) -> tuple[Opcode, bytes]:
        if opcode is Opcode.TEXT:
            try:
                payload.decode()
            except UnicodeDecodeError:
                raise Broken(NOT_UTF8, "not UTF-8") from None
        return opcode, payload

    def _count_control(self, opcode: Opcode) -> None:
        if opcode is Opcode.CLOSE:
            return
        now = monotonic()
        if now - self._since > WINDOW:
            self._since, self._controls = now, 0
        self._controls += 1
        if self._controls > MOST_CONTROLS:
            raise Broken(FLOOD, "too many pings")

    def _frame(self) -> tuple[bool, Opcode, bytes] | None:
        data, at = self._data, self._at
        if len(data) < at + 2:
            # Lines wait for hours with nothing to read.
            if at == len(data):
                self._data, self._at = b"", 0
            return None
        first, size, start = data[at], data[at + 1] & 0x7F, at + 2
        if first & 0x70 or not data[at + 1] & 0x80:
            raise Broken(WRONG, "reserved bits, or not masked")
        try:
            opcode = Opcode(first & 0x0F)
        except ValueError:
            raise Broken(WRONG, "unknown opcode") from None
        if opcode >= CONTROL and (size > LARGEST_CONTROL or not first & 0x80):
            raise Broken(WRONG, "control frame too long")
        if size >= TWO_BYTES:
            start = at + (4 if size == TWO_BYTES else 10)
            if len(data) < start:
                return None
            size = int.from_bytes(data[at + 2 : start])
        if size > LARGEST_MESSAGE:
            raise Broken(TOO_LARGE, "message too large")
        end = start + 4 + size
        if len(data) < end:
            return None
        self._at = end
        return (
            bool(first & 0x80),
            opcode,
            apply_mask(data[start + 4 : end], data[start : start + 4]),
        )
