"""WIRE.md 6: frames, and the hashes by which two offices find their differences."""
import nacl.bindings as sodium

from .conventions import Parts, Refused, Source, little, need, several, sized, varint, write_interval_set
from .messages import read_message
from .network import read_change
from .record import read_proof
from .register import read_custody, read_register

MAX_FRAME = 65 * 1024
SEVERAL, MAX_SEVERAL = 17, 1406  # a message of frames, and its bytes


def read_frame(data):
    """(type, content)"""
    need(len(data) <= MAX_FRAME, "at most 65 KiB")
    source = Source(data)
    kind = source.unsigned(1)
    if kind not in FRAMES:
        raise Refused("a type of a later release")
    content = FRAMES[kind](source)
    need(not source.left(), "nothing follows")
    return kind, content


def frames_of(message):
    """What came over a link at once: one frame, or several."""
    if message[0] != SEVERAL:
        return [message]
    need(len(message) <= MAX_SEVERAL, "several frames fit one TCP segment")
    frames = several(Source.sized, Source(message[1:]))
    need(len(frames) >= 2 and all(one and one[0] != SEVERAL for one in frames), "two or more, none of them several")
    return frames


def read_hello(source):
    hello = read_message(source.rest(), "Hello")
    need(len(hello.roster_head) == 8 and len(hello.digest) == 16, "a head of 8 bytes, a digest of 16")
    prints = hello.leaf_fingerprints
    need(len(prints) % 4 == 0, "4 bytes for each index")
    hello.leaf_fingerprints = [prints[i:i + 4] for i in range(0, len(prints), 4)]
    prints = hello.bucket_fingerprints
    need(len(prints) in (0, 64 * 4), "none, or 4 bytes for each of 64 buckets")
    hello.bucket_fingerprints = [prints[i:i + 4] for i in range(0, len(prints), 4)]
    hello.record_bytes_max = min(hello.record_bytes_max or 64 << 20, 64 << 20)
    return hello


def read_summary(source):
    first = source.unsigned(1)
    form, part = first & 3, first & 12
    need(form <= 2 and part != 12 and first < 12 and (part != 4 or form == 2), "whole or not, or to be gone on with")
    if part:
        return Parts(whole=form == 1, more=form == 2, leaves=[],
                     part=Parts(office=source.unsigned(2), is_last=part == 8, bytes=source.rest()))
    leaves, office = [], -1
    while source.left():
        office += source.varint() + 1
        need(office <= 0xFFFF, "an index of two bytes")
        leaves.append(read_leaf(Source(source.sized()), office))
    return Parts(whole=form == 1, more=form == 2, leaves=leaves, part=None)


def read_leaf(source, office):
    """What follows behind it is of a later release."""
    head = source.varint()
    form = head >> 1 & 3
    need(form < 3 and head >> 3 <= 32, "a known form, at most 32 logs")
    logs = [read_log(source) for _ in range(head >> 3)]
    registers = [] if form == 1 else source.many(source.varint(), "kind u1, subject sized, "
                                                 "incarnation incarnation_or_none, counter u6, hash 8")
    need(all(len(one.subject) <= 64 for one in registers), "a subject of at most 64 bytes")
    need(all(len(log.numbers) <= 1024 for log in logs), "at most 1,024 intervals")
    all_registers = source.take(5) if form else None
    return Parts(office=office, logs=logs, registers=registers, all_registers=all_registers, closed=head & 1)


def read_log(source):
    incarnation, record_class = source.incarnation(), source.unsigned(1)
    need(record_class & 0x7F <= 3, "a class to 3")
    log = Parts(incarnation=incarnation, record_class=record_class & 0x7F, numbers=source.container(), partials=[])
    if record_class & 0x80:
        log.partials = source.many(source.varint(), "number u4, id 8, checked container, part varint32, "
                                                    "part_bytes varint32")
    return log


def read_chunk(source):
    chunk = source.parts("stream varint32, part varint32, offset varint32")
    chunk.bytes = source.rest()
    need(chunk.part >= 1 and chunk.bytes, "a part from 1, at least one byte")
    return chunk


def read_leaf_fingerprints(source):
    buckets, prints = source.unsigned(8), []
    while source.left():
        prints.append(source.take(3))
    return Parts(buckets=buckets, fingerprints=prints)


def read_bundle_head(source):
    head = source.parts("writer u2, incarnation incarnation, counter u6, time u4, roster_version u4, flags u1")
    head.targets = [source.unsigned(2) for _ in range(source.varint())]
    need(all(a < b for a, b in zip(head.targets, head.targets[1:])), "offices ascend")
    need(max([head.writer, *head.targets]) < 0xFEFF, "by and for offices")
    head.summary, head.signature = source.take(32), source.take(64)
    return head


def of(layout):
    return lambda source: source.parts(layout)


FRAMES = {
    1: read_hello,
    2: lambda source: several(read_change, source),
    3: read_summary,
    4: lambda source: several(read_register, source),
    5: lambda source: several(Source.sized, source),
    6: of("stream varint32, elided sized, signature 64, body_hash 32"),
    7: of("stream varint32, id 32"),
    8: read_chunk,
    9: of("stream varint32, reason u1"),
    10: Source.varint,
    11: lambda source: source.take(16),
    12: read_custody,
    13: of("author u2, log log, number u4"),
    14: read_proof,
    15: read_leaf_fingerprints,
    16: read_bundle_head}


def leaf_hash(network, leaf):
    """Of a leaf as a summary tells it, told in ascending order."""
    logs = [incarnation(log.incarnation) + bytes([log.record_class]) + write_interval_set(log.numbers)
            for log in leaf.logs if log.numbers]
    return network.hash("leaf", little(leaf.office, 2), varint(2 * len(logs) + leaf.closed), *logs, *register_list(leaf))


def registers_hash(network, leaf):
    return network.hash("leaf-registers", *register_list(leaf))[:5]


def register_list(leaf):
    return [varint(len(leaf.registers))] + [
        bytes([one.kind]) + sized(one.subject) + incarnation(one.incarnation) + little(one.counter, 6) + one.hash
        for one in leaf.registers]


def incarnation(value):
    return little(value[0], 2) + little(value[1], 4)


def digest(network, leaves):
    """Of [(index, leaf hash)], ascending."""
    return network.hash("digest", *[little(index, 2) + one for index, one in leaves])[:16]


def leaf_fingerprint(network, link_secret, peer_link, number, one_leaf_hash):
    shared = sodium.crypto_scalarmult(link_secret, peer_link)
    return network.hash("leaf-fingerprint", little(number, 4), one_leaf_hash, key=shared)[:4]


def bucket_fingerprint(network, link_secret, peer_link, number, leaves):
    """Of [(index, leaf hash)] of one bucket, ascending."""
    shared = sodium.crypto_scalarmult(link_secret, peer_link)
    parts = [little(index, 2) + one for index, one in leaves]
    return network.hash("bucket-fingerprint", little(number, 4), *parts, key=shared)[:4]
