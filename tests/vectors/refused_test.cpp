// Goal: all releases refuse the same bytes, so that nothing signed has two readings.
// Method: refused.json holds pairs: bytes that are accepted, and the same with one rule broken.
#include <catch2/catch.hpp>

#include <functional>
#include <map>

#include "crypto/box.h"
#include "crypto/invite.h"
#include "proto/epoch_slots.h"
#include "proto/limits.h"
#include "proto/link_message.h"
#include "proto/office_statement.h"
#include "proto/sync_frames.h"
#include "tests/vectors/refused.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

json make_refused(Network& network) {
    Refusals refusals;
    add_small_refusals(refusals);
    add_header_refusals(refusals);
    add_report_refusals(refusals);
    add_body_refusals(refusals);
    add_kind_refusals(refusals);
    json file = {{"network", hex(network.id())},
                 {"founding", hex(encode_founding(network.roster.founding()))},
                 {"identity", hex(network.offices[1].machine.identity.public_key())}};
    add_register_refusals(refusals, network, file);
    add_frame_refusals(refusals, network);
    add_invitation_refusals(refusals, network);
    add_roster_refusals(refusals, network);
    file["pairs"] = refusals.pairs;
    return file;
}

namespace {

using Accepts = std::function<bool(BytesView)>;

template <class Read>
Accepts to_the_end(const Read& read) {
    return [read](BytesView bytes) {
        ByteReader in(bytes);
        return read(in).has_value() && in.at_end();
    };
}

template <class Decode>
Accepts whole(const Decode& decode) {
    return [decode](BytesView bytes) { return decode(bytes).has_value(); };
}

Result<Header> restored(ByteReader& in) {
    auto header = TRY(restore_header(in, nullptr));
    TRY(check_header(header));
    return header;
}

Result<EpochSlots> read_epoch_slots(ByteReader& in) {
    return decode_epoch_slots(TRY(read_register(in)));
}

// A founding statement and the changes that follow, all of which must apply.
Result<crypto::Roster> follow(BytesView bytes) {
    ByteReader in(bytes);
    auto roster = TRY(crypto::Roster::found(
        TRY(decode_founding(TRY(in.read_sized(limits::roster_change_bytes_max))))));
    while (!in.at_end()) {
        TRY(roster.apply(TRY(read_roster_change(in))));
    }
    return roster;
}

std::map<std::string, Accepts> readers(const json& file) {
    const auto network = array_of<NetworkId>(file["network"]);
    const auto identity = array_of<SigningPublic>(file["identity"]);
    const auto one_time = array_of<SigningPublic>(file["one_time_key"]);
    return {
        {"varint", to_the_end([](ByteReader& in) { return in.read_varint(); })},
        {"interval set", to_the_end([](ByteReader& in) { return read_interval_set(in); })},
        {"container", to_the_end(&read_container)},
        {"header", whole(&decode_header)},
        {"elided header", to_the_end(&restored)},
        {"report", whole(&decode_report)},
        {"body", whole([](BytesView plain) { return crypto::decode_body(plain, 1); })},
        {"kind", whole([](BytesView bytes) -> Result<void> {
             const auto units = TRY(decode_units(bytes.subspan(2), 1));
             return check_kind(static_cast<RecordClass>(bytes[0]),
                               static_cast<std::uint8_t>(bytes[1]), units[0]);
         })},
        {"register", to_the_end(&read_register)},
        {"epoch slots", to_the_end(&read_epoch_slots)},
        {"receipt", whole(&decode_receipt)},
        {"office", whole(&decode_office_statement)},
        {"custody", to_the_end(&read_custody)},
        {"enrolment", to_the_end([=](ByteReader& in) -> Result<Enrolment> {
             return crypto::verify_enrolment(one_time, network, TRY(read_register(in)));
         })},
        {"fork", to_the_end([=](ByteReader& in) -> Result<void> {
             return crypto::verify_fork(identity, network, TRY(read_register(in)));
         })},
        {"frame", whole(&decode_frame)},
        {"leaf", whole([](BytesView bytes) { return decode_leaf(OfficeId{1}, bytes); })},
        {"message", whole(&frames_of)},
        {"invitation", whole([](BytesView bytes) { return crypto::open_invite(bytes, ""); })},
        {"founding", whole([](BytesView bytes) -> Result<crypto::Roster> {
             return crypto::Roster::found(TRY(decode_founding(bytes)));
         })},
        {"roster change", to_the_end(&read_roster_change)},
        {"roster", whole(&follow)},
    };
}

Bytes bytes_of_pair(const json& pair, const char* name) {
    auto bytes = unhex(pair[name]);
    if (pair.contains("letters_behind")) {
        bytes.resize(bytes.size() + pair["letters_behind"][name].get<std::size_t>(),
                     std::byte{'a'});
    }
    return bytes;
}

}  // namespace

TEST_CASE("of two bytes strings that differ in one rule one is refused", "[vectors]") {
    const auto file = read_vectors("refused");
    const auto accepts = readers(file);
    for (const auto& pair : file["pairs"]) {
        CAPTURE(pair["object"].get<std::string>(), pair["why"].get<std::string>());
        const auto& accept = accepts.at(pair["object"].get<std::string>());
        CHECK(accept(bytes_of_pair(pair, "good")));
        CHECK_FALSE(accept(bytes_of_pair(pair, "bad")));
    }
}

TEST_CASE("every object has a pair", "[vectors]") {
    const auto file = read_vectors("refused");
    std::map<std::string, int> pairs;
    for (const auto& pair : file["pairs"]) {
        ++pairs[pair["object"].get<std::string>()];
    }
    for (const auto& [object, accept] : readers(file)) {
        CAPTURE(object);
        CHECK(pairs[object] > 0);
    }
}

}  // namespace fieldpost::tests
