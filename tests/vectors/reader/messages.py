"""WIRE.md 1: Protocol Buffers, from the .proto files and the rules that their parsers do not check."""
import re
from pathlib import Path

from .conventions import MAX_NUMBER, Parts, Source, need


def read_schemas(folder):
    """{message: {field number: (name, type, whether it is repeated)}}"""
    text = "".join((folder / name).read_text() for name in ("record.proto", "office.proto", "sync.proto"))
    return {message: {int(number): (name, form, bool(repeated)) for repeated, form, name, number
                      in re.findall(r"^  (repeated )?(\w+) (\w+) = (\d+);", fields, re.M)}
            for message, fields in re.findall(r"^message (\w+) \{(.*?)^\}", text, re.M | re.S)}


SCHEMAS = read_schemas(Path(__file__).resolve().parents[3] / "proto")
WIRE_TYPES = {"uint32": 0, "bool": 0, "fixed32": 5}  # of all others: 2
GREATEST = {"uint32": MAX_NUMBER, "bool": 1, "fixed32": MAX_NUMBER}


def read_message(data, message_name):
    """All fields of a message by name; those that are absent have the default of proto3."""
    schema = SCHEMAS.get(message_name, {})
    message = {name: [] if repeated else 0 if form in WIRE_TYPES else b"" for name, form, repeated in schema.values()}
    source, seen = Source(data), set()
    while source.left():
        number, wire_type = divmod(source.varint(), 8)
        name, form, repeated = schema.get(number, ("", "", False))
        need(0 < number < 2**29, "fields from 1 on, below 2^29")
        need(repeated or number >= 128 or number not in seen, "no field below 128 twice")
        seen.add(number)
        value = read_field(source, wire_type)
        if name and wire_type == WIRE_TYPES.get(form, 2):
            need(form not in GREATEST or value <= GREATEST[form], "a number within its field's range")
            value = read_message(value, form) if form in SCHEMAS else value
            message[name] = message[name] + [value] if repeated else value
    return Parts(**message)


def read_field(source, wire_type):
    need(wire_type in (0, 1, 2, 5), "no groups")
    if wire_type in (1, 5):
        return source.unsigned(8 if wire_type == 1 else 4)
    return source.sized() if wire_type == 2 else source.varint()
