"""Reads the test vectors without any code of fieldpost.

Goal: show that proto/WIRE.md and the .proto files are enough to read what offices keep and exchange,
and notice when a byte of it changes. Method: the modules in reader/ are written from that page alone;
what the page does not allow raises Refused. Each vector is taken apart to its last byte, every hash and
signature in it is computed again, every secret that the file gives opens what it is for; and of each
pair in refused.json one is read and the other refused.

Usage: read_vectors.py <directory of the vectors>
"""
import json
import sys
from functools import partial
from pathlib import Path

import nacl.bindings as sodium
import nacl.signing

from reader import meanings
from reader.checks import Checks, hexed, plain
from reader.conventions import NO_NETWORK, Network, Source, little, whole, write_container, write_interval_set
from reader.frames import (bucket_fingerprint, digest, frames_of, leaf_fingerprint, leaf_hash, read_frame, read_leaf,
                           registers_hash)
from reader.bundle import read_bundle
from reader.invitation import open_beacon, open_invitation
from reader.network import INVITED, Roster, fingerprint, follow_chain, read_change
from reader.record import (cut, hash_body, hash_pieces, hash_record, open_pieces, read_foreign, read_header,
                           read_key_part, restore_header, unwrap, write_header)
from reader.register import (earlier_epoch, ENROLMENT, EPOCH_SLOTS, FORK, hash_of_tops, last_epoch, LAST_EPOCH, OFFICE,
                             open_slot, read_custody, read_epoch_slots, read_office, read_receipt, read_register, TRANSPORT,
                             verify_enrolment, verify_fork)
from reader.report import check_kind, read_body, read_report, read_resend, read_units, report_hash


def check_interval_set(checks, vector):
    intervals = [tuple(interval) for interval in vector["intervals"]]
    set_bytes, container = hexed(vector, "set", "container")
    checks.equal("set, read", whole(Source.interval_set, set_bytes), intervals)
    checks.equal("set, written", write_interval_set(intervals), set_bytes)
    checks.equal("container, read", whole(Source.container, container), intervals)
    checks.equal("container, written", write_container(intervals), container)


def check_container(checks, vector):
    container, = hexed(vector, "container")
    checks.equal(vector["name"], plain(whole(Source.container, container)), vector["intervals"])


