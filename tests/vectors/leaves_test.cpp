// Goal: two releases that meet find out alike how they differ.
// Method: frames.json holds the hashes of the leaves of a summary, over one link.
#include <catch2/catch.hpp>

#include <ranges>

#include "proto/sync_frames.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

namespace {

void write_registers(ByteWriter& out, const LeafSummary& leaf) {
    out.varint(leaf.registers.size());
    for (const auto& entry : leaf.registers) {
        out.u8(entry.kind);
        out.sized(entry.subject);
        write(out, entry.version.incarnation);
        out.u48(entry.version.counter);
        out.raw(entry.hash.view());
    }
}

RegistersHash registers_hash(const NetworkId& network, const LeafSummary& leaf) {
    const auto list = written_by([&](ByteWriter& out) { write_registers(out, leaf); });
    RegistersHash all;
    std::ranges::copy(crypto::hash("leaf-registers", network, {list}).first(RegistersHash::size),
                      all.bytes.begin());
    return all;
}

Hash leaf_hash(const NetworkId& network, const LeafSummary& leaf) {
    const auto bytes = written_by([&](ByteWriter& out) {
        out.u16(value_of(leaf.office));
        // A body under way alone makes no difference.
        const auto is_told = [](const LogSummary& log) { return !log.not_wanted.empty(); };
        out.varint(2 * static_cast<std::uint64_t>(std::ranges::count_if(leaf.logs, is_told)) +
                   (leaf.is_closed ? 1 : 0));
        for (const auto& log : leaf.logs | std::views::filter(is_told)) {
            write(out, log.incarnation);
            out.u8(static_cast<std::uint8_t>(log.record_class));
            write(out, log.not_wanted);
        }
        write_registers(out, leaf);
    });
    return crypto::hash("leaf", network, {bytes});
}

}  // namespace

json make_differences(const Network& network, const Summary& summary) {
    const auto& ours = network.offices[0].machine.link;
    const auto& theirs = network.offices[1].machine.link;
    const auto shared = crypto::shared_secret(ours.secret, theirs.public_key).value();
    const std::uint32_t number = 17;
    const auto salt = written_by([&](ByteWriter& out) { out.u32(number); });
    json leaves = json::array();
    ByteWriter all;
    ByteWriter first_bucket;
    for (const auto& leaf : summary.leaves) {
        const auto hash = leaf_hash(network.id(), leaf);
        all.u16(value_of(leaf.office));
        all.raw(hash.view());
        first_bucket.u16(static_cast<std::uint16_t>(bucket_count * value_of(leaf.office)));
        first_bucket.raw(hash.view());
        const auto print = crypto::keyed_hash(shared.view(), "leaf-fingerprint", network.id(),
                                              {salt, hash.view()});
        leaves.push_back({{"hash", hex(hash)},
                          {"registers_hash", hex(registers_hash(network.id(), leaf))},
                          {"fingerprint", to_hex(print.first(LeafFingerprint::size))}});
    }
    const auto bucket = crypto::keyed_hash(shared.view(), "bucket-fingerprint", network.id(),
                                           {salt, first_bucket.bytes()});
    return {{"link_secret", hex(ours.secret.view())},
            {"peer_link", hex(theirs.public_key)},
            {"fingerprint_number", number},
            {"summary", hex(encode_frame(summary))},
            {"leaves", leaves},
            {"bucket_of_all_were_they_64_apart", to_hex(bucket.first(LeafFingerprint::size))},
            {"digest",
             to_hex(crypto::hash("digest", network.id(), {all.bytes()}).first(Digest::size))}};
}

TEST_CASE("offices find their differences by the hashes that they always used", "[vectors]") {
    const auto file = read_vectors("frames");
    const auto network = array_of<NetworkId>(file["network"]);
    const auto& differences = file["differences"];
    ByteWriter all;
    ByteWriter first_bucket;
    const auto secret = unhex(differences["link_secret"]);
    const auto shared = crypto::shared_secret(crypto::BoxSecret::from(secret),
                                              array_of<BoxPublic>(differences["peer_link"]))
                            .value();
    const auto salt = written_by(
        [&](ByteWriter& out) { out.u32(differences["fingerprint_number"].get<std::uint32_t>()); });
    const auto summary = std::get<Summary>(decode_frame(unhex(differences["summary"])).value());
    REQUIRE(summary.leaves.size() == differences["leaves"].size());
    for (std::size_t i = 0; i < summary.leaves.size(); ++i) {
        const auto& vector = differences["leaves"][i];
        const auto hash = leaf_hash(network, summary.leaves[i]);
        CHECK(hex(hash) == text_of(vector["hash"]));
        all.u16(value_of(summary.leaves[i].office));
        all.raw(hash.view());
        first_bucket.u16(
            static_cast<std::uint16_t>(bucket_count * value_of(summary.leaves[i].office)));
        first_bucket.raw(hash.view());
        CHECK(hex(registers_hash(network, summary.leaves[i])) == text_of(vector["registers_hash"]));
        const auto print =
            crypto::keyed_hash(shared.view(), "leaf-fingerprint", network, {salt, hash.view()});
        CHECK(to_hex(print.first(LeafFingerprint::size)) == text_of(vector["fingerprint"]));
    }
    const auto bucket = crypto::keyed_hash(shared.view(), "bucket-fingerprint", network,
                                           {salt, first_bucket.bytes()});
    CHECK(to_hex(bucket.first(LeafFingerprint::size)) ==
          text_of(differences["bucket_of_all_were_they_64_apart"]));
    CHECK(to_hex(crypto::hash("digest", network, {all.bytes()}).first(Digest::size)) ==
          text_of(differences["digest"]));
}

}  // namespace fieldpost::tests
