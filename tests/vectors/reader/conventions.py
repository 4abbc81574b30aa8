"""WIRE.md 1: integers, hashes, signatures, interval sets and containers."""
import re
from hashlib import blake2b
from types import SimpleNamespace as Parts

import nacl.bindings as sodium
import nacl.signing

AUTHORITY, FIRST_GROUP, NO_INDEX = 0xFEFF, 0xFF00, 0xFFFF
MAX_NUMBER = 2**32 - 1
MAX_INTERVALS = 65_536


class Refused(Exception):
    """The bytes break a rule of WIRE.md."""


def need(condition, rule):
    if not condition:
        raise Refused(f"against the rule: {rule}")


def ascending(keys):
    return all(a < b for a, b in zip(keys, keys[1:]))


def is_group(index):
    return FIRST_GROUP <= index < NO_INDEX


def text_of(data):
    """UTF-8, which Python too reads without surrogates and overlong forms."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused("against the rule: UTF-8") from error


class Source:
    """Takes values off the front of some bytes."""

    def __init__(self, data):
        self.data, self.at = bytes(data), 0

    def left(self):
        return len(self.data) - self.at

    def rest(self):
        return self.take(self.left())

    def take(self, size):
        need(size <= self.left(), "the bytes do not end early")
        self.at += size
        return self.data[self.at - size:self.at]

    def unsigned(self, size):
        return int.from_bytes(self.take(size), "little")

    def varint(self):
        value = 0
        for position in range(10):
            byte = self.unsigned(1)
            value |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                need(byte or not position, "a varint in its shortest form")
                break
        need(byte < 0x80 and value < 2**64, "a varint of at most 64 bits")
        return value

    def varint32(self):
        value = self.varint()
        need(value <= MAX_NUMBER, "numbers of 32 bits")
        return value

    def zigzag(self):
        value = self.varint()
        return -(value + 1) // 2 if value & 1 else value // 2

    def sized(self):
        return self.take(self.varint())

    def bytes8(self):
        return self.take(self.unsigned(1))

    def bytes16(self):
        return self.take(self.unsigned(2))

    def text8(self):
        return text_of(self.bytes8())

    def incarnation(self):
        """(ordinal, random): compares as WIRE.md orders them."""
        incarnation = self.unsigned(2), self.unsigned(4)
        need(incarnation[0] >= 1, "an incarnation from 1")
        return incarnation

    def incarnation_or_none(self):
        incarnation = self.unsigned(2), self.unsigned(4)
        need(incarnation[0] or not incarnation[1], "an incarnation from 1, or zeros")
        return incarnation

    def record_class(self):
        value = self.unsigned(1)
        need(value <= 3, "a class to 3")
        return value

    def log(self):
        """(ordinal, random, class)"""
        return *self.incarnation(), self.record_class()

    def office(self):
        index = self.unsigned(2)
        need(index < AUTHORITY, "an index that names an office")
        return index

    def number(self):
        number = self.unsigned(4)
        need(number >= 1, "a number from 1")
        return number

    def interval_set(self):
        top, intervals = 0, []
        count = self.varint()
        need(count <= MAX_INTERVALS, "at most 65,536 intervals")
        for position in range(count):
            first = top + self.varint() + 1
            need(first > top + 1 or not position, "intervals do not touch")
            top = first + self.varint()
            need(top <= MAX_NUMBER, "numbers of 32 bits")
            intervals.append((first, top))
        return intervals

    def container(self):
        length, kind = divmod(self.varint(), 4)
        content = self.take(length)
        return [] if kind == 3 else whole([read_prefix, Source.interval_set, read_bitmap][kind], content)

    def asked_logs(self):
        return self.many(self.varint(), "log log, numbers interval_set")

    def held_logs(self):
        return self.many(self.varint(), "log log, tops 8, held interval_set")

    def parts(self, layout):
        """A layout is like "index u2, key 32, name text8": uN is an integer of N bytes, N is N bytes."""
        return Parts(**{name: self.form(form) for name, form in map(str.split, layout.split(","))})

    def form(self, form):
        if form.isdigit():
            return self.take(int(form))
        return self.unsigned(int(form[1])) if re.fullmatch("u[1-8]", form) else getattr(self, form)()

    def many(self, count, layout):
        return [self.parts(layout) for _ in range(count)]


def whole(read, data):
    """What `read` makes of `data`, with nothing left over."""
    source = Source(data)
    value = read(source)
    need(not source.left(), "nothing follows")
    return value


def several(read, source):
    """Things that stand one after the other until the end."""
    values = []
    while source.left():
        values.append(read(source))
    return values


def read_signed(source, layout):
    """The parts, and as `signed` the bytes before the signature, with which every layout here ends."""
    start = source.at
    parts = source.parts(layout + ", signature 64")
    parts.signed = source.data[start:source.at - 64]
    return parts


def write_parts(parts, layout):
    values = [(getattr(parts, name), form) for name, form in map(str.split, layout.split(","))]
    return b"".join(little(v, int(form[1])) if form[0] == "u" else v for v, form in values)


def little(value, size):
    return value.to_bytes(size, "little")


def varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def sized(data):
    return varint(len(data)) + data


class Network:
    def __init__(self, network_id):
        self.id = network_id

    def hash(self, label, *parts, key=b""):
        return blake2b(label.encode() + b"\0" + self.id + b"".join(parts), digest_size=32, key=key).digest()

    def verify(self, public, label, data, signature):
        nacl.signing.VerifyKey(public).verify(label.encode() + b"\0" + self.id + data, signature)


NO_NETWORK = Network(bytes(32))
unseal = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt


def write_interval_set(intervals):
    tops = [0] + [last for _, last in intervals]
    parts = [varint(first - top - 1) + varint(last - first) for top, (first, last) in zip(tops, intervals)]
    return varint(len(intervals)) + b"".join(parts)


def read_bitmap(source):
    first, bits = source.varint() + 1, source.varint()
    need(bits <= 8 * source.left(), "the bytes do not end early")
    bitmap = int.from_bytes(source.take((bits + 7) // 8), "little")
    need(bitmap & 1 and bitmap.bit_length() == bits, "the first and the last bit set, the rest 0")
    need(first + bits - 1 <= MAX_NUMBER, "numbers of 32 bits")
    runs = [(first + run.start(), first + run.end() - 1) for run in re.finditer("1+", f"{bitmap:b}"[::-1])]
    need(len(runs) <= MAX_INTERVALS, "at most 65,536 intervals")
    return runs


def write_bitmap(intervals):
    first, last = intervals[0][0], intervals[-1][1]
    bitmap = sum((1 << (b - first + 1)) - (1 << (a - first)) for a, b in intervals)
    return varint(first - 1) + varint(last - first + 1) + little(bitmap, (last - first) // 8 + 1)


def read_prefix(source):
    top = source.varint32()
    return [(1, top)] if top else []


def write_container(intervals):
    """Kind 0 where it fits, else the shorter of 1 and 2, and 1 if they are equal."""
    if not intervals or intervals[0][0] == 1 and len(intervals) == 1:
        kind, content = 0, varint(intervals[0][1] if intervals else 0)
    else:
        kind, content = 1, write_interval_set(intervals)
        if intervals[-1][1] - intervals[0][0] < 8 * len(content):
            kind, content = min((1, content), (2, write_bitmap(intervals)), key=lambda one: (len(one[1]), one[0]))
    return varint(4 * len(content) + kind) + content
