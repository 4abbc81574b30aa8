"""WIRE.md 2: the founding statement, the chain of roster changes and fingerprints."""
import re

from .conventions import (AUTHORITY, NO_INDEX, NO_NETWORK, Network, Parts, Source, ascending, need,
                          whole)

INVITED, ACTIVE, RETIRING, RETIRED, REVOKED, CANCELLED = range(6)
LIVE = INVITED, ACTIVE, RETIRING
ADMIT, INVITE, CANCEL, REVOKE, RETIRE, JOIN_HEADS = range(1, 7)
STATEMENTS = {
    ADMIT: "index office, role role, first_ordinal ordinal, identity 32, link 32, mail 32, "
           "replaces office_or_none, name name",
    INVITE: "index office, role role, first_ordinal ordinal, signing 32, box 32, expires u4, "
            "replaces office_or_none, name name",
    CANCEL: "index office",
    REVOKE: "index office, cut_off cut_off, reason text8",
    RETIRE: "index office, successor office_or_none, cut_off closed",
    JOIN_HEADS: "head 32"}


class RosterSource(Source):
    """What only roster statements hold."""

    def office_or_none(self):
        index = self.unsigned(2)
        need(index < AUTHORITY or index == NO_INDEX, "an index that names an office, or none")
        return index

    def role(self):
        role = self.unsigned(1)
        need(role <= 2, "field, relay or hq")
        return role

    def ordinal(self):
        ordinal = self.unsigned(2)
        need(ordinal >= 1, "an ordinal from 1")
        return ordinal

    def name(self):
        name = self.text8()
        need(re.fullmatch("[a-z][a-z0-9-]{0,31}", name) and name[-1] != "-" and "--" not in name
             and not re.search("-[ubr]?[0-9]+$", name), "a name")
        return name

    def cut_off(self):
        logs = self.many(self.varint(), "log log, last u4, id 32")
        need(ascending([log.log for log in logs]), "logs ascend")
        need(all(log.last < 2**32 - 1 for log in logs), "no record has the number 2^32 - 1")
        return Parts(logs=logs, **vars(self.parts("incarnation incarnation_or_none, counter u6")))

    def closed(self):
        closed = self.unsigned(1)
        need(closed <= 1, "retiring or retired")
        return self.cut_off() if closed else None


def read_signatures(source):
    signatures = source.many(source.unsigned(1), "key u1, signature 64")
    need(1 <= len(signatures) <= 16, "1 to 16 signatures")
    need(ascending([one.key for one in signatures]), "key numbers ascend")
    return signatures


def read_founding(source):
    start = source.at
    founding = source.parts("version u1, name text8, time u4, threshold u1")
    need(founding.version == 1, "version 1")
    need(1 <= len(founding.name.encode()) <= 64, "a name of 1 to 64 bytes")
    founding.keys = [source.take(32) for _ in range(source.unsigned(1))]
    need(1 <= len(founding.keys) <= 16 and len(set(founding.keys)) == len(founding.keys), "1 to 16 distinct keys")
    need(1 <= founding.threshold <= len(founding.keys), "a threshold of 1 to the number of keys")
    founding.founding_key_hash = source.take(32)
    founding.signed = source.data[start:source.at]
    founding.signatures = read_signatures(source)
    return founding


def read_change(source):
    start = source.at
    change = source.parts("version u1, roster_version u4, before 32, time u4")
    statements = source.many(source.unsigned(1), "type u1, payload bytes16")
    change.signed = source.data[start:source.at]
    change.signatures = read_signatures(source)
    need(change.version == 1 and change.roster_version >= 1 and statements, "version 1, at least one statement")
    need(source.at - start <= 16_384, "at most 16 KiB")
    known = [one for one in statements if one.type in STATEMENTS]
    change.statements = [(one.type, read_statement(one)) for one in known]
    return change


def read_statement(one):
    source = RosterSource(one.payload)
    parts = source.parts(STATEMENTS[one.type])
    need(not source.left(), "nothing follows")
    return vars(parts)


class Roster:
    def __init__(self, statement):
        founding = whole(read_founding, statement)
        self.threshold, self.keys = founding.threshold, founding.keys
        self.founding_key_hash = founding.founding_key_hash
        self.network, self.version, self.head, self.offices = NO_NETWORK, 0, bytes(32), {}
        self.verify("founding", founding)
        self.network = Network(NO_NETWORK.hash("founding", founding.signed))

    def verify(self, label, message):
        """Authority signatures: each is good, and they are enough."""
        need(len(message.signatures) >= self.threshold, "enough signatures")
        for one in message.signatures:
            need(one.key < len(self.keys), "a key of the founding statement")
            self.network.verify(self.keys[one.key], label, message.signed, one.signature)

    def apply(self, source):
        change = read_change(source)
        self.verify("roster", change)
        need(change.roster_version == self.version + 1 and change.before == self.head, "the next of the chain")
        for statement, parts in change.statements:
            self.follow(statement, **parts)
        for statement, parts in change.statements:
            replaced = self.offices.get(parts.get("replaces"))
            need(statement != ADMIT or not replaced or replaced.state not in LIVE, "who is replaced is revoked")
        self.version, self.head = change.roster_version, self.network.hash("roster-id", change.signed)

    def follow(self, statement, index=None, **parts):
        if statement in (ADMIT, INVITE):
            self.add(statement, index, Parts(**parts))
        elif statement != JOIN_HEADS:
            need(index in self.offices, "an office that exists")
            office = self.offices[index]
            if statement == CANCEL:
                need(office.state == INVITED, "an open invitation")
                office.state = CANCELLED
            elif statement == REVOKE:
                office.state = CANCELLED if office.state == INVITED else REVOKED
                office.cut_off = parts["cut_off"]
            else:
                need(office.state in (ACTIVE, RETIRING), "a member retires")
                office.state = RETIRED if parts["cut_off"] else RETIRING
                office.successor, office.cut_off = parts["successor"], parts["cut_off"]

    def add(self, statement, index, office):
        old = self.offices.get(index)
        need(not old or statement == ADMIT and old.state == INVITED, "an index that is free, or invited")
        need(office.replaces in [NO_INDEX, *self.offices], "an office that exists")
        others = {i: one for i, one in self.offices.items() if i != index}
        need(all(one.name != office.name or one.state not in LIVE or i == office.replaces
                 for i, one in others.items()), "no name of a live office")
        if statement == ADMIT:
            for key in ("identity", "link", "mail"):
                need(all(getattr(one, key, None) != getattr(office, key) for one in others.values()), "no key twice")
        office.state = ACTIVE if statement == ADMIT else INVITED
        office.successor, office.cut_off = NO_INDEX, None
        self.offices[index] = office


def follow_chain(data):
    """A founding statement, sized, and changes that must all apply."""
    source = Source(data)
    roster = Roster(source.sized())
    while source.left():
        roster.apply(source)
    return roster


def fingerprint(network, identity, link, mail):
    digest = Source(network.hash("fingerprint", identity, link, mail))
    return " ".join(f"{digest.unsigned(4) % 100_000:05}" for _ in range(8))