class RecordChecks:
    """Checks records one after the other; remembers the last one, and that of each log."""

    def __init__(self, checks, file):
        self.checks, self.last_of_log, self.last = checks, {}, None
        self.network, self.codecs = Network(bytes.fromhex(file["network"])), set()

    def check(self, vector):
        encoded, body, signature, record_id = hexed(vector, "header", "body", "signature", "id")
        apk, = hexed(vector, "author_identity")
        header = whole(read_header, encoded)
        self.check_header(vector, header, encoded)
        pieces = cut(header, body)
        hashes = hash_pieces(self.network, pieces)
        self.checks.equal("piece hashes", plain(hashes), vector["piece_hashes"])
        body_hash = hash_body(self.network, hashes)
        self.checks.equal("body hash", body_hash.hex(), vector["body_hash"])
        self.checks.equal("id", hash_record(self.network, encoded, body_hash), record_id)
        self.checks.does("signature", self.network.verify, apk, "record", record_id, signature)
        self.check_content(vector, header, pieces, apk)
        self.last = self.last_of_log[header.author, header.incarnation, header.record_class] = header, record_id

    def check_header(self, vector, header, encoded):
        self.checks.equal("header, written", write_header(header), encoded)
        group = 0 if header.roster_version is None else 4
        size = 112 + 20 * len(header.stanzas) + group + len(header.extension)
        self.checks.equal("size of the header", len(encoded), size)
        before = self.last_of_log.get((header.author, header.incarnation, header.record_class))
        self.checks.equal("prev", header.prev, before[1][:16] if before else bytes(16))
        for name, neighbour in (("elided_first", ()), ("elided_after_its_predecessor", before),
                                ("elided_after_the_record_above", self.last)):
            self.checks.equal(f"{name}: is there", name in vector, neighbour is not None)
            if neighbour is not None:
                elided, = hexed(vector, name)
                restored = whole(lambda source, known=neighbour: restore_header(source, *known), elided)
                self.checks.equal(name, restored, header)

    def check_content(self, vector, header, pieces, apk):
        secret, = hexed(vector, "reader_prekey_secret")
        file_key = unwrap(self.network, apk, header, vector["reader"], vector["reader_epoch"], secret)
        self.checks.equal("file key", file_key.hex(), vector["file_key"])
        for group in vector.get("groups", []):
            got = unwrap(self.network, apk, header, group["index"], group["epoch"], *hexed(group, "key"))
            self.checks.equal("file key, from a group's", got, file_key)
        units = read_body(open_pieces(self.network, apk, header, file_key, pieces), header.count)
        self.codecs.add(units[0].codec)
        self.checks.equal("codec", units[0].codec, vector["codec"])
        attachments = b"".join(sum([unit.attachments for unit in units], []))
        attachments_hash = self.network.hash("attachment", attachments)  # of all together
        self.checks.equal("attachments", attachments_hash.hex(), vector["attachments_hash"])
        self.checks.equal("number of reports", len(units), len(vector["reports"]))
        for number, (unit, expected) in enumerate(zip(units, vector["reports"]), header.number):
            self.check_report(vector, header, number, unit, expected)

    def check_report(self, vector, header, number, unit, expected):
        own = header.incarnation + bytes([header.record_class]) + little(number, 4)
        origin = unit.origin or own
        got = {"bytes": unit.report.hex(), "hash": report_hash(self.network, header.author, origin, unit).hex(),
               "origin": origin.hex(), "text": unit.parsed.text.decode()}
        for name, value in expected.items():
            self.checks.equal(f"report, {name}", got[name], value)
        self.checks.does("what its kind says", check_kind, header.record_class, header.kind, unit)
        if unit.parsed.resend:
            request = whole(read_resend, unit.parsed.resend)
            self.checks.does("signature of the request", self.network.verify, *hexed(vector, "author_mail"),
                             "resend", request.signed, request.signature)


def check_version_2(checks, network, vector):
    encoded, body_hash, record_id, apk, signature, entry = hexed(
        vector, "header", "body_hash", "id", "author_identity", "signature", "in_a_frame")
    checks.refuses("a header of version 2", whole, read_header, encoded)
    part = read_key_part(Source(encoded))
    checks.equal("numbers", (part.number, part.number + part.count - 1),
                 (vector["first_number"], vector["last_number"]))
    checks.equal("id", hash_record(network, encoded, body_hash), record_id)
    checks.does("signature", network.verify, apk, "record", record_id, signature)
    checks.equal("key part in a frame", read_foreign(Source(entry)), part)


def check_register(checks, file, vector):
    identity, mail, network_id = hexed(file, "identity", "mail", "network")
    network, register = Network(network_id), whole(read_register, bytes.fromhex(vector["bytes"]))
    got = {"at": register.time, "counter": register.counter, "kind": register.kind, "name": vector["name"],
           "incarnation": register.incarnation, "payload": register.payload, "signer": register.signer,
           "subject": register.subject, "hash": network.hash("register-id", register.signed),
           "means": meanings.register(register)}
    checks.equal("words", sorted(got), sorted(set(vector) - {"bytes"}))
    for name, value in plain(got).items():
        checks.equal(name, value, vector[name])
    if register.kind == EPOCH_SLOTS:
        checks.does("signatures", Roster(*hexed(file, "founding")).verify, "register", register)
        slots = read_epoch_slots(register)
        names = (("transport_secret", "slot_link_secrets") if slots.group == TRANSPORT else
                 ("group_secret", "slot_prekey_secrets"))
        secret, keys = *hexed(file, names[0]), file[names[1]]
        checks.equal("number of slots", len(slots.slots), len(keys))
        for slot, prekey in zip(slots.slots, keys):
            checks.equal("slot", open_slot(network, slots, slot, bytes.fromhex(prekey)), secret)
    elif register.kind == ENROLMENT:
        checks.does("enrolment", verify_enrolment, network, *hexed(file, "one_time_key"), register)
    elif register.kind == FORK:
        checks.does("fork", verify_fork, network, identity, register)
    else:
        checks.does("signature", network.verify, identity, "register", register.signed, register.signature)
    if register.kind == OFFICE:
        for prekey in read_office(register.payload).prekeys:
            signed = little(register.signer, 2) + little(prekey.epoch, 2) + prekey.key
            checks.does("prekey signature", network.verify, mail, "prekey", signed, prekey.signature)


