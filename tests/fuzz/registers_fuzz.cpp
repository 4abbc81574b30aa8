// Registers and their contents, and custody.
#include "crypto/register_seal.h"
#include "proto/epoch_slots.h"
#include "proto/office_statement.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

namespace {

void payload(BytesView bytes) {
    fuzz::exact(bytes, &decode_receipt, &encode_receipt);
    fuzz::exact(bytes, &decode_enrolment, &encode_enrolment);
    fuzz::meaning(bytes, &decode_office_statement, &encode_office_statement);
}

}  // namespace

FUZZ_TARGET(registers) {
    fuzz::exact_front(bytes, &read_register, &encode_register);
    fuzz::exact_front(bytes, &read_custody, &encode_custody);
    fuzz::exact_front(bytes, &read_record_proof, [](const RecordProof& proof) {
        ByteWriter out;
        write(out, proof);
        return out.take();
    });
    payload(bytes);
    ByteReader in(bytes);
    const auto entry = read_register(in);
    if (!entry) {
        return;
    }
    payload(entry->payload);
    static_cast<void>(crypto::verify_fork({}, {}, *entry));
    static_cast<void>(crypto::verify_enrolment({}, {}, *entry));
    if (const auto slots = decode_epoch_slots(*entry)) {
        auto again = epoch_slots_register(*slots, entry->at);
        again.authority_signatures = entry->authority_signatures;
        fuzz::must(again == *entry, "epoch slots make the same register again");
    }
}
