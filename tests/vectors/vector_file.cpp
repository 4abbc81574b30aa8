#include "tests/vectors/vector_file.h"

#include <catch2/catch.hpp>

#include <fstream>

namespace fieldpost::tests {

namespace {

std::string path_of(const std::string& name) {
    return std::string(FIELDPOST_SOURCE_DIR) + "/tests/vectors/" + name + ".json";
}

template <class Log>
json log_meaning(const Log& log) {
    return {{"incarnation", tests::meaning(log.incarnation)},
            {"class", static_cast<int>(log.record_class)},
            {"tops", hex(log.tops)}};
}

}  // namespace

json read_vectors(const std::string& name) {
    std::ifstream in(path_of(name));
    REQUIRE(in);
    return json::parse(in);
}

void write_vectors(const std::string& name, const json& content) {
    std::ofstream(path_of(name)) << content.dump(1) << '\n';
}

Network vector_network() {
    return make_network({"hq", "hyesan", "pyongyang", "wonsan"});
}

Bytes unhex(const json& text) {
    return from_hex(text.get<std::string>()).value();
}

json meaning(const IntervalSet& set) {
    json list = json::array();
    for (const auto& interval : set.intervals()) {
        list.push_back({interval.first, interval.last});
    }
    return list;
}

IntervalSet set_of(const json& list) {
    IntervalSet set;
    for (const auto& pair : list) {
        set.add({pair[0], pair[1]});
    }
    return set;
}

json meaning(Incarnation incarnation) {
    return {incarnation.ordinal, incarnation.random};
}

json meaning(const LogKey& log) {
    return {{"author", value_of(log.author)},
            {"incarnation", tests::meaning(log.incarnation)},
            {"class", static_cast<int>(log.record_class)}};
}

json meaning(const Receipt& receipt) {
    json logs = json::array();
    for (const auto& log : receipt.logs) {
        auto means = log_meaning(log);
        means["received"] = tests::meaning(log.received);
        means["unreadable"] = tests::meaning(log.unreadable);
        means["refused"] = json::array();
        for (const auto& [reason, numbers] : log.refused) {
            means["refused"].push_back({{"reason", reason}, {"numbers", tests::meaning(numbers)}});
        }
        logs.push_back(means);
    }
    return logs;
}

json meaning(const Custody& custody) {
    json logs = json::array();
    for (const auto& log : custody.logs) {
        auto means = log_meaning(log);
        means["held"] = tests::meaning(log.held);
        logs.push_back(means);
    }
    return {{"signer", value_of(custody.signer)},
            {"incarnation", tests::meaning(custody.version.incarnation)},
            {"counter", custody.version.counter},
            {"author", value_of(custody.author)},
            {"at", custody.at.seconds},
            {"logs", logs}};
}

SealedForVector signed_for_vector(const Network& network, const Office& author, Header header,
                                  Bytes body) {
    const BodyShape shape{header.body_bytes};
    const auto pieces = crypto::piece_hashes(network.id(), shape, body);
    const auto hashed = crypto::body_hash(network.id(), shape, pieces);
    const auto id = crypto::record_id(network.id(), header, hashed);
    const auto signature = crypto::sign_record(author.machine.identity, network.id(), id);
    return {std::move(header), std::move(body), pieces, hashed, id, signature, {}};
}

RecordProof proof_of(const Network& network, Number number, std::uint8_t count, std::uint8_t salt,
                     RecordClass record_class) {
    const auto& office = network.offices[1];
    RecordProof side;
    side.key = {record_version, {office.index, {1, 0xc0ffee}, record_class}, number, count};
    side.body.bytes[0] = std::byte{salt};
    side.signature = crypto::sign_record(office.machine.identity, network.id(),
                                         crypto::record_id(network.id(), side));
    return side;
}

}  // namespace fieldpost::tests