def check_tops(checks, network, vector):
    ids = [bytes.fromhex(one) for one in vector["ids"]]
    checks.equal("hash of tops", hash_of_tops(network, ids).hex(), vector["tops"])


def check_custody(checks, file, vector):
    identity, network_id = hexed(file, "identity", "network")
    custody = whole(read_custody, bytes.fromhex(vector["bytes"]))
    checks.equal("means", plain(meanings.custody(custody)), vector["means"])
    checks.does("signature", Network(network_id).verify, identity, "custody", custody.signed, custody.signature)


def check_change(checks, roster, vector):
    whole(roster.apply, bytes.fromhex(vector["bytes"]))
    checks.equal("hash", roster.head.hex(), vector["hash"])


def check_network(checks, file, roster):
    checks.equal("network id", roster.network.id.hex(), file["network"])
    offices = [plain(meanings.roster_office(i, one)) for i, one in sorted(roster.offices.items())]
    checks.equal("offices", offices, file["offices"])
    people = file["fingerprint"]
    got = fingerprint(roster.network, *hexed(people, "identity", "link", "mail"))
    checks.equal("fingerprint", got, people["text"])


def check_enrolment(checks, file, roster):
    register = whole(read_register, bytes.fromhex(file["enrolment"]))
    one_time = roster.offices[register.signer].signing
    checks.equal("one-time key", one_time.hex(), file["invitation_key"])
    checks.does("enrolment", verify_enrolment, roster.network, one_time, register)


def check_invitation(checks, file, name):
    content = open_invitation(bytes.fromhex(file[name]), file["invite_code"])
    seed, founding = hexed(file, "invite_seed", "founding")
    checks.equal("seed and founding statement", (content.seed, content.founding), (seed, founding))
    checks.equal("head of the chain", content.roster.head.hex(), file["changes"][-1]["hash"])
    invited = content.roster.offices[content.index]
    signing = nacl.signing.SigningKey(NO_NETWORK.hash("invite-signing", key=seed)).verify_key.encode()
    box = sodium.crypto_scalarmult_base(NO_NETWORK.hash("invite-box", key=seed))
    checks.equal("state and one-time keys", (invited.state, signing, box), (INVITED, invited.signing, invited.box))


def check_frame(checks, network, vector):
    kind, content = read_frame(bytes.fromhex(vector["bytes"]))
    checks.equal(f"{vector['name']}: type", kind, vector["type"])
    checks.equal(f"{vector['name']}: means", plain(meanings.frame(kind, content, network)), vector["means"])


