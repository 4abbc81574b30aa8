"""WIRE.md 5: the invitation file."""
import re

import nacl.pwhash.argon2id

from .conventions import NO_NETWORK, Source, little, need, unseal, whole
from .network import Roster
from .register import read_register


def open_invitation(data, code=""):
    source = Source(data)
    head = source.parts("magic 8, version u1, has_code u1, passes u4, memory_kib u4, salt 16")
    associated, nonce = data[:source.at], source.take(24)
    need(head.magic == b"fpinvite" and head.version == 1, "an invitation file of version 1")
    need(head.has_code <= 1, "with a code or without")
    need(2 <= head.passes <= 20 and 65_536 <= head.memory_kib <= 2**20, "work within bounds")
    if head.has_code:
        code = re.sub("[- ]", "", code).upper().translate(str.maketrans("OIL", "011")).encode()
        key = nacl.pwhash.argon2id.kdf(32, code, head.salt, head.passes, head.memory_kib * 1024)
    else:
        key = NO_NETWORK.hash("invite-open", head.salt)
    return whole(read_content, unseal(source.rest(), associated, nonce, key))


def read_content(source):
    content = source.parts("seed 32, founding_key 32, index u2, founding sized")
    content.roster = Roster(content.founding)
    for _ in range(source.varint()):
        content.roster.apply(source)
    content.registers = [read_register(source) for _ in range(source.varint())]
    founding_key_hash = NO_NETWORK.hash("founding-key", content.founding_key)
    need(founding_key_hash == content.roster.founding_key_hash, "the network's founding key")
    return content


def open_beacon(network, epoch, secret, data, sender):
    """The office that calls, and its port. The secret of epoch 0 is the founding key."""
    need(len(data) == 36, "36 bytes")
    key = network.hash("beacon-key", little(epoch, 2), key=secret)
    mask = network.hash("beacon-mask", data[:16], key=key)
    content = bytes(a ^ b for a, b in zip(data[16:20], mask))
    need(network.hash("beacon", data[:16], content, sender, key=key)[:16] == data[20:], "the tag of its sender")
    return int.from_bytes(content[:2], "little"), int.from_bytes(content[2:], "little")
