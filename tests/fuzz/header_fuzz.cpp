// Headers, whole and elided, alone and after another.
#include "proto/record.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

namespace {

Neighbour some_neighbour() {
    Header header;
    header.log = {OfficeId{1}, {1, 0xc0ffee}, RecordClass::normal};
    header.number = 7;
    header.count = 2;
    header.created = {1000};
    header.lifetime_seconds = 3600;
    header.body_bytes = 100;
    header.stanzas = {{OfficeId{0}, 1, {}}, {OfficeId{0xff00}, 1, {}}};
    header.group_roster_version = 4;
    return {header, {}};
}

void restored(BytesView bytes, const Neighbour* before) {
    ByteReader in(bytes);
    const auto header = restore_header(in, before);
    if (!header || !check_header(*header)) {
        return;
    }
    const auto whole = decode_header(encode_header(*header));
    fuzz::must(whole && *whole == *header, "a header restored is a header");
    const auto elided = elide_header(*header, before);
    ByteReader again_in(elided);
    const auto again = restore_header(again_in, before);
    fuzz::must(again && *again == *header, "what was elided is restored");
}

}  // namespace

FUZZ_TARGET(header) {
    fuzz::exact(bytes, &decode_header, &encode_header);
    const auto neighbour = some_neighbour();
    restored(bytes, nullptr);
    restored(bytes, &neighbour);
    fuzz::exact_front(bytes, &read_key_part, [](const KeyPart& part) {
        ByteWriter out;
        write(out, part);
        return out.take();
    });
}