def check_differences(checks, network, told):
    leaves = read_frame(bytes.fromhex(told["summary"]))[1].leaves
    hashes = [leaf_hash(network, leaf) for leaf in leaves]
    secret, peer = hexed(told, "link_secret", "peer_link")
    number = told["fingerprint_number"]
    in_one_bucket = [(64 * leaf.office, one) for leaf, one in zip(leaves, hashes)]
    checks.equal("bucket fingerprint", bucket_fingerprint(network, secret, peer, number, in_one_bucket).hex(),
                 told["bucket_of_all_were_they_64_apart"])
    for leaf, vector in zip(leaves, told["leaves"]):
        checks.equal("hash of all registers", registers_hash(network, leaf).hex(), vector["registers_hash"])
    for one, vector in zip(hashes, told["leaves"]):
        checks.equal("leaf hash", one.hex(), vector["hash"])
        got = leaf_fingerprint(network, secret, peer, number, one)
        checks.equal("leaf fingerprint", got.hex(), vector["fingerprint"])
    checks.equal("number of leaves", len(hashes), len(told["leaves"]))
    checks.equal("digest", digest(network, [(leaf.office, one) for leaf, one in zip(leaves, hashes)]).hex(), told["digest"])


def readers_of(file):
    """{object: what reads it whole or refuses it}"""
    network_id, identity, one_time = hexed(file, "network", "identity", "one_time_key")
    network = Network(network_id)

    def register(then):
        return lambda data: then(whole(read_register, data))

    return {
        "varint": partial(whole, Source.varint), "interval set": partial(whole, Source.interval_set),
        "container": partial(whole, Source.container), "header": partial(whole, read_header),
        "elided header": partial(whole, restore_header), "report": read_report,
        "body": lambda data: read_body(data, 1),
        "kind": lambda data: [check_kind(*data[:2], unit) for unit in read_units(data[2:], 1)],
        "register": register(lambda read: read),
        "epoch slots": register(read_epoch_slots), "receipt": partial(whole, read_receipt), "office": read_office,
        "custody": partial(whole, read_custody), "enrolment": register(partial(verify_enrolment, network, one_time)),
        "fork": register(partial(verify_fork, network, identity)), "frame": read_frame,
        "leaf": lambda data: read_leaf(Source(data), 1),
        "message": frames_of,
        "invitation": open_invitation, "founding": Roster, "roster change": partial(whole, read_change),
        "roster": follow_chain}


def check_pair(checks, readers, pair):
    letters = pair.get("letters_behind", {})
    good, bad = (bytes.fromhex(pair[name]) + b"a" * letters.get(name, 0) for name in ("good", "bad"))
    read, what = readers[pair["object"]], f"{pair['object']}: {pair['why']}"
    checks.does(f"{what}: without", read, good)
    checks.refuses(what, read, bad)


def check_records(checks, records):
    each, network = partial(checks.each, "records.json"), Network(bytes.fromhex(records["network"]))
    of_records = RecordChecks(checks, records)
    counts = [each("record", records["records"], of_records.check),
              each("header of another version", [records["version_2"]], partial(check_version_2, checks, network))]
    checks.equal("every codec", of_records.codecs, {0, 1, 2})
    print("records.json:", ", ".join(counts), "read")


def check_roster(checks, roster):
    each, chain = partial(checks.each, "roster.json"), Roster(bytes.fromhex(roster["founding"]))
    other = Roster(bytes.fromhex(roster["two_of_three"]["founding"]))
    counts = [each("roster change", roster["changes"], partial(check_change, checks, chain)),
              each("change by two of three", roster["two_of_three"]["changes"], partial(check_change, checks, other)),
              each("network", [chain], partial(check_network, checks, roster)),
              each("enrolment", [chain], partial(check_enrolment, checks, roster)),
              each("invitation", ["invite_with_code", "invite_without_code"],
                   partial(check_invitation, checks, roster))]
    checks.equal("id of the other network", other.network.id.hex(), roster["two_of_three"]["network"])
    print("roster.json:", ", ".join(counts), "read")


