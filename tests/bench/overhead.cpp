// The bytes of a record beyond its text and the text's padding.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "crypto/sealed_record.h"
#include "proto/limits.h"
#include "tests/bench/table.h"
#include "tests/support/network.h"

namespace fieldpost::bench {

namespace {

// Bytes in the body before the report: sizes, codec and the origin's length (WIRE.md "Body").
constexpr std::size_t inside_bytes = 5;

struct Made {
    Header header;
    RecordId id;
};

Made make(const tests::Network& network, std::size_t recipients, Number number, PrevId prev) {
    const auto& author = network.offices[1];
    Header draft;
    draft.log = {author.index, {1, 7}, RecordClass::normal};
    draft.number = number;
    draft.created = tests::founded_at.plus(86400 + 3600 * number);
    draft.lifetime_seconds = limits::lifetime_seconds_default;
    std::vector<crypto::Recipient> to;
    for (std::size_t i = 0; i < recipients; ++i) {
        to.push_back(network.offices[i == 0 ? 0 : i + 1].recipient());
    }
    Report report;
    report.text = "well 7 needs chlorine";
    auto sealed = crypto::seal_record(network.id(), author.machine.identity.public_key(), draft, to,
                                      {{std::nullopt, encode_report(report)}}, {});
    REQUIRE(sealed.has_value());
    sealed->header.prev = prev;
    const BodyShape shape{sealed->header.body_bytes};
    const auto body = crypto::body_hash(network.id(), shape,
                                        crypto::piece_hashes(network.id(), shape, sealed->body));
    return {sealed->header, crypto::record_id(network.id(), sealed->header, body)};
}

}  // namespace

TEST_CASE("overhead") {
    const auto network = tests::make_network({"hq", "hyesan", "pyongyang", "wonsan"});
    const auto around = Signature::size + tag_bytes + inside_bytes;
    const auto at_rest = [&](std::size_t recipients) {
        return encode_header(make(network, recipients, 1, {}).header).size() + around;
    };
    const auto on_the_wire = [&](std::size_t recipients) {
        const auto first = make(network, recipients, 1, {});
        const auto second = make(network, recipients, 2, prev_of(first.id));
        const Neighbour before{first.header, first.id};
        return elide_header(second.header, &before).size() + around;
    };
    add_row("record over its padded text, at rest, 1 recipient", fmt::format("{} B", at_rest(1)),
            "≤ 250 B");
    add_row("the same, 3 recipients", fmt::format("{} B", at_rest(3)), "≤ 310 B");
    add_row("on the wire beside its neighbour, 1 recipient", fmt::format("{} B", on_the_wire(1)),
            "≤ 180 B");
    add_row("the same, 3 recipients", fmt::format("{} B", on_the_wire(3)));
}

}  // namespace fieldpost::bench
