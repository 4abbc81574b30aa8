"""WIRE.md 3: headers, ids, elision and the seal."""
import nacl.bindings as sodium

from .conventions import (AUTHORITY, FIRST_GROUP, MAX_NUMBER, NO_INDEX, Parts, Source, ascending, is_group, little,
                          need, read_signed, unseal, write_parts)
from .messages import read_message

SEGMENT, TAG = 16_384, 16
KEY_PART = "version u1, author u2, incarnation 6, record_class u1, number u4, count u1"
FIXED = (KEY_PART + ", flags u1, kind u1, prev 16, created u4, lifetime u4, body_size u4, ephemeral 32, "
         "commitment 32")
RECIPIENT = "index u2, epoch u2"
STANZA = RECIPIENT + ", wrapped 16"


def altered(parts, **values):
    return Parts(**{**vars(parts), **values})


def checked_key_part(part):
    Source(part.incarnation + bytes([part.record_class])).log()
    need(part.author < AUTHORITY and part.number >= 1 and 1 <= part.count <= 64, "an author, numbers from 1")
    need(part.number + part.count - 1 < MAX_NUMBER, "the last number is no record's")
    return part


def read_key_part(source):
    return checked_key_part(source.parts(KEY_PART))


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
    checked_key_part(header)
    need(0 <= header.created <= MAX_NUMBER and 1 <= header.lifetime <= 31_536_000, "times")
    indexes = [stanza.index for stanza in header.stanzas]
    need(1 <= len(indexes) <= 64 and ascending(indexes), "1 to 64 recipients, ascending, none twice")
    need(AUTHORITY not in indexes and NO_INDEX not in indexes, "recipients are offices or groups")
    need((header.roster_version is not None) == is_group(indexes[-1]), "a roster version if there is a group")
    need(header.body_size <= (64 << 20 if header.record_class >= 2 else 256 << 10), "a body within its limit")
    need(header.count == 1 or header.body_size <= 8192 + TAG, "a run within its limit")
    need(piece_sizes(header.body_size)[-1] > TAG, "a last piece has something in it")
    need(len(write_header(header)) <= 4096, "at most 4,096 bytes")
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


def read_foreign(source):
    """The key part of an entry in a frame that is of another version; all else is its own."""
    need(source.unsigned(2) == 1, "bit 0 and no other")
    part = read_key_part(source)
    need(part.version != 1, "another version")
    return part


def read_proof(source):
    proof = read_signed(source, "key 15, rest 32, body 32")
    proof.key_part = read_key_part(Source(proof.key))
    return proof


def piece_sizes(size):
    return [size] if size <= 2 * SEGMENT else [min(SEGMENT, size - start) for start in range(0, size, SEGMENT)]


def cut(header, body):
    need(len(body) == header.body_size, "a body is as long as its header says")
    source = Source(body)
    return [source.take(size) for size in piece_sizes(len(body))]


def hash_pieces(network, pieces):
    return [network.hash("body" if len(pieces) == 1 else "segment", piece) for piece in pieces]


def hash_body(network, hashes):
    return hashes[0] if len(hashes) == 1 else network.hash("segments", *hashes)


def hash_record(network, encoded, body_hash):
    return network.hash("record-id", encoded[:15], network.hash("record-header", encoded[15:]), body_hash)


def core_of(header):
    blank = [altered(stanza, wrapped=bytes(16)) for stanza in header.stanzas]
    return write_header(altered(header, prev=bytes(16), commitment=bytes(32), stanzas=blank))


def unwrap(network, apk, header, index, epoch, secret):
    """`secret` is that of the office's prekey or of the group's key."""
    wrapped, = [stanza.wrapped for stanza in header.stanzas if (stanza.index, stanza.epoch) == (index, epoch)]
    need(len(secret) == 32, "a secret of 32 bytes")
    shared = sodium.crypto_scalarmult(secret, header.ephemeral)  # refuses a result of zeros
    prekey = sodium.crypto_scalarmult_base(secret)
    mask = network.hash("wrap", apk, header.ephemeral, prekey, little(index, 2), little(epoch, 2), core_of(header),
                        key=shared)
    file_key = bytes(a ^ b for a, b in zip(wrapped, mask))
    need(header.commitment == network.hash("commit", apk, core_of(header), key=file_key), "the key committed to")
    return file_key


def open_pieces(network, apk, header, file_key, pieces):
    key = network.hash("payload", apk, core_of(header), key=file_key)
    associated = network.hash("ad", apk, write_header(altered(header, prev=bytes(16))))
    nonces = [little(i, 4) + bytes([i == len(pieces) - 1]) + bytes(19) for i in range(len(pieces))]
    return b"".join(unseal(piece, associated, nonce, key) for piece, nonce in zip(pieces, nonces))