def check_frames(checks, frames):
    each, network = partial(checks.each, "frames.json"), Network(bytes.fromhex(frames["network"]))
    counts = [each("frame", frames["frames"], partial(check_frame, checks, network)),
              each("set of differences", [frames["differences"]],
                   partial(check_differences, checks, network))]
    checks.equal("frames of a message", [one.hex() for one in frames_of(bytes.fromhex(frames["message"]["bytes"]))],
                 frames["message"]["frames"])
    checks.refuses("a type of a later release", read_frame, bytes.fromhex(frames["unknown_frame"]))
    print("frames.json:", ", ".join(counts), "read")


def check_epoch(checks, file, vector):
    (network_id,), epochs = hexed(file, "network"), file["epochs"]
    network, group = Network(network_id), epochs["group"]
    last = last_epoch(network, bytes.fromhex(epochs["authority_seed"]), group)
    checks.equal("secret", earlier_epoch(network, last, group, LAST_EPOCH, vector["epoch"]).hex(), vector["secret"])


def check_beacon(checks, beacons, vector):
    epoch = vector["epoch"]
    network, (key, sender, call) = Network(bytes.fromhex(beacons["network"])), (
        bytes.fromhex(text)
        for text in (beacons["transport_secret" if epoch else "founding_key"], vector["sender"], vector["bytes"]))
    checks.equal("office and port", open_beacon(network, epoch, key, call, sender), (vector["office"], vector["port"]))
    checks.refuses("from elsewhere", open_beacon, network, epoch, key, call, bytes(16))


def check_bundle(checks, bundles, vector):
    network, key, data = (Network(bytes.fromhex(bundles["network"])), bytes.fromhex(bundles["founding_key"]),
                          bytes.fromhex(vector["bytes"]))
    transport = bundles["transport"]
    read = read_bundle(network, key, data, transport["epoch"], bytes.fromhex(transport["secret"]))
    checks.equal("cells", [{"part": part, "content": content.hex()} for part, content in read.cells], vector["cells"])
    checks.equal("whole", read.whole, True)
    checks.equal("nothing by another key", read_bundle(network, bytes(32), data).cells, [])


def check_files(checks, folder):
    sets, records, registers, roster, frames, beacons, bundles, refused = (
        json.loads((folder / f"{name}.json").read_text())
        for name in ("interval_sets", "records", "registers", "roster", "frames", "beacons", "bundles", "refused"))
    each = partial(checks.each, "interval_sets.json")
    counts = [each("interval set", sets["sets"], partial(check_interval_set, checks)),
              each("container", sets["containers_of_other_writers"], partial(check_container, checks))]
    print("interval_sets.json:", ", ".join(counts), "read")
    check_records(checks, records)
    each = partial(checks.each, "registers.json")
    counts = [each("register", registers["registers"], partial(check_register, checks, registers)),
              each("epoch", registers["epochs"]["epochs"], partial(check_epoch, checks, registers)),
              each("hash of tops", registers["hashes_of_tops"],
                   partial(check_tops, checks, Network(bytes.fromhex(registers["network"])))),
              each("custody statement", [registers["custody"]], partial(check_custody, checks, registers))]
    print("registers.json:", ", ".join(counts), "read")
    check_roster(checks, roster)
    check_frames(checks, frames)
    print("beacons.json:", checks.each("beacons.json", "beacon", beacons["beacons"],
                                       partial(check_beacon, checks, beacons)), "read")
    print("bundles.json:", checks.each("bundles.json", "bundle", bundles["bundles"],
                                       partial(check_bundle, checks, bundles)), "read")
    readers = readers_of(refused)
    pairs = checks.each("refused.json", "pair", refused["pairs"], partial(check_pair, checks, readers))
    objects = {pair["object"] for pair in refused["pairs"]}
    checks.equal("an object without a pair", set(readers) - objects, set())
    print("refused.json:", pairs, "read and refused")


def main(folder):
    checks = Checks()
    checks.where = folder
    checks.does("is read to its end", check_files, checks, Path(folder))
    print(f"{checks.passed} passed, {checks.failed} failed")
    return checks.failed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
