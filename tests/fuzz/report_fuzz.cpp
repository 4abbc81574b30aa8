// Reports, and the plaintext of a body with compression and attachments.
#include "crypto/sealed_record.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

FUZZ_TARGET(report) {
    fuzz::meaning(bytes, &decode_report, &encode_report);
    // A first byte says how many reports are in the body behind it.
    if (bytes.empty()) {
        return;
    }
    const auto count = std::to_integer<std::size_t>(bytes.front()) % limits::run_count_max + 1;
    const auto body = bytes.subspan(1);
    if (const auto opened = crypto::decode_body(body, count)) {
        fuzz::must(opened->units.size() == count, "a body holds what was counted");
    }
    fuzz::exact(body, [&](BytesView view) { return decode_units(view, count); }, &encode_units);
}
