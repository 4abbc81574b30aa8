"""WIRE.md 4: registers, what is in them, and custody."""
import re

import nacl.bindings as sodium

from .conventions import (AUTHORITY, FIRST_GROUP, MAX_NUMBER, NO_INDEX, Parts, ascending, little, need, read_signed,
                          Source, whole)
from .messages import read_message
from .network import read_signatures
from .record import read_proof

RECEIPT, OFFICE, EPOCH_SLOTS, ENROLMENT, FORK = range(1, 6)
TRANSPORT = 0xFFFE
LAST_EPOCH = 8192
LAYOUT = ("version u1, signer u2, incarnation incarnation_or_none, counter u6, kind u1, subject bytes8, time u4, "
          "payload bytes16")


def read_register(source):
    start = source.at
    register = source.parts(LAYOUT)
    register.signed = source.data[start:source.at]
    register.signatures = []
    if register.kind == EPOCH_SLOTS:
        register.signatures = read_signatures(source)
        need(register.signer == AUTHORITY and register.incarnation == (0, 0), "epoch slots are of the authority")
    else:
        register.signature = source.take(64)
        need(register.signer < AUTHORITY and register.incarnation[0], "the signer is an office, an incarnation from 1")
    need(register.version == 1 and len(register.subject) <= 64, "version 1, a subject of at most 64 bytes")
    need(source.at - start <= 4096, "at most 4,096 bytes")
    return register


def hash_of_tops(network, ids):
    return network.hash("tops", *ids)[:8] if ids else bytes(8)


def read_receipt(source):
    logs = []
    for _ in range(source.varint()):
        log = source.parts("incarnation incarnation, record_class u1, tops 8, received interval_set, unreadable interval_set")
        need(log.record_class <= 3, "a class to 3")
        log.log = (*log.incarnation, log.record_class)
        log.reasons = source.many(source.unsigned(1), "reason u1, refused interval_set")
        refused = [reason.refused for reason in log.reasons]
        intervals = sorted(sum([log.received, log.unreadable, *refused], []))
        need(all(refused) and all(a[1] < b[0] for a, b in zip(intervals, intervals[1:])), "disjoint sets")
        need(ascending([reason.reason for reason in log.reasons]), "reasons ascend")
        need(log.received or log.unreadable or not any(log.tops), "zeros are the tops of nothing")
        logs.append(log)
    need(len(logs) <= 32 and ascending([log.log for log in logs]), "at most 32 logs, ascending")
    return logs


def read_office(data):
    office = read_message(data, "OfficeStatement")
    need(len(office.prekeys) <= 8 and len(office.endpoints) <= 8, "at most 8 prekeys and endpoints")
    need(len(office.logs) <= 32 and len(office.software) <= 255, "at most 32 logs, software of 255 bytes")
    need(ascending([prekey.epoch for prekey in office.prekeys]), "prekeys ascend")
    for prekey in office.prekeys:
        need(prekey.epoch <= 0xFFFF and len(prekey.key) == 32 and len(prekey.signature) == 64, "a prekey")
    need(office.transport_epoch <= 0xFFFF, "an epoch of 16 bits")
    need(all(map(is_endpoint, office.endpoints)), "tcp://host:port")
    office.logs = [read_own_log(log) for log in office.logs]
    need(ascending([log.log for log in office.logs]), "logs ascend")
    return office


def is_endpoint(data):
    found = re.fullmatch(rb"tcp://[A-Za-z0-9.:_\[\]%-]+:(\d{1,5})", data)
    return bool(found) and 1 <= int(found[1]) <= 65_535 and len(data) <= 255


def read_own_log(log):
    need(log.record_class <= 3, "a class to 3")
    done, withdrawn = (whole(Source.interval_set, one or b"\0") for one in (log.done, log.withdrawn))
    need(all(any(a <= c and d <= b for a, b in done) for c, d in withdrawn), "withdrawn lies within done")
    need(len(log.tip_id) == 8, "a top id of 8 bytes")
    need(all(last < MAX_NUMBER for _, last in done), "the last number is no record's")
    return Parts(log=whole(Source.log, log.incarnation + bytes([log.record_class])), tip=log.tip, tip_id=log.tip_id,
                 done=done, withdrawn=withdrawn)


