// Pairs of registers, their contents, and custody.
#include "crypto/register_seal.h"
#include "proto/epoch_slots.h"
#include "proto/limits.h"
#include "proto/office_statement.h"
#include "tests/vectors/refused.h"

namespace fieldpost::tests {

namespace {

Register plain_register() {
    Register entry;
    entry.key = {OfficeId{1}, 77, bytes_of("s")};
    entry.version = {{1, 0xc0ffee}, 12};
    entry.payload = bytes_of("p");
    return entry;
}

void add_envelope_refusals(Refusals& out) {
    const auto good = encode_register(plain_register());
    out.add("register", "version 2", good, with(good, 0, "02"));
    out.add("register", "incarnation 0", good, with(good, 3, "0000"));
    out.add("register", "no incarnation at all", good, with(good, 3, "000000000000"));
    out.add("register", "by a group", good, with(good, 1, "00ff"));
    out.add("register", "by the authority, and no epoch slots", good, with(good, 1, "fffe"));
    out.add("register", "ends early", good, one_less(good));
    out.add("register", "something behind it", good, one_more(good));
    auto entry = plain_register();
    entry.key.subject.resize(64);
    auto longer = entry;
    longer.key.subject.resize(65);
    out.add("register", "a subject of 65 bytes", encode_register(entry), encode_register(longer));
    entry = plain_register();
    const auto envelope = good.size() - 1;
    entry.payload.resize(4096 - envelope);
    auto bytes = encode_register(entry);
    // One byte more in the payload, whose length stands behind the subject and the time.
    auto over = bytes;
    const auto length_at = 1 + 2 + 6 + 6 + 1 + 1 + 1 + 4;
    over[length_at] = static_cast<std::byte>(std::to_integer<unsigned>(over[length_at]) + 1);
    out.add("register", "over 4,096 bytes", bytes, one_more(over));
}

EpochSlots some_slots() {
    EpochSlots slots;
    slots.group = OfficeId{0xff01};
    slots.epoch = 7;
    slots.revision = 2;
    slots.group_key.bytes.fill(std::byte{9});
    slots.slots = {{OfficeId{1}, 1, {}}, {OfficeId{3}, 1, {}}};
    return slots;
}

void add_epoch_slots_refusals(Refusals& out) {
    const auto encoded = [](Register entry) {
        if (entry.authority_signatures.empty()) {
            entry.authority_signatures = {{0, {}}};
        }
        return encode_register(entry);
    };
    const auto good_entry = epoch_slots_register(some_slots(), founded_at);
    const auto good = encoded(good_entry);
    const auto add_slots = [&](const char* why, auto&& damage) {
        auto bad = some_slots();
        damage(bad);
        out.add("epoch slots", why, good, encoded(epoch_slots_register(bad, founded_at)));
    };
    add_slots("slots out of order", [](EpochSlots& s) { std::swap(s.slots[0], s.slots[1]); });
    add_slots("an office twice", [](EpochSlots& s) { s.slots[1] = s.slots[0]; });
    add_slots("a slot of a group", [](EpochSlots& s) { s.slots[1].office = OfficeId{0xff00}; });
    add_slots("no slot", [](EpochSlots& s) { s.slots.clear(); });
    add_slots("of an office", [](EpochSlots& s) { s.group = OfficeId{2}; });
    add_slots("of none", [](EpochSlots& s) { s.group = OfficeId{0xffff}; });
    add_slots("a group without its key", [](EpochSlots& s) { s.group_key = {}; });
    add_slots("the transport under a prekey", [](EpochSlots& s) { s.group = transport_group; });
    add_slots("epoch 0", [](EpochSlots& s) { s.epoch = 0; });
    add_slots("an epoch that no chain has", [](EpochSlots& s) { s.epoch = 8193; });
    const auto add_entry = [&](const char* why, auto&& damage) {
        auto bad = good_entry;
        damage(bad);
        out.add("epoch slots", why, good, encoded(bad));
    };
    add_entry("a counter of another epoch",
              [](Register& r) { r.version.counter = std::uint64_t{8} << 32; });
    add_entry("of an incarnation", [](Register& r) { r.version.incarnation = {1, 2}; });
    add_entry("of incarnation 0, at random", [](Register& r) { r.version.incarnation.random = 2; });
    add_entry("by an office", [](Register& r) { r.key.signer = OfficeId{0}; });
    add_entry("a subject without a page", [](Register& r) { r.key.subject.pop_back(); });
    add_entry("something behind the slots", [](Register& r) { r.payload.push_back({}); });
    auto two = good_entry;
    two.authority_signatures = {{0, {}}, {1, {}}};
    auto turned = two;
    std::swap(turned.authority_signatures[0], turned.authority_signatures[1]);
    out.add("epoch slots", "signatures out of order", encoded(two), encoded(turned));
    auto unsigned_bytes = signed_bytes(good_entry);
    unsigned_bytes.push_back(std::byte{0});
    out.add("epoch slots", "no signature", good, unsigned_bytes);
}

ReceiptLog some_log() {
    ReceiptLog log;
    log.incarnation = {1, 5};
    log.record_class = RecordClass::normal;
    log.tops.bytes[0] = std::byte{9};
    log.received = {{1, 3}};
    log.unreadable = {{4, 4}};
    log.refused = {{1, {{5, 5}}}, {2, {{6, 6}}}};
    return log;
}

// Every second number, in `runs` runs.
IntervalSet every_second(std::size_t runs) {
    IntervalSet numbers;
    for (Number i = 0; i < runs; ++i) {
        numbers.add(2 * i + 1);
    }
    return numbers;
}

void add_receipt_refusals(Refusals& out) {
    const Receipt one{{some_log()}};
    const auto good = encode_receipt(one);
    const auto add = [&](const char* why, auto&& damage) {
        auto bad = one;
        damage(bad);
        out.add("receipt", why, good, encode_receipt(bad));
    };
    Receipt full;
    for (std::uint16_t life = 1; life <= limits::logs_per_office_max; ++life) {
        full.logs.push_back(some_log());
        full.logs.back().incarnation = {life, 5};
    }
    auto over = full;
    over.logs.push_back(some_log());
    over.logs.back().incarnation = {1000, 5};
    out.add("receipt", "33 logs", encode_receipt(full), encode_receipt(over));
    add("unreadable, and received", [](Receipt& r) { r.logs[0].unreadable = {{3, 3}}; });
    add("refused, and received", [](Receipt& r) { r.logs[0].refused[1] = {{1, 1}}; });
    add("refused for two reasons", [](Receipt& r) { r.logs[0].refused[2] = {{5, 5}}; });
    add("a reason for nothing", [](Receipt& r) { r.logs[0].refused[1] = {}; });
    add("tops of nothing", [](Receipt& r) {
        r.logs[0].received = {};
        r.logs[0].unreadable = {};
    });
    add("class 0x82", [](Receipt& r) { r.logs[0].record_class = static_cast<RecordClass>(0x82); });
    add("incarnation 0", [](Receipt& r) { r.logs[0].incarnation.ordinal = 0; });
    add("class 4", [](Receipt& r) { r.logs[0].record_class = static_cast<RecordClass>(4); });
    // 1: reasons 1 and 2, each a set of one number in three bytes, stand at the end.
    const auto reasons_at = good.size() - 8;
    out.add("receipt", "reasons out of order", good,
            with(with(good, reasons_at, "02"), reasons_at + 4, "01"));
    out.add("receipt", "a reason twice", good, with(good, reasons_at + 4, "01"));
    Receipt two{{some_log(), some_log()}};
    two.logs[1].incarnation.ordinal = 2;
    auto turned = two;
    std::swap(turned.logs[0], turned.logs[1]);
    auto twice = two;
    twice.logs[1] = twice.logs[0];
    out.add("receipt", "logs out of order", encode_receipt(two), encode_receipt(turned));
    out.add("receipt", "a log twice", encode_receipt(two), encode_receipt(twice));
    out.add("receipt", "something behind it", good, one_more(good));
    out.add("receipt", "more logs counted than there are", good, with(good, 0, "02"));
}

OwnLog own_log() {
    return {{1, 5}, RecordClass::normal, 9, {}, {{1, 4}}, {{2, 2}}};
}

void add_office_refusals(Refusals& out) {
    const auto add = [&](const char* why, const OfficeStatement& good, const OfficeStatement& bad) {
        out.add("office", why, encode_office_statement(good), encode_office_statement(bad));
    };
    OfficeStatement prekeys;
    for (std::uint16_t epoch = 1; epoch <= 8; ++epoch) {
        prekeys.prekeys.push_back({epoch, {}, {}});
    }
    auto bad = prekeys;
    bad.prekeys.push_back({9, {}, {}});
    add("nine prekeys", prekeys, bad);
    bad = prekeys;
    std::swap(bad.prekeys[0], bad.prekeys[1]);
    add("epochs out of order", prekeys, bad);

    OfficeStatement endpoints;
    endpoints.endpoints.assign(8, "tcp://a:1");
    bad = endpoints;
    bad.endpoints.emplace_back("tcp://a:1");
    add("nine endpoints", endpoints, bad);
    for (const char* endpoint : {"ipc:///run/x", "tcp://a", "tcp://:1", "tcp://a:0",
                                 "tcp://a:65536", "tcp://a b:1", "tcp://a:1/", "tcp://a;b:1"}) {
        bad = endpoints;
        bad.endpoints[0] = endpoint;
        add("an endpoint that is none", endpoints, bad);
    }

    OfficeStatement logs;
    logs.logs = {own_log(), own_log()};
    logs.logs[1].record_class = RecordClass::bulk;
    bad = logs;
    std::swap(bad.logs[0], bad.logs[1]);
    add("logs out of order", logs, bad);
    bad = logs;
    bad.logs[0].withdrawn = {{5, 5}};
    add("withdrawn, and not done", logs, bad);
    OfficeStatement last = logs;
    last.logs[0].done.add(UINT32_MAX - 1);
    bad = logs;
    bad.logs[0].done.add(UINT32_MAX);
    add("the number 2^32 - 1 done", last, bad);
    bad = logs;
    bad.logs[0].incarnation.ordinal = 0;
    add("incarnation 0", logs, bad);
    bad = logs;
    bad.logs[0].record_class = static_cast<RecordClass>(4);
    add("class 4", logs, bad);

    out.add("office", "an epoch over 65,535", "48ffff03", "48808004");
    out.add("office", "an epoch over 2^32 - 1", "4801", "488180808010");
    out.add("office", "a bool of 2", "3001", "3002");
    out.add("office", "the software twice", "2a0161", "2a01612a0161");
    const auto prekey = [](std::string_view head) {
        const auto content = written_by([&](ByteWriter& to) {
            to.raw(from_hex(head).value());
            to.varint(2 << 3 | 2);
            to.sized(Bytes(32));
            to.varint(3 << 3 | 2);
            to.sized(Bytes(64));
        });
        return written_by([&](ByteWriter& to) {
            to.varint(1 << 3 | 2);
            to.sized(content);
        });
    };
    out.add("office", "a prekey's epoch twice", prekey("0801"), prekey("08010801"));
    out.add("office", "a prekey's epoch over 65,535", prekey("08ffff03"), prekey("08808004"));
    out.add("office", "a prekey's epoch not in its shortest form", prekey("0801"),
            prekey("088100"));
}

Custody some_custody() {
    Custody custody;
    custody.signer = OfficeId{1};
    custody.version = {{1, 7}, 13};
    custody.author = OfficeId{0};
    custody.logs = {{{1, 5}, RecordClass::normal, {}, {{1, 3}}},
                    {{1, 5}, RecordClass::bulk, {}, {{1, 3}}}};
    return custody;
}

void add_custody_refusals(Refusals& out) {
    const auto good = encode_custody(some_custody());
    const auto add = [&](const char* why, auto&& damage) {
        auto bad = some_custody();
        damage(bad);
        out.add("custody", why, good, encode_custody(bad));
    };
    add("of nothing", [](Custody& c) { c.logs[0].held = {}; });
    auto full = some_custody();
    full.logs.resize(1);
    for (std::uint16_t life = 2; life <= limits::logs_per_office_max; ++life) {
        full.logs.push_back({{life, 5}, RecordClass::normal, {}, {{1, 3}}});
    }
    auto over = full;
    over.logs.push_back({{1000, 5}, RecordClass::normal, {}, {{1, 3}}});
    out.add("custody", "33 logs", encode_custody(full), encode_custody(over));
    full = some_custody();
    full.logs[0].held = every_second(limits::custody_runs_max / 2);
    full.logs[1].held = full.logs[0].held;
    over = full;
    over.logs[1].held.add(UINT32_MAX);
    out.add("custody", "2,049 runs", encode_custody(full), encode_custody(over));
    add("logs out of order", [](Custody& c) { std::swap(c.logs[0], c.logs[1]); });
    add("a log twice", [](Custody& c) { c.logs[1] = c.logs[0]; });
    add("incarnation 0", [](Custody& c) { c.version.incarnation.ordinal = 0; });
    add("no incarnation", [](Custody& c) { c.version.incarnation = {}; });
    add("a log of incarnation 0", [](Custody& c) { c.logs[0].incarnation.ordinal = 0; });
    add("by the authority", [](Custody& c) { c.signer = authority_signer; });
    add("for a group", [](Custody& c) { c.author = OfficeId{0xff00}; });
    out.add("custody", "ends early", good, one_less(good));
    out.add("custody", "something behind it", good, one_more(good));
}

void add_fork_refusals(Refusals& out, const Network& network) {
    const auto good_entry =
        crypto::make_fork(network.id(), proof_of(network, 5, 3, 1), proof_of(network, 7, 1, 2));
    const auto good = encode_register(good_entry);
    const auto add = [&](const char* why, auto&& damage) {
        auto bad = good_entry;
        damage(bad);
        out.add("fork", why, good, encode_register(bad));
    };
    add("signed", [](Register& r) { r.signature.bytes[0] = std::byte{1}; });
    add("with a time", [](Register& r) { r.at = founded_at; });
    add("with a counter", [](Register& r) { r.version.counter = 1; });
    add("of another incarnation", [](Register& r) { r.version.incarnation = {1, 1}; });
    add("of another class", [](Register& r) { r.key.subject.back() = std::byte{3}; });
    add("of another office", [](Register& r) { r.key.signer = OfficeId{2}; });
    add("sides out of order", [](Register& r) {
        const auto half = static_cast<std::ptrdiff_t>(r.payload.size() / 2);
        std::rotate(r.payload.begin(), r.payload.begin() + half, r.payload.end());
    });
    add("a side changed", [](Register& r) { r.payload.back() ^= std::byte{1}; });
    add("something behind the sides", [](Register& r) { r.payload.push_back({}); });
    const auto side = proof_of(network, 5, 3, 1);
    const auto add_sides = [&](const char* why, const RecordProof& other) {
        out.add("fork", why, good, encode_register(crypto::make_fork(network.id(), side, other)));
    };
    add_sides("runs that do not overlap", proof_of(network, 8, 1, 2));
    add_sides("the same record twice", side);
    add_sides("of two logs", proof_of(network, 7, 1, 2, RecordClass::bulk));
    add_sides("a count of 65", proof_of(network, 7, 65, 2));
}

void add_enrolment_refusals(Refusals& out, const Network& network, json& file) {
    const auto one_time = crypto::SigningKey::random();
    file["one_time_key"] = hex(one_time.public_key());
    const auto machine = crypto::MachineKeys::random(crypto::FoundingKey::random());
    const auto mail = crypto::MailKeys::random().signing.public_key();
    const auto made = [&](const crypto::SigningKey& by) {
        return crypto::make_enrolment(by, machine, mail, network.id(), OfficeId{4}, {{1, 9}, 1},
                                      founded_at);
    };
    const auto good = encode_register(made(one_time));
    const auto add = [&](const char* why, auto&& damage) {
        auto bad = made(one_time);
        damage(bad);
        crypto::sign_register(machine.identity, network.id(), bad);
        out.add("enrolment", why, good, encode_register(bad));
    };
    add("of another invitation", [](Register& r) { r.key.subject[0] = std::byte{5}; });
    add("something behind the keys", [](Register& r) { r.payload.push_back({}); });
    add("a key that the invitation did not sign",
        [](Register& r) { r.payload[40] ^= std::byte{1}; });
    out.add("enrolment", "by another one-time key", good,
            encode_register(made(crypto::SigningKey::random())));
    auto by_another = made(one_time);
    crypto::sign_register(network.offices[0].machine.identity, network.id(), by_another);
    out.add("enrolment", "signed by another office", good, encode_register(by_another));
}

}  // namespace

void add_register_refusals(Refusals& out, const Network& network, json& file) {
    add_envelope_refusals(out);
    add_epoch_slots_refusals(out);
    add_receipt_refusals(out);
    add_office_refusals(out);
    add_custody_refusals(out);
    add_fork_refusals(out, network);
    add_enrolment_refusals(out, network, file);
}

}  // namespace fieldpost::tests
