"""Reads the test vectors without any code of fieldpost.

Goal: show that proto/WIRE.md and the two .proto files are enough to read what offices keep and
exchange, and notice when a byte of it changes. Method: every decoder here is written from that page
alone; what the page does not allow raises Refused. Each vector is taken apart to its last byte, every
hash and signature in it is computed again, and every secret that the file gives opens what it is for.
Rules that only limit a size or a count are left to the unit tests, where no vector comes near them.

Usage: read_vectors.py <directory of the vectors>
"""
import json
import re
import sys
from functools import partial
from hashlib import blake2b
from pathlib import Path
from types import SimpleNamespace as Parts

import brotli
import nacl.bindings as sodium
import nacl.exceptions
import nacl.pwhash.argon2id
import nacl.signing
import zstandard

AUTHORITY, FIRST_GROUP, NO_INDEX = 0xFEFF, 0xFF00, 0xFFFF
INVITED, ACTIVE, RETIRING, RETIRED, REVOKED, CANCELLED = range(6)
MAX_NUMBER = 2**32 - 1
SEGMENT, TAG = 16_384, 16


class Refused(Exception):
    """The bytes break a rule of WIRE.md."""


def need(condition, rule):
    if not condition:
        raise Refused(f"against the rule: {rule}")


def ascending(keys):
    return all(a < b for a, b in zip(keys, keys[1:]))


# --- WIRE.md 1: conventions ---

class Source:
    """Takes values off the front of some bytes."""

    def __init__(self, data):
        self.data, self.at = bytes(data), 0

    def take(self, size):
        need(self.at + size <= len(self.data), "the bytes do not end early")
        self.at += size
        return self.data[self.at - size:self.at]

    def unsigned(self, size):
        return int.from_bytes(self.take(size), "little")

    def varint(self, shortest=True):
        value = 0
        for position in range(10):
            byte = self.unsigned(1)
            value |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                need(byte or not position or not shortest, "a varint in its shortest form")
                break
        need(byte < 0x80 and value < 2**64, "a varint of at most 64 bits")
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
        return self.bytes8().decode()

    def log(self):
        """Incarnation (ordinal, random) and class: compares as WIRE.md orders them."""
        log = self.unsigned(2), self.unsigned(4), self.unsigned(1)
        need(log[0] >= 1 and log[2] <= 3, "an incarnation from 1 and a class to 3")
        return log

    def interval_set(self):
        top, intervals = 0, []
        for position in range(self.varint()):
            first = top + self.varint() + 1
            need(first > top + 1 or not position, "intervals do not touch")
            top = first + self.varint()
            need(top <= MAX_NUMBER, "numbers of 32 bits")
            intervals.append((first, top))
        return intervals

    def cut_off(self):
        logs = self.many(self.varint(), "log log, last u4, id 32")
        need(ascending([log.log for log in logs]), "logs ascend")
        return logs, self.parts("ordinal u2, random u4, counter u6")

    def closed(self):
        closed = self.unsigned(1)
        need(closed <= 1, "retiring or retired")
        return self.cut_off() if closed else None

    def held_logs(self):
        return self.many(self.varint(), "log log, top_id 8, held interval_set")

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
    need(source.at == len(source.data), "nothing follows")
    return value


def write_parts(parts, layout):
    values = [(getattr(parts, name), form) for name, form in map(str.split, layout.split(","))]
    return b"".join(little(v, int(form[1])) if form[0] == "u" else v for v, form in values)


def little(value, size):
    return value.to_bytes(size, "little")


def varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


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
    bitmap = int.from_bytes(source.take((bits + 7) // 8), "little")
    need(bitmap & 1 and bitmap.bit_length() == bits, "the first and the last bit set, the rest 0")
    need(first + bits - 1 <= MAX_NUMBER, "numbers of 32 bits")
    return [(first + run.start(), first + run.end() - 1) for run in re.finditer("1+", f"{bitmap:b}"[::-1])]


def write_bitmap(intervals):
    first, last = intervals[0][0], intervals[-1][1]
    bitmap = sum((1 << (b - first + 1)) - (1 << (a - first)) for a, b in intervals)
    return varint(first - 1) + varint(last - first + 1) + little(bitmap, (last - first) // 8 + 1)


def read_prefix(source):
    top = source.varint()
    need(top <= MAX_NUMBER, "numbers of 32 bits")
    return [(1, top)] if top else []


def read_container(source):
    length, kind = divmod(source.varint(), 4)
    content = source.take(length)
    return [] if kind == 3 else whole([read_prefix, Source.interval_set, read_bitmap][kind], content)


def write_container(intervals):
    """The shortest form; of equally short ones the lowest kind (WIRE.md does not say which)."""
    forms = [(1, write_interval_set(intervals))]
    if not intervals or intervals[0][0] == 1 and len(intervals) == 1:
        forms.append((0, varint(intervals[0][1] if intervals else 0)))
    elif intervals[-1][1] - intervals[0][0] < 8 * len(forms[0][1]):
        forms.append((2, write_bitmap(intervals)))
    kind, content = min(forms, key=lambda form: (len(form[1]), form[0]))
    return varint(4 * len(content) + kind) + content


# --- Protocol Buffers ---

def read_schemas(folder):
    """{message: {field number: (name, type, whether it is repeated)}}"""
    text = "".join((folder / name).read_text() for name in ("record.proto", "office.proto"))
    return {message: {int(number): (name, form, bool(repeated)) for repeated, form, name, number
                      in re.findall(r"^  (repeated )?(\w+) (\w+) = (\d+);", fields, re.M)}
            for message, fields in re.findall(r"^message (\w+) \{(.*?)^\}", text, re.M | re.S)}


SCHEMAS = read_schemas(Path(__file__).resolve().parents[2] / "proto")
WIRE_TYPES = {"uint32": 0, "bool": 0, "fixed32": 5}  # of all others: 2


def read_message(data, message_name):
    """All fields of a message by name; those that are absent have the default of proto3."""
    schema = SCHEMAS.get(message_name, {})
    message = {name: [] if repeated else 0 if form in WIRE_TYPES else b"" for name, form, repeated in schema.values()}
    source, seen = Source(data), set()
    while source.at < len(source.data):
        number, wire_type = divmod(source.varint(shortest=False), 8)
        name, form, repeated = schema.get(number, ("", "", False))
        need(number > 0 and (repeated or number >= 128 or number not in seen), "no field 0, none twice")
        seen.add(number)
        value = read_field(source, wire_type)
        if name and wire_type == WIRE_TYPES.get(form, 2):
            value = read_message(value, form) if form in SCHEMAS else value
            message[name] = message[name] + [value] if repeated else value
    return Parts(**message)


def read_field(source, wire_type):
    need(wire_type in (0, 1, 2, 5), "no groups")
    if wire_type in (1, 5):
        return source.unsigned(8 if wire_type == 1 else 4)
    value = source.varint(shortest=False)  # Protocol Buffers allow longer forms
    return source.take(value) if wire_type == 2 else value


# --- WIRE.md 2: network ---

class Roster:
    def __init__(self, statement):
        source = Source(statement)
        founding = source.parts("version u1, name text8, time u4, threshold u1")
        self.threshold, self.keys = founding.threshold, [source.take(32) for _ in range(source.unsigned(1))]
        self.founding_key_hash = source.take(32)
        signed = statement[:source.at]
        self.network, self.version, self.head, self.offices = NO_NETWORK, 0, bytes(32), {}
        self.verify("founding", signed, source)
        need(founding.version == 1 and source.at == len(statement), "version 1, nothing follows")
        self.network = Network(NO_NETWORK.hash("founding", signed))

    def verify(self, label, signed, source):
        signatures = source.many(source.unsigned(1), "key u1, signature 64")
        numbers = [one.key for one in signatures]
        need(ascending(numbers) and max(numbers, default=0) < len(self.keys), "key numbers ascend")
        need(len(signatures) >= max(self.threshold, 1), "enough signatures")
        for one in signatures:
            self.network.verify(self.keys[one.key], label, signed, one.signature)

    def apply(self, source):
        start = source.at
        change = source.parts("version u1, roster_version u4, before 32, time u4")
        statements = source.many(source.unsigned(1), "type u1, payload bytes16")
        signed = source.data[start:source.at]
        self.verify("roster", signed, source)
        need(change.version == 1 and statements, "version 1, at least one statement")
        need(change.roster_version == self.version + 1 and change.before == self.head, "the next of the chain")
        for one in statements:
            if one.type in STATEMENTS:
                self.follow(one.type, **vars(whole(partial(Source.parts, layout=STATEMENTS[one.type]), one.payload)))
        self.version, self.head = change.roster_version, self.network.hash("roster-id", signed)

    def follow(self, statement, index=None, **parts):
        if statement in (ADMIT, INVITE):
            need(index < AUTHORITY and index not in self.offices, "an index that is free")
            need(parts["replaces"] in [NO_INDEX, *self.offices], "an office that exists")
            self.offices[index] = Parts(state=ACTIVE if statement == ADMIT else INVITED, **parts)
        elif statement != JOIN_HEADS:
            need(index in self.offices, "an office that exists")
            retired = RETIRED if parts.get("closed") else RETIRING
            self.offices[index].state = {CANCEL: CANCELLED, REVOKE: REVOKED, RETIRE: retired}[statement]


ADMIT, INVITE, CANCEL, REVOKE, RETIRE, JOIN_HEADS = range(1, 7)
STATEMENTS = {
    ADMIT: "index u2, role u1, ordinal u2, identity 32, link 32, mail 32, replaces u2, name text8",
    INVITE: "index u2, role u1, ordinal u2, signing 32, box 32, expires u4, replaces u2, name text8",
    CANCEL: "index u2",
    REVOKE: "index u2, cut_off cut_off, reason text8",
    RETIRE: "index u2, successor u2, closed closed",
    JOIN_HEADS: "head 32"}


def fingerprint(network, identity, link, mail):
    digest = Source(network.hash("fingerprint", identity, link, mail))
    return " ".join(f"{digest.unsigned(4) % 100_000:05}" for _ in range(8))


# --- WIRE.md 3: records ---

FIXED = ("version u1, author u2, incarnation 6, record_class u1, number u4, count u1, flags u1, kind u1, prev 16, "
         "created u4, lifetime u4, body_size u4, ephemeral 32, commitment 32")
RECIPIENT = "index u2, epoch u2"
STANZA = RECIPIENT + ", wrapped 16"


def altered(parts, **values):
    return Parts(**{**vars(parts), **values})


def read_header(source):
    header = source.parts(FIXED)
    need(header.version == 1, "version")
    header.stanzas = source.many(source.unsigned(1), STANZA)
    header.roster_version = source.unsigned(4) if names_group(header.stanzas) else None
    header.extension = source.bytes16()
    return checked(header)


def write_header(header):
    stanzas = b"".join(write_parts(stanza, STANZA) for stanza in header.stanzas)
    roster_version = b"" if header.roster_version is None else little(header.roster_version, 4)
    extension = little(len(header.extension), 2) + header.extension
    return write_parts(header, FIXED) + bytes([len(header.stanzas)]) + stanzas + roster_version + extension


def names_group(stanzas):
    return bool(stanzas) and stanzas[-1].index >= FIRST_GROUP


def checked(header):
    Source(header.incarnation + bytes([header.record_class])).log()
    need(header.author < AUTHORITY and header.number >= 1 and 1 <= header.count <= 64, "an author, numbers from 1")
    need(header.number + header.count - 1 <= MAX_NUMBER, "numbers of 32 bits")
    need(0 <= header.created <= MAX_NUMBER and 1 <= header.lifetime <= 31_536_000, "times")
    indexes = [stanza.index for stanza in header.stanzas]
    need(1 <= len(indexes) <= 64 and ascending(indexes), "1 to 64 recipients, ascending, none twice")
    need(AUTHORITY not in indexes and NO_INDEX not in indexes, "recipients are offices or groups")
    need(piece_sizes(header.body_size)[-1] > TAG, "a last piece has something in it")
    read_message(header.extension, "extension")
    return header


def restore_header(source, before=None, before_id=bytes(16)):
    old = before or Parts(author=0, incarnation=bytes(6), record_class=0, number=0, count=0, flags=0, kind=0,
                          created=0, lifetime=7_776_000, stanzas=[], roster_version=None, extension=b"")
    header = altered(old, version=1, number=old.number + old.count, count=1, prev=before_id[:16])
    mask = source.unsigned(2)
    need(mask < 1 << 13 and not mask & 1 and (before or mask & 2), "a known version, known bits, an author")
    for bit, field in enumerate(FIXED.split(", ")[1:11], 1):
        name, form = field.split()
        if mask >> bit & 1:
            setattr(header, name, source.form(form))
        elif name == "created":
            header.created += source.zigzag()
    header = altered(header, **vars(source.parts("body_size varint, ephemeral 32, commitment 32")))
    if mask >> 11 & 1:
        header.stanzas = source.many(source.unsigned(1), RECIPIENT)
        header.roster_version = source.unsigned(4) if names_group(header.stanzas) else None
    header.stanzas = [altered(stanza, wrapped=source.take(16)) for stanza in header.stanzas]
    if mask >> 12 & 1:
        header.extension = source.sized()
    return checked(header)


def piece_sizes(size):
    return [size] if size <= 2 * SEGMENT else [min(SEGMENT, size - start) for start in range(0, size, SEGMENT)]


def cut(header, body):
    need(len(body) == header.body_size, "a body is as long as its header says")
    source = Source(body)
    return [source.take(size) for size in piece_sizes(len(body))]


def hash_pieces(network, pieces):
    return [network.hash("body" if len(pieces) == 1 else "segment", piece) for piece in pieces]


def core_of(header):
    blank = [altered(stanza, wrapped=bytes(16)) for stanza in header.stanzas]
    return write_header(altered(header, prev=bytes(16), commitment=bytes(32), stanzas=blank))


def unwrap(network, apk, header, index, epoch, secret):
    wrapped, = [stanza.wrapped for stanza in header.stanzas if (stanza.index, stanza.epoch) == (index, epoch)]
    need(len(secret) == 32, "a secret of 32 bytes")
    shared = sodium.crypto_scalarmult(secret, header.ephemeral)  # refuses a result of zeros
    prekey = sodium.crypto_scalarmult_base(secret)
    mask = network.hash("wrap", apk, header.ephemeral, prekey, little(index, 2), little(epoch, 2), core_of(header),
                        key=shared)
    file_key = bytes(a ^ b for a, b in zip(wrapped, mask))
    need(header.commitment == network.hash("commit", apk, core_of(header), key=file_key), "the key committed to")
    return file_key


def open_body(network, apk, header, file_key, pieces):
    key = network.hash("payload", apk, core_of(header), key=file_key)
    associated = network.hash("ad", apk, write_header(altered(header, prev=bytes(16))))
    nonces = [little(i, 4) + bytes([i == len(pieces) - 1]) + bytes(19) for i in range(len(pieces))]
    return b"".join(unseal(piece, associated, nonce, key) for piece, nonce in zip(pieces, nonces))


def decompress(codec, data, size):
    need(codec <= 2, "a codec of this release")
    if codec == 1:
        data = zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
    elif codec == 2:
        data = brotli.decompress(data)
    need(len(data) == size, "the size of U")
    return data


def padme(length):
    exponent = length.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-length // step) * step


def read_body(plain, header):
    """[(origin, report, the bytes of its attachments)]"""
    source = Source(plain)
    body = source.parts("size varint, codec u1, compressed sized")
    units = whole(lambda u: u.many(header.count, "origin sized, report sized"),
                  decompress(body.codec, body.compressed, body.size))
    for number, unit in enumerate(units, header.number):
        need(len(unit.origin) in (0, 11), "an origin of 0 or 11 bytes")
        unit.origin = unit.origin or header.incarnation + bytes([header.record_class]) + little(number, 4)
        unit.parsed = read_message(unit.report, "Report")
        unit.attachments = [source.take(part.size) for part in unit.parsed.attachments]
    need(len(plain) >= padme(source.at) and not any(plain[source.at:]), "zeros up to a Padmé size")
    return units


def report_hash(network, author, unit):
    hashes = [network.hash("attachment", one) for one in unit.attachments]
    return network.hash("report", little(author, 2), unit.origin, little(len(unit.report), 4), unit.report, *hashes)


# --- WIRE.md 4 and 5: registers, custody, invitation file ---

def read_signed(source, layout):
    """The parts, and as `signed` the bytes before the signature, with which every layout here ends."""
    start = source.at
    parts = source.parts(layout + ", signature 64")
    parts.signed = source.data[start:source.at - 64]
    return parts


def read_register(source):
    register = read_signed(source, "version u1, signer u2, ordinal u2, random u4, counter u6, kind u1, "
                                   "subject bytes8, time u4, payload bytes16")
    need(register.version == 1 and register.ordinal >= 1, "version 1, an incarnation from 1")
    return register


def read_receipt(source):
    logs = []
    for _ in range(source.varint()):
        log = source.parts("log log, top_id 8, received interval_set, unreadable interval_set")
        log.reasons = source.many(source.unsigned(1), "reason u1, refused interval_set")
        refused = [reason.refused for reason in log.reasons]
        intervals = sorted(sum([log.received, log.unreadable, *refused], []))
        need(all(refused) and all(a[1] < b[0] for a, b in zip(intervals, intervals[1:])), "disjoint sets")
        need(ascending([reason.reason for reason in log.reasons]), "reasons ascend")
        need(log.received or not any(log.top_id), "zeros are the top id of nothing")
        logs.append(log)
    need(ascending([log.log for log in logs]), "logs ascend")


def read_office(source):
    office = read_message(source.take(len(source.data)), "OfficeStatement")
    need(ascending([prekey.epoch for prekey in office.prekeys]), "prekeys ascend")
    need(all(re.fullmatch(rb"tcp://.+:\d{1,5}", endpoint) for endpoint in office.endpoints), "tcp://host:port")
    logs = [whole(Source.log, log.incarnation + bytes([log.record_class])) for log in office.logs]
    need(ascending(logs), "logs ascend")
    for log in office.logs:
        done, withdrawn = (whole(Source.interval_set, one or b"\0") for one in (log.done, log.withdrawn))
        need(all(any(a <= c and d <= b for a, b in done) for c, d in withdrawn), "withdrawn lies within done")
    receipts = whole(lambda s: s.many(s.varint(), "author u2, receipt sized"), office.group_receipts or b"\0")
    need(ascending([receipt.author for receipt in receipts]), "group receipts ascend")
    for receipt in receipts:
        whole(read_receipt, receipt.receipt)
    return office


def verify_fork(network, accused_key, register):
    need(not (any(register.signature) or register.time or register.counter), "a fork is unsigned")
    log = whole(Source.log, register.subject)
    need(log[:2] == (register.ordinal, register.random), "the incarnation is that of the log")
    proofs = whole(lambda s: [read_signed(s, "key 15, rest 32, body 32") for _ in range(2)], register.payload)
    ids = [network.hash("record-id", proof.signed) for proof in proofs]
    runs = [Source(proof.key).parts("version u1, author u2, log log, number u4, count u1") for proof in proofs]
    for proof, proven, run in zip(proofs, ids, runs):
        network.verify(accused_key, "record", proven, proof.signature)
        need((run.author, run.log) == (register.signer, log), "proofs of the log of the accused office")
    need(ascending(ids), "proofs ascend by id")
    need(all(a.number < b.number + b.count for a, b in (runs, runs[::-1])), "runs overlap")


def read_custody(source):
    custody = read_signed(source, "signer u2, ordinal u2, random u4, counter u6, author u2, time u4, logs held_logs")
    need(custody.ordinal >= 1 and all(log.held for log in custody.logs), "an incarnation from 1, no empty set")
    need(ascending([log.log for log in custody.logs]), "logs ascend")
    return custody


def open_invitation(data, code=""):
    source = Source(data)
    head = source.parts("magic 8, version u1, has_code u1, passes u4, memory_kib u4, salt 16")
    associated, nonce = data[:source.at], source.take(24)
    need(head.magic == b"fpinvite" and head.version == 1, "an invitation file of version 1")
    need(2 <= head.passes <= 20 and 65_536 <= head.memory_kib <= 2**20, "work within bounds")
    if head.has_code:
        code = re.sub("[- ]", "", code).upper().translate(str.maketrans("OIL", "011")).encode()
        key = nacl.pwhash.argon2id.kdf(32, code, head.salt, head.passes, head.memory_kib * 1024)
    else:
        key = NO_NETWORK.hash("invite-open", head.salt)
    return whole(read_invitation, unseal(data[source.at:], associated, nonce, key))


def read_invitation(source):
    content = source.parts("seed 32, founding_key 32, index u2, founding sized")
    content.roster = Roster(content.founding)
    for _ in range(source.varint()):
        content.roster.apply(source)
    content.registers = [read_register(source) for _ in range(source.varint())]
    need(NO_NETWORK.hash("founding-key", content.founding_key) == content.roster.founding_key_hash, "the network's founding key")
    return content


# --- the vectors ---

class Checks:
    def __init__(self):
        self.passed, self.failed, self.where = 0, 0, ""

    def true(self, what, condition, got="that is wrong"):
        self.passed, self.failed = self.passed + bool(condition), self.failed + (not condition)
        if not condition:
            print(f"{self.where}: {what}: {got}")

    def equal(self, what, got, expected):
        self.true(what, got == expected, f"got {short(got)}, expected {short(expected)}")

    def does(self, what, action, *arguments):
        """That the action goes through; its result, or None."""
        try:
            result = action(*arguments)
        except Exception as error:  # whatever broken bytes provoke is a failure of this check
            return self.true(what, False, f"{type(error).__name__} {error}")
        self.true(what, True)
        return result

    def refuses(self, what, action, *arguments):
        try:
            action(*arguments)
        except (Refused, nacl.exceptions.CryptoError):
            return self.true(what, True)
        self.true(what, False, "was not refused")

    def each(self, file, noun, vectors, check):
        read = 0
        for number, vector in enumerate(vectors, 1):
            failed, self.where = self.failed, f"{file}: {noun} {number}"
            self.does("is read to its end", check, vector)
            read += self.failed == failed
        self.true("there is one", vectors)
        return f"{read} {noun}" + "s" * (read != 1)


def short(value):
    text = value.hex() if isinstance(value, bytes) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def hexed(vector, *names):
    return [bytes.fromhex(vector[name]) for name in names]


def check_interval_set(checks, vector):
    intervals = [tuple(interval) for interval in vector["intervals"]]
    set_bytes, container = hexed(vector, "set", "container")
    checks.equal("set, read", whole(Source.interval_set, set_bytes), intervals)
    checks.equal("set, written", write_interval_set(intervals), set_bytes)
    checks.equal("container, read", whole(read_container, container), intervals)
    checks.equal("container, written", write_container(intervals), container)


class RecordChecks:
    """Checks records one after the other; remembers the last one of each log."""

    def __init__(self, checks, file):
        self.checks, self.last = checks, {}
        self.network, self.apk = Network(bytes.fromhex(file["network"])), bytes.fromhex(file["author_identity"])

    def check(self, vector):
        encoded, body, signature, record_id = hexed(vector, "header", "body", "signature", "id")
        header = whole(read_header, encoded)
        self.check_header(vector, header, encoded)
        pieces = cut(header, body)
        hashes = hash_pieces(self.network, pieces)
        self.checks.equal("piece hashes", [one.hex() for one in hashes], vector["piece_hashes"])
        hashed = hashes[0] if len(hashes) == 1 else self.network.hash("segments", *hashes)
        self.checks.equal("body hash", hashed.hex(), vector["body_hash"])
        rest = self.network.hash("record-header", encoded[15:])
        self.checks.equal("id", self.network.hash("record-id", encoded[:15], rest, hashed), record_id)
        self.checks.does("signature", self.network.verify, self.apk, "record", record_id, signature)
        self.check_content(vector, header, pieces)
        self.last[header.author, header.incarnation, header.record_class] = header, record_id

    def check_header(self, vector, header, encoded):
        self.checks.equal("header, written", write_header(header), encoded)
        group = 0 if header.roster_version is None else 4
        size = 112 + 20 * len(header.stanzas) + group + len(header.extension)
        self.checks.equal("size of the header", len(encoded), size)
        alone, = hexed(vector, "elided_first")
        self.checks.equal("header, restored alone", whole(restore_header, alone), header)
        before = self.last.get((header.author, header.incarnation, header.record_class))
        self.checks.equal("prev", header.prev, before[1][:16] if before else bytes(16))
        self.checks.equal("has a predecessor", "elided_after_its_predecessor" in vector, before is not None)
        if before:
            elided, = hexed(vector, "elided_after_its_predecessor")
            restored = whole(lambda source: restore_header(source, *before), elided)
            self.checks.equal("header, restored after its predecessor", restored, header)

    def check_content(self, vector, header, pieces):
        secret, = hexed(vector, "reader_prekey_secret")
        file_key = unwrap(self.network, self.apk, header, vector["reader"], vector["reader_epoch"], secret)
        self.checks.equal("file key", file_key.hex(), vector["file_key"])
        units = read_body(open_body(self.network, self.apk, header, file_key, pieces), header)
        attachments = b"".join(sum([unit.attachments for unit in units], []))
        attachments_hash = self.network.hash("attachment", attachments)  # of all together
        self.checks.equal("attachments", attachments_hash.hex(), vector["attachments_hash"])
        got = [{"bytes": unit.report.hex(), "hash": report_hash(self.network, header.author, unit).hex(),
                "origin": unit.origin.hex(), "text": unit.parsed.text.decode()} for unit in units]
        self.checks.equal("number of reports", len(got), len(vector["reports"]))
        for report, expected in zip(got, vector["reports"]):
            for name, value in expected.items():
                self.checks.equal(f"report, {name}", report[name], value)


def check_register(checks, file, vector):
    identity, mail, network_id = hexed(file, "identity", "mail", "network")
    network, register = Network(network_id), whole(read_register, bytes.fromhex(vector["bytes"]))
    got = {"at": register.time, "counter": register.counter, "kind": register.kind, "ordinal": register.ordinal,
           "payload": register.payload.hex(), "signer": register.signer, "subject": register.subject.hex(),
           "hash": network.hash("register-id", register.signed).hex(), "signed": any(register.signature)}
    for name, value in got.items():
        checks.equal(name, value, vector[name])
    if register.kind != 5:
        checks.does("signature", network.verify, identity, "register", register.signed, register.signature)
    checks.equal("name", {1: "receipt", 2: "office", 5: "fork"}.get(register.kind), vector["name"])
    checks.equal("length of the subject", len(register.subject), {1: 2, 2: 0, 5: 7}.get(register.kind))
    if register.kind == 1:
        checks.does("receipt", whole, read_receipt, register.payload)
    elif register.kind == 2:
        for prekey in checks.does("office", whole, read_office, register.payload).prekeys:
            signed = little(register.signer, 2) + little(prekey.epoch, 2) + prekey.key
            checks.does("prekey signature", network.verify, mail, "prekey", signed, prekey.signature)
    elif register.kind == 5:
        checks.does("fork", verify_fork, network, identity, register)


def check_custody(checks, file, encoded):
    identity, network_id = hexed(file, "identity", "network")
    custody = whole(read_custody, bytes.fromhex(encoded))
    checks.does("signature", Network(network_id).verify, identity, "custody", custody.signed, custody.signature)


def check_change(checks, roster, vector):
    whole(roster.apply, bytes.fromhex(vector["bytes"]))
    checks.equal("hash", roster.head.hex(), vector["hash"])


def check_network(checks, file, roster):
    checks.equal("network id", roster.network.id.hex(), file["network"])
    offices = [{"index": i, "name": one.name, "state": one.state} for i, one in sorted(roster.offices.items())]
    checks.equal("offices", offices, file["offices"])
    people = file["fingerprint"]
    got = fingerprint(roster.network, *hexed(people, "identity", "link", "mail"))
    checks.equal("fingerprint", got, people["text"])


def check_enrolment(checks, file, roster):
    register = whole(read_register, bytes.fromhex(file["enrolment"]))
    keys = whole(partial(Source.parts, layout="identity 32, link 32, mail 32, signature 64"), register.payload)
    one_time = roster.offices[register.signer].signing
    checks.equal("kind and subject", (register.kind, register.subject), (4, little(register.signer, 2)))
    checks.equal("one-time key", one_time.hex(), file["invitation_key"])
    verify, signed = roster.network.verify, register.subject + keys.identity + keys.link + keys.mail
    checks.does("signature of the one-time key", verify, one_time, "enrol", signed, keys.signature)
    checks.does("signature of the new key", verify, keys.identity, "register", register.signed, register.signature)


def check_invitation(checks, file, name):
    content = open_invitation(bytes.fromhex(file[name]), file["invite_code"])
    seed, founding = hexed(file, "invite_seed", "founding")
    checks.equal("seed and founding statement", (content.seed, content.founding), (seed, founding))
    checks.equal("head of the chain", content.roster.head.hex(), file["changes"][-1]["hash"])
    invited = content.roster.offices[content.index]
    signing = nacl.signing.SigningKey(NO_NETWORK.hash("invite-signing", key=seed)).verify_key.encode()
    box = sodium.crypto_scalarmult_base(NO_NETWORK.hash("invite-box", key=seed))
    checks.equal("state and one-time keys", (invited.state, signing, box), (INVITED, invited.signing, invited.box))


def check_refusals(checks, records):
    """That the decoders above can refuse at all."""
    checks.where = "refusals"
    checks.refuses("a varint in a longer form", whole, Source.varint, b"\x80\0")
    checks.refuses("intervals that touch", whole, Source.interval_set, b"\2\0\2\0\0")
    checks.refuses("a field twice", read_message, b"\x10\1\x10\1", "Attachment")
    checks.refuses("a group", read_message, b"\x0b\x0c", "Report")
    network, apk = Network(bytes.fromhex(records["network"])), bytes.fromhex(records["author_identity"])
    vector = next(one for one in records["records"] if "three recipients" in one["name"])
    header, body = whole(read_header, bytes.fromhex(vector["header"])), bytes.fromhex(vector["body"])
    flipped = bytes([body[0] ^ 1]) + body[1:]
    file_key = bytes.fromhex(vector["file_key"])
    checks.refuses("a flipped bit in a body", open_body, network, apk, header, file_key, cut(header, flipped))
    turned = write_header(altered(header, stanzas=header.stanzas[::-1]))
    checks.refuses("recipients out of order", whole, read_header, turned)


def check_files(checks, folder):
    sets, records, registers, roster = (json.loads((folder / f"{name}.json").read_text())
                                        for name in ("interval_sets", "records", "registers", "roster"))
    each = partial(checks.each, "interval_sets.json")
    print("interval_sets.json:", each("interval set", sets, partial(check_interval_set, checks)), "read")

    each = partial(checks.each, "records.json")
    print("records.json:", each("record", records["records"], RecordChecks(checks, records).check), "read")

    each = partial(checks.each, "registers.json")
    counts = [each("register", registers["registers"], partial(check_register, checks, registers)),
              each("custody statement", [registers["custody"]], partial(check_custody, checks, registers))]
    print("registers.json:", ", ".join(counts), "read")

    each, chain = partial(checks.each, "roster.json"), Roster(bytes.fromhex(roster["founding"]))
    counts = [each("roster change", roster["changes"], partial(check_change, checks, chain)),
              each("network", [chain], partial(check_network, checks, roster)),
              each("enrolment", [chain], partial(check_enrolment, checks, roster)),
              each("invitation", ["invite_with_code", "invite_without_code"],
                   partial(check_invitation, checks, roster))]
    print("roster.json:", ", ".join(counts), "read")
    check_refusals(checks, records)


def main(folder):
    checks = Checks()
    checks.where = folder
    checks.does("is read to its end", check_files, checks, Path(folder))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return checks.failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