def read_epoch_slots(register):
    need(register.kind == EPOCH_SLOTS, "epoch slots")
    slots = whole(lambda s: s.parts("group u2, page u1"), register.subject)
    need(FIRST_GROUP <= slots.group < NO_INDEX, "a group, or the transport")
    source = Source(register.payload)
    head = source.parts("epoch u2, roster_version u4, group_key 32, ephemeral 32")
    members = source.many(min(source.varint(), 4096), "office office, prekey_epoch u2, wrapped 32")
    need(not source.left() and members, "at least one slot, nothing follows")
    need(ascending([slot.office for slot in members]), "slots ascend")
    need(register.counter >> 32 == head.epoch, "the counter is of the epoch")
    need(1 <= head.epoch <= LAST_EPOCH and any(head.group_key), "an epoch of the chain, and a key")
    need(slots.group != TRANSPORT or not any(slot.prekey_epoch for slot in members), "the transport is under link keys")
    return Parts(**vars(slots), **vars(head), revision=register.counter % 2**32, slots=members)


def open_slot(network, slots, slot, prekey_secret):
    """The secret of the group's key, from the slot of the office whose prekey it is."""
    shared = sodium.crypto_scalarmult(prekey_secret, slots.ephemeral)
    place = b"".join(little(one, 2) for one in (slots.group, slots.epoch, slot.office, slot.prekey_epoch))
    mask = network.hash("slot", slots.ephemeral, sodium.crypto_scalarmult_base(prekey_secret), place, key=shared)
    secret = bytes(a ^ b for a, b in zip(slot.wrapped, mask))
    need(sodium.crypto_scalarmult_base(secret) == slots.group_key, "the secret of the key that was told")
    return secret


def last_epoch(network, authority_seed, group):
    """The secret of the last epoch that a group can have."""
    return network.hash("epoch-last", little(group, 2), key=authority_seed)


def earlier_epoch(network, secret, group, epoch, earlier):
    for one in range(epoch, earlier, -1):
        secret = network.hash("epoch-before", little(group, 2), little(one, 2), key=secret)
    return secret


def read_enrolment(register):
    need(register.subject == register.signed[1:3], "the subject is the signer")
    return whole(lambda s: s.parts("identity 32, link 32, mail 32, signature 64"), register.payload)


def verify_enrolment(network, one_time, register):
    need(register.kind == ENROLMENT, "an enrolment")
    keys = read_enrolment(register)
    signed = register.subject + keys.identity + keys.link + keys.mail
    network.verify(one_time, "enrol", signed, keys.signature)
    network.verify(keys.identity, "register", register.signed, register.signature)
    return keys


def verify_fork(network, accused_key, register):
    need(register.kind == FORK, "a fork")
    need(not (any(register.signature) or register.time or register.counter), "a fork is unsigned")
    log = whole(Source.log, register.subject)
    need(log[:2] == register.incarnation, "the incarnation is that of the log")
    proofs = whole(lambda s: [read_proof(s), read_proof(s)], register.payload)
    ids = [network.hash("record-id", proof.signed) for proof in proofs]
    runs = [proof.key_part for proof in proofs]
    for proof, proven, run in zip(proofs, ids, runs):
        network.verify(accused_key, "record", proven, proof.signature)
        need(run.author == register.signer, "proofs of the accused office")
        need(run.incarnation + bytes([run.record_class]) == register.subject, "proofs of one log")
    need(ascending(ids), "proofs ascend by id")
    need(all(a.number < b.number + b.count for a, b in (runs, runs[::-1])), "runs overlap")
    return runs


def read_custody(source):
    custody = read_signed(source, "signer office, incarnation incarnation, counter u6, author office, time u4, "
                                  "logs held_logs")
    need(all(log.held for log in custody.logs), "no empty set")
    need(len(custody.logs) <= 32 and ascending([log.log for log in custody.logs]), "at most 32 logs, ascending")
    need(sum(len(log.held) for log in custody.logs) <= 2048, "at most 2,048 runs")
    return custody
