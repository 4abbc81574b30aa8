"""WIRE.md 3: the plaintext of a body, and the reports in it."""
import brotli
import zstandard

from .conventions import Refused, Source, ascending, little, need, read_signed, text_of, whole
from .messages import read_message

MIB = 1 << 20


def decompress(codec, data, size):
    need(codec <= 2, "a codec of this release")
    need(size <= 3 * MIB, "at most 3 MiB of reports")
    try:
        data = [lambda: data, lambda: read_zstd(data, size), lambda: brotli.decompress(data)][codec]()
    except (zstandard.ZstdError, brotli.error) as error:
        raise Refused("against the rule: exactly one stream or frame") from error
    need(len(data) == size, "the size of U")
    return data


def read_zstd(data, size):
    need(zstandard.get_frame_parameters(data).dict_id == 0, "no dictionary")
    reader = zstandard.ZstdDecompressor().decompressobj()
    plain = reader.decompress(data)
    need(reader.eof and not reader.unused_data and len(plain) <= size, "exactly one frame")
    return plain


def padme(length):
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-length // step) * step


def read_body(plain, count):
    """[(origin, report, the bytes of its attachments)]; an empty origin is the report's own place."""
    source = Source(plain)
    body = source.parts("size varint, codec u1, compressed sized")
    units = read_units(decompress(body.codec, body.compressed, body.size), count)
    for unit in units:
        unit.attachments = [source.take(part.size) for part in unit.parsed.attachments]
    need(len(plain) >= padme(source.at) and not any(plain[source.at:]), "zeros up to a Padmé size")
    for unit in units:
        unit.codec = body.codec
    return units


def read_units(data, count):
    units = whole(lambda u: u.many(count, "origin sized, report sized"), data)
    for unit in units:
        if unit.origin:
            whole(read_origin, unit.origin)
        unit.parsed = read_report(unit.report)
    return units


def check_kind(record_class, kind, unit):
    """The table of WIRE.md "Kind"."""
    if kind > 3:
        return
    need((record_class == 0) == (kind > 0), "class reply, but for reports")
    need(not unit.origin or (unit.origin[6] == 0) == (kind > 0), "an origin in class reply, but for reports")
    parsed = unit.parsed
    need((parsed.outcome != 0) == (kind == 1) and (kind != 1 or parsed.reply_to), "an outcome in acknowledgements only")
    need(bool(parsed.withdraws) == (kind == 2), "withdraws in withdrawals only")
    need(bool(parsed.resend) == (kind == 3), "a resend request in its own kind only")


def read_origin(source):
    return source.parts("log log, number number")


def read_reference(source):
    return source.office(), read_origin(source), source.take(16)


def read_report(data):
    need(len(data) <= 3 * MIB, "at most 3 MiB")
    report = read_message(data, "Report")
    need(len(report.text) <= MIB, "text of at most 1 MiB")
    check_text(report.text)
    check_line(report.subject, 256)
    check_line(report.staff, 64)
    check_line(report.type, 64)
    need(len(report.type) <= 64, "a type of at most 64 bytes")
    need(len(report.addressed) <= 64, "at most 64 groups")
    for group in report.addressed:
        check_line(group, 32)
    need(report.outcome <= 3 and (not report.outcome or len(report.text) <= 4096), "a known outcome, a short note")
    need(report.utc_offset < 2880, "an offset from UTC of less than a day")
    check_fields(report.fields)
    check_attachments(report.attachments)
    need(not report.withdraws or len(report.text) <= 4096, "a short reason")
    need(bool(report.replaces) == (report.version > 0), "a version, and a report that is corrected")
    need(bool(report.first_version) == (report.version > 1), "the first version, from the second correction on")
    for reference in (report.reply_to, report.replaces, report.withdraws, report.first_version):
        if reference:
            whole(read_reference, reference)
    return report


def check_line(data, characters):
    text = text_of(data)
    need(len(text) <= characters, "a limited number of code points")
    need(not any(c < " " or "\x7f" <= c <= "\x9f" for c in text), "no control characters")


def check_text(data):
    need("\0" not in text_of(data), "no U+0000")


def check_fields(fields):
    need(len(fields) <= 256, "at most 256 fields")
    need(len({field.key for field in fields}) == len(fields), "no key twice")
    for field in fields:
        need(1 <= len(field.key) <= 64 and len(field.value) <= 4096, "keys of 1 to 64 bytes, values of 4 KiB")
        check_line(field.key, 64)
        check_text(field.value)


def check_attachments(attachments):
    need(len(attachments) <= 64, "at most 64 attachments")
    need(sum(one.size for one in attachments) <= 64 * MIB, "at most 64 MiB of attachments")
    for one in attachments:
        need(1 <= len(one.name) <= 255, "a name of 1 to 255 bytes")
        check_text(one.name)


def report_hash(network, author, origin, unit):
    hashes = [network.hash("attachment", one) for one in unit.attachments]
    return network.hash("report", little(author, 2), origin, little(len(unit.report), 4), unit.report, *hashes)


def read_resend(source):
    request = read_signed(source, "requester office, incarnation incarnation, author office, time u4, "
                                  "logs asked_logs")
    need(request.logs and ascending([log.log for log in request.logs]), "logs ascend")
    return request
