"""What was read, in the words of the JSON files."""
from .record import hash_body, hash_pieces, hash_record, restore_header, write_header
from .conventions import Source, whole
from .register import (ENROLMENT, EPOCH_SLOTS, FORK, OFFICE, RECEIPT, read_enrolment, read_epoch_slots, read_office,
                       read_receipt)


def split_log(log):
    return {"incarnation": log[:2], "class": log[2]}


def receipt(logs):
    return [{**split_log(log.log), "tops": log.tops, "received": log.received,
             "unreadable": log.unreadable,
             "refused": [{"reason": one.reason, "numbers": one.refused} for one in log.reasons]} for log in logs]


def office(read):
    return {
        "codecs": read.codecs,
        "endpoints": [one.decode() for one in read.endpoints], "software": read.software.decode(),
        "carries": not read.no_carrying, "transport_epoch": read.transport_epoch,
        "roster_version": read.roster_version,
        "prekeys": [{"epoch": one.epoch, "key": one.key} for one in read.prekeys],
        "logs": [{**split_log(log.log), "tip": log.tip, "tip_id": log.tip_id, "done": log.done,
                  "withdrawn": log.withdrawn} for log in read.logs]}


def register(read):
    if read.kind == RECEIPT:
        return receipt(whole(read_receipt, read.payload))
    if read.kind == OFFICE:
        return office(read_office(read.payload))
    if read.kind == EPOCH_SLOTS:
        return read_epoch_slots(read)
    if read.kind == ENROLMENT:
        keys = read_enrolment(read)
        return {"identity": keys.identity, "link": keys.link, "mail": keys.mail}
    if read.kind == FORK:
        half = len(read.payload) // 2
        runs = [Source(proof).parts("skipped 10, number u4, count u1") for proof in
                (read.payload[:half], read.payload[half:])]
        return [{"number": run.number, "count": run.count} for run in runs]
    return None


def custody(read):
    return {"signer": read.signer, "incarnation": read.incarnation, "counter": read.counter, "author": read.author,
            "at": read.time,
            "logs": [{**split_log(log.log), "tops": log.tops, "held": log.held} for log in read.logs]}


def cut_off(read):
    return read and {"logs": [{**split_log(log.log), "last": log.last, "id": log.id} for log in read.logs],
                     "register_incarnation": read.incarnation, "register_counter": read.counter}


def roster_office(index, read):
    return {"index": index, "name": read.name, "role": read.role, "state": read.state,
            "first_ordinal": read.first_ordinal, "replaces": read.replaces, "successor": read.successor,
            "cut_off": cut_off(read.cut_off)}


def leaf(read):
    return {"office": read.office, "closed": bool(read.closed), "registers": read.registers,
            "all_registers": read.all_registers,
            "logs": [{"incarnation": log.incarnation, "class": log.record_class, "numbers": log.numbers,
                      "partials": log.partials} for log in read.logs]}


def records(entries, network):
    """Header after header, each elided against the one before."""
    means, before = [], None
    for entry in entries:
        source = Source(entry)
        header = restore_header(source, *(before or ()))
        signature = source.take(64)
        encoded, body = write_header(header), source.take(header.body_size)
        record_id = hash_record(network, encoded, hash_body(network, hash_pieces(network, [body])))
        means.append({"header": encoded, "signature": signature, "id": record_id})
        before = header, record_id
    return means


def proof(read):
    part = read.key_part
    return {"version": part.version, "number": part.number, "count": part.count, "header_rest": read.rest,
            "body_hash": read.body, "signature": read.signature,
            "log": {"author": part.author, **split_log(Source(part.incarnation + bytes([part.record_class])).log())}}


def hello(read):
    return {**{name: value for name, value in vars(read).items() if name != "no_carrying"},
            "clock_doubtful": bool(read.clock_doubtful), "carries": not read.no_carrying,
            "is_doubled": bool(read.is_doubled)}


def bundle_head(read):
    return {"writer": read.writer, "incarnation": read.incarnation, "counter": read.counter, "at": read.time,
            "roster_version": read.roster_version, "carries": not read.flags & 1,
            "place": read.flags >> 3 if read.flags & 2 else None, "targets": read.targets, "summary": read.summary}


def opened(read):
    return {**vars(read), "elided": None, "header": write_header(whole(restore_header, read.elided))}


def frame(kind, read, network):
    return {
        1: lambda: hello(read),
        2: lambda: [{"version": one.roster_version, "hash": network.hash("roster-id", one.signed)} for one in read],
        3: lambda: {"whole": read.whole, "more": read.more, "leaves": [leaf(one) for one in read.leaves],
                    "part": read.part},
        4: lambda: [{"kind": one.kind, "hash": network.hash("register-id", one.signed)} for one in read],
        5: lambda: records(read, network),
        6: lambda: {name: value for name, value in opened(read).items() if name != "elided"},
        12: lambda: custody(read),
        13: lambda: {"log": {"author": read.author, **split_log(read.log)}, "number": read.number},
        14: lambda: proof(read),
        16: lambda: bundle_head(read)}.get(kind, lambda: read)()
