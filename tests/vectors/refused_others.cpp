// Pairs of frames, invitations, founding statements and roster changes.
#include "crypto/box.h"
#include "crypto/invite.h"
#include "proto/limits.h"
#include "proto/sync_frames.h"
#include "tests/vectors/refused.h"

namespace fieldpost::tests {

namespace {

void add_hello_refusals(Refusals& out) {
    Hello hello;
    hello.leaf_fingerprints.resize(1);
    const auto good = encode_frame(hello);
    const auto more = [&](std::string_view fields) {
        return joined(good, from_hex(fields).value());
    };
    out.add("frame", "hello: a version twice", good, more("0801"));
    out.add("frame", "hello: an unknown field below 128 twice", more("f80701"),
            more("f80701f80701"));
    out.add("frame", "hello: a bool of 2", more("5001"), more("5002"));
    out.add("frame", "hello: a number over 2^32 - 1", more("1801"), more("18ffffffff1f"));
    const auto with_digest = [](std::size_t bytes, std::size_t fingerprint_bytes) {
        return written_by([&](ByteWriter& to) {
            to.u8(1);
            to.raw(*from_hex("080110012208"));
            to.raw(Bytes(8));
            to.varint(5 << 3 | 2);
            to.sized(Bytes(bytes));
            to.varint(7 << 3 | 2);
            to.sized(Bytes(fingerprint_bytes));
        });
    };
    auto of_many = hello;
    of_many.bucket_fingerprints.resize(bucket_count);
    auto of_fewer = of_many;
    of_fewer.bucket_fingerprints.pop_back();
    out.add("frame", "hello: 63 buckets", encode_frame(of_many), encode_frame(of_fewer));
    out.add("frame", "hello: a digest of 15 bytes", with_digest(16, 8), with_digest(15, 8));
    out.add("frame", "hello: fingerprints of 7 bytes", with_digest(16, 8), with_digest(16, 7));
}

void add_message_refusals(Refusals& out) {
    // Two acknowledgements of 1 byte, 0a01.
    out.add("message", "an empty frame in it", "11020a01020a01", "11020a0100");
    out.add("message", "one in it that is for several", "11020a01020a01", "11020a01021102");
    out.add("message", "only one frame", "11020a01020a01", "11020a01");
    out.add("message", "it ends early", "11020a01020a01", "11020a01020a");
    out.add_long("message", "over 1,406 bytes", "11020a01f80a0a01", 1'398, "11020a01f90a0a01",
                 1'399);
}

void add_stream_refusals(Refusals& out) {
    const auto chunk = encode_frame(Chunk{1, 1, 0, bytes_of("a")});
    out.add("frame", "chunk: of nothing", chunk, one_less(chunk));
    out.add("frame", "chunk: of part 0", chunk, with(chunk, 2, "00"));
    out.add("frame", "chunk: a stream not in its shortest form", chunk, *from_hex("088100010061"));
    out.add("frame", "chunk: a stream over 2^32 - 1", "08ffffffff0f010061", "088080808010010061");
    out.add_long("frame", "over 65 KiB", "08010100", 66'556, "08010100", 66'557);
    const auto prove = encode_frame(Prove{{OfficeId{1}, {1, 2}, RecordClass::normal}, 3});
    out.add("frame", "prove: class 4", prove, with(prove, 9, "04"));
    out.add("frame", "prove: incarnation 0", prove, with(prove, 3, "0000"));
    out.add("frame", "prove: something behind it", prove, one_more(prove));
    const auto settled = encode_frame(Settled{});
    out.add("frame", "settled: ends early", settled, one_less(settled));
    const auto acknowledged = encode_frame(Acknowledged{1});
    out.add("frame", "acknowledged: not in its shortest form", acknowledged, *from_hex("0a8100"));
    const auto skip = encode_frame(Skip{1, SkipReason::have});
    out.add("frame", "skip: something behind it", skip, one_more(skip));
    const auto resumed = encode_frame(StreamResumed{});
    out.add("frame", "stream resumed: ends early", resumed, one_less(resumed));
    const auto opened = encode_frame(StreamOpened{1, bytes_of("h"), {}, {}});
    out.add("frame", "stream opened: something behind it", opened, one_more(opened));
    RecordProof proof;
    proof.key.log.incarnation = {1, 2};
    const auto proven = encode_frame(proof);
    out.add("frame", "proof: a count of 0", proven, with(proven, 15, "00"));
    out.add("frame", "proof: something behind it", proven, one_more(proven));
    const auto records = encode_frame(RecordNews{{bytes_of("r")}});
    out.add("frame", "records: longer than the frame", records, with(records, 1, "02"));
    out.add("frame", "a type of a later release", settled, *from_hex("c8"));
    out.add("frame", "empty", settled, Bytes{});
}

void add_summary_refusals(Refusals& out) {
    LeafSummary leaf;
    leaf.office = OfficeId{1};
    leaf.logs = {{{1, 2}, RecordClass::normal, {{1, 3}}, {}}};
    leaf.logs[0].partials.emplace_back().number = 4;
    const auto good = encode_frame(Summary{true, {leaf}});
    out.add("frame", "summary: neither whole nor not", good, with(good, 1, "03"));
    out.add("frame", "summary: the last part, and not the last", good, with(good, 1, "0c"));
    out.add("frame", "summary: a part, and the next frame does not go on",
            encode_frame(Summary{.more = true, .part = LeafPart{OfficeId{1}, Bytes(3), false}}),
            with(good, 1, "04"));
    out.add(
        "frame", "summary: index 65,536", good,
        joined(BytesView(good).first(2), joined(*from_hex("808004"), BytesView(good).subspan(3))));
    out.add("frame", "summary: ends early", good, one_less(good));
    const auto of_one = encode_leaf(leaf);
    // Head, incarnation, then the class.
    const std::size_t class_at = 1 + 6;
    out.add("leaf", "class 4", of_one, with(of_one, class_at, "84"));
    out.add("leaf", "incarnation 0", of_one, with(of_one, 1, "0000"));
    out.add("leaf", "registers of form 3", of_one, with(of_one, 0, "0e"));
    out.add("leaf", "a container with something behind", of_one,
            with(joined(BytesView(of_one).first(class_at + 2),
                        joined(Bytes(1), BytesView(of_one).subspan(class_at + 2))),
                 class_at + 1, "080300"));
    out.add("leaf", "ends early", of_one, one_less(of_one));
    leaf.all_registers.emplace();
    const auto of_none = encode_leaf(leaf);
    out.add("leaf", "a hash of all registers of 4 bytes", of_none, one_less(of_none));
    leaf.logs.assign(limits::logs_per_office_max, leaf.logs[0]);
    auto more = leaf;
    more.logs.push_back(leaf.logs[0]);
    out.add("leaf", "33 logs", encode_leaf(leaf), encode_leaf(more));
    leaf.logs.resize(1);
    leaf.logs[0].not_wanted = {};
    for (Number i = 0; i < limits::log_runs_max; ++i) {
        leaf.logs[0].not_wanted.add(100 * i + 1);
    }
    more = leaf;
    more.logs[0].not_wanted.add(4'000'000'000);
    out.add("leaf", "1,025 intervals", encode_leaf(leaf), encode_leaf(more));
    const auto prints = encode_frame(LeafFingerprints{1, {{}, {}}});
    out.add("frame", "leaf fingerprints: of 2 bytes", prints, one_less(prints));
}

}  // namespace

void add_frame_refusals(Refusals& out, const Network& network) {
    add_hello_refusals(out);
    add_message_refusals(out);
    add_stream_refusals(out);
    add_summary_refusals(out);
    const auto news = encode_frame(RosterNews{network.changes});
    out.add("frame", "roster: ends early", news, one_less(news));
    Custody custody;
    custody.version = {{1, 2}, 3};
    const auto told = encode_frame(custody);
    out.add("frame", "custody: something behind it", told, one_more(told));
    Register entry;
    entry.key = {OfficeId{1}, 77, {}};
    entry.version = {{1, 2}, 3};
    const auto registers = encode_frame(RegisterNews{{entry, entry}});
    out.add("frame", "registers: ends early", registers, one_less(registers));
}

namespace {

struct InviteHead {
    const char* magic = "fpinvite";
    std::uint8_t version = 1;
    std::uint8_t has_code = 0;
    std::uint32_t passes = 3;
    std::uint32_t memory_kib = 64 * 1024;
};

// Sealed by hand, so that only the rule in question is broken.
Bytes invite_file(const InviteHead& head, BytesView content) {
    const Bytes salt(16, std::byte{7});
    const auto open_head = written_by([&](ByteWriter& out) {
        out.raw(as_bytes(std::string_view(head.magic)));
        out.u8(head.version);
        out.u8(head.has_code);
        out.u32(head.passes);
        out.u32(head.memory_kib);
        out.raw(salt);
    });
    const auto key = crypto::SealKey::from(crypto::hash("invite-open", {}, {salt}).view());
    return joined(open_head, crypto::seal_value(key, open_head, content));
}

}  // namespace

void add_invitation_refusals(Refusals& out, const Network& network) {
    crypto::Invite invite;
    invite.seed = crypto::InviteSeed::random();
    invite.founding_key = network.founding_key();
    invite.index = OfficeId{4};
    invite.founding = network.roster.founding();
    const auto content = crypto::encode_invite_content(invite);
    const auto good = invite_file({}, content);
    const auto add = [&](const char* why, InviteHead good_head, InviteHead bad_head) {
        out.add("invitation", why, invite_file(good_head, content), invite_file(bad_head, content));
    };
    add("another magic", {}, {.magic = "fpinvitE"});
    add("version 2", {}, {.version = 2});
    add("a code of 2", {}, {.has_code = 2});
    add("one pass", {.passes = 2}, {.passes = 1});
    add("21 passes", {.passes = 20}, {.passes = 21});
    add("under 64 MiB", {.memory_kib = 65'536}, {.memory_kib = 65'535});
    add("over 1 GiB", {.memory_kib = 1'048'576}, {.memory_kib = 1'048'577});
    out.add("invitation", "damaged", good, with(good, good.size() - 1, "00"));
    out.add("invitation", "something behind the content", good, invite_file({}, one_more(content)));
    out.add("invitation", "content that ends early", good, invite_file({}, one_less(content)));
    invite.founding_key = crypto::FoundingKey::random();
    out.add("invitation", "the founding key of another network", good,
            invite_file({}, crypto::encode_invite_content(invite)));
    invite.founding_key = network.founding_key();
    invite.founding.signatures[0].signature.bytes[0] ^= std::byte{1};
    out.add("invitation", "a founding statement that is not signed", good,
            invite_file({}, crypto::encode_invite_content(invite)));
}

namespace {

// Founding statements, each signed by its own keys.
struct Founder {
    std::vector<crypto::SigningKey> keys;

    explicit Founder(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            keys.push_back(crypto::SigningKey::random());
        }
    }
    [[nodiscard]] AuthoritySignature sign(std::size_t number, std::string_view label,
                                          const NetworkId& network, BytesView bytes) const {
        return {static_cast<std::uint8_t>(number), keys[number].sign(label, network, bytes)};
    }
    [[nodiscard]] Founding found() const {
        Founding founding;
        founding.network_name = "n";
        founding.threshold = 2;
        for (const auto& key : keys) {
            founding.authority_keys.push_back(key.public_key());
        }
        return founding;
    }
    [[nodiscard]] Bytes signed_by(Founding founding, std::initializer_list<std::size_t> by) const {
        const auto message = signed_bytes(founding);
        for (const auto number : by) {
            founding.signatures.push_back(sign(number, "founding", {}, message));
        }
        return encode_founding(founding);
    }
};

void add_founding_refusals(Refusals& out) {
    const Founder founder(3);
    const auto good = founder.signed_by(founder.found(), {0, 1});
    const auto add = [&](const char* why, auto&& damage) {
        auto founding = founder.found();
        damage(founding);
        out.add("founding", why, good, founder.signed_by(founding, {0, 1, 2}));
    };
    add("threshold 0", [](Founding& f) { f.threshold = 0; });
    add("a threshold over the number of keys", [](Founding& f) { f.threshold = 4; });
    add("one key twice", [](Founding& f) { f.authority_keys[2] = f.authority_keys[1]; });
    add("no name", [](Founding& f) { f.network_name.clear(); });
    add("a name of 65 bytes", [](Founding& f) { f.network_name = std::string(65, 'n'); });
    add("a name that is not UTF-8", [](Founding& f) { f.network_name = "\xff"; });
    add("no keys", [](Founding& f) { f.authority_keys.clear(); });
    add("17 keys", [](Founding& f) {
        while (f.authority_keys.size() < 17) {
            f.authority_keys.push_back(crypto::SigningKey::random().public_key());
        }
    });
    out.add("founding", "too few signatures", good, founder.signed_by(founder.found(), {0}));
    out.add("founding", "no signature", good, founder.signed_by(founder.found(), {}));
    out.add("founding", "signatures out of order", good,
            founder.signed_by(founder.found(), {1, 0}));
    out.add("founding", "one signature twice", good, founder.signed_by(founder.found(), {1, 1}));
    auto founding = founder.found();
    founding.authority_keys.pop_back();
    auto other_key = founder.signed_by(founding, {0, 2});
    out.add("founding", "a signature of a key that is none", good, other_key);
    out.add("founding", "one bad signature among enough",
            founder.signed_by(founder.found(), {0, 1, 2}),
            with(founder.signed_by(founder.found(), {0, 1, 2}), good.size() + 1, "00"));
    out.add("founding", "something behind it", good, one_more(good));
}

Admit plain_admit() {
    Admit admit;
    admit.index = OfficeId{9};
    admit.name = "camp-two";
    return admit;
}

// A change as bytes, with a signature that nobody checks.
Bytes unverified(std::vector<RosterStatement> statements) {
    RosterChange change;
    change.statements = std::move(statements);
    change.signatures = {{0, {}}};
    return encode_roster_change(change);
}

void add_statement_refusals(Refusals& out) {
    const auto good = unverified({plain_admit()});
    const auto add = [&](const char* why, auto&& damage) {
        auto admit = plain_admit();
        damage(admit);
        out.add("roster change", why, good, unverified({admit}));
    };
    add("an index that is no office", [](Admit& a) { a.index = authority_signer; });
    add("role 3", [](Admit& a) { a.role = static_cast<Role>(3); });
    add("first ordinal 0", [](Admit& a) { a.first_ordinal = 0; });
    add("replaces a group", [](Admit& a) { a.replaces = OfficeId{0xff00}; });
    for (const char* name :
         {"", "Camp", "1camp", "-camp", "camp-", "camp--two", "camp two", "camp-2", "camp-u7",
          "camp-b3", "camp-r12", "câmp", "a234567890123456789012345678901bc"}) {
        add("a name that is none", [&](Admit& a) { a.name = name; });
    }
    out.add("roster change", "says nothing", good, unverified({}));
    out.add("roster change", "format 2", good, with(good, 0, "02"));
    out.add("roster change", "version 0", good, with(good, 1, "00000000"));
    out.add("roster change", "ends early", good, one_less(good));
    out.add("roster change", "something behind it", good, one_more(good));
    out.add("roster change", "something behind a statement",
            unverified({CancelInvitation{OfficeId{1}}}),
            unverified({UnknownStatement{3, *from_hex("010000")}}));
    out.add("roster change", "a third way to retire",
            unverified({Retire{OfficeId{1}, no_office, {}}}),
            unverified({UnknownStatement{5, *from_hex("0100ffff02")}}));
    CutOff cut_off;
    cut_off.logs = {{{1, 3}, RecordClass::normal, 40, {}}, {{2, 3}, RecordClass::normal, 40, {}}};
    cut_off.register_incarnation = {1, 3};
    const auto add_cut_off = [&](const char* why, auto&& damage) {
        auto bad = cut_off;
        damage(bad);
        out.add("roster change", why, unverified({Revoke{OfficeId{1}, cut_off, "lost"}}),
                unverified({Revoke{OfficeId{1}, bad, "lost"}}));
    };
    add_cut_off("logs of a cut-off out of order",
                [](CutOff& c) { std::swap(c.logs[0], c.logs[1]); });
    add_cut_off("a log of a cut-off twice", [](CutOff& c) { c.logs[1] = c.logs[0]; });
    add_cut_off("a cut-off of class 4",
                [](CutOff& c) { c.logs[0].record_class = static_cast<RecordClass>(4); });
    add_cut_off("a cut-off of incarnation 0", [](CutOff& c) { c.logs[0].incarnation.ordinal = 0; });
    add_cut_off("a cut-off at a number that no record has",
                [](CutOff& c) { c.logs[1].last = UINT32_MAX; });
    add_cut_off("registers of incarnation 0, at random",
                [](CutOff& c) { c.register_incarnation = {0, 3}; });
    out.add("roster change", "a reason that is not UTF-8",
            unverified({Revoke{OfficeId{1}, cut_off, "lost"}}),
            unverified({Revoke{OfficeId{1}, cut_off, "\xff"}}));
    const auto large = [](std::size_t bytes) {
        return unverified({UnknownStatement{200, Bytes(bytes)}});
    };
    const auto envelope = large(0).size();
    out.add("roster change", "over 16 KiB", large(16'384 - envelope), large(16'385 - envelope));
}

// Chains from the founding statement on.
struct ChainPairs {
    Refusals& out;
    const Network& network;

    [[nodiscard]] Bytes chain(const std::vector<RosterChange>& further) const {
        return written_by([&](ByteWriter& to) {
            to.sized(encode_founding(network.roster.founding()));
            for (const auto& change : network.changes) {
                to.raw(encode_roster_change(change));
            }
            for (const auto& change : further) {
                to.raw(encode_roster_change(change));
            }
        });
    }
    [[nodiscard]] RosterChange next(std::vector<RosterStatement> statements) const {
        RosterChange change;
        change.at = founded_at;
        change.statements = std::move(statements);
        crypto::sign_change(network.authority, network.roster, change);
        return change;
    }
    void add(const char* why, std::vector<RosterStatement> good,
             std::vector<RosterStatement> bad) const {
        out.add("roster", why, chain({next(std::move(good))}), chain({next(std::move(bad))}));
    }
    [[nodiscard]] Admit admit() const {
        const auto machine = crypto::MachineKeys::random(crypto::FoundingKey::random());
        Admit admit;
        admit.index = network.roster.next_index();
        admit.identity = machine.identity.public_key();
        admit.link = machine.link.public_key;
        admit.mail = crypto::MailKeys::random().signing.public_key();
        admit.name = "newcomer";
        return admit;
    }
};

void add_admission_refusals(const ChainPairs& pairs) {
    const auto good = pairs.admit();
    const auto add = [&](const char* why, auto&& damage) {
        auto bad = good;
        damage(bad);
        pairs.add(why, {good}, {bad});
    };
    const auto& there = pairs.network.offices[2];
    add("an index twice", [&](Admit& a) { a.index = there.index; });
    add("the name of a live office", [&](Admit& a) { a.name = there.name; });
    add("an identity key twice",
        [&](Admit& a) { a.identity = there.machine.identity.public_key(); });
    add("a link key twice", [&](Admit& a) { a.link = there.machine.link.public_key; });
    add("a mail-class key twice", [&](Admit& a) { a.mail = there.mail.signing.public_key(); });
    add("replaces nobody", [](Admit& a) { a.replaces = OfficeId{99}; });
    auto replacing = good;
    replacing.name = there.name;
    replacing.replaces = there.index;
    pairs.add("replaces an office that stays", {replacing, Revoke{there.index, {}, ""}},
              {replacing});
    // One bad statement spoils a change.
    pairs.add("a good statement before a bad one", {good, Retire{there.index, no_office, {}}},
              {good, Retire{OfficeId{99}, no_office, {}}});
}

}  // namespace

void add_roster_refusals(Refusals& out, Network& network) {
    add_founding_refusals(out);
    add_statement_refusals(out);
    const ChainPairs pairs{out, network};
    add_admission_refusals(pairs);
    const auto member = network.offices[1].index;
    pairs.add("cancels a member", {Retire{member, no_office, {}}}, {CancelInvitation{member}});
    pairs.add("revokes nobody", {Revoke{member, {}, ""}}, {Revoke{OfficeId{99}, {}, ""}});
    const auto good = pairs.next({pairs.admit()});
    const auto good_chain = pairs.chain({good});
    const auto add = [&](const char* why, RosterChange bad) {
        bad.signatures = {{0, network.authority.sign("roster", network.id(), signed_bytes(bad))}};
        out.add("roster", why, good_chain, pairs.chain({bad}));
    };
    auto bad = good;
    ++bad.version;
    add("a version left out", bad);
    bad = good;
    bad.prev.bytes[0] ^= std::byte{1};
    add("of another chain", bad);
    bad = good;
    bad.signatures[0].signature.bytes[5] ^= std::byte{1};
    out.add("roster", "a signature that does not verify", good_chain, pairs.chain({bad}));
    bad = good;
    bad.signatures[0].key_number = 1;
    out.add("roster", "a signature of a key that is none", good_chain, pairs.chain({bad}));
    // Only members retire. An office that has retired, or is only invited, does not.
    Invitation invitation;
    invitation.index = network.roster.next_index();
    invitation.name = "newcomer";
    pairs.add("retires an invitation", {pairs.admit(), Retire{invitation.index, no_office, {}}},
              {invitation, Retire{invitation.index, no_office, {}}});
    pairs.add("retires twice over", {Retire{member, no_office, CutOff{}}},
              {Retire{member, no_office, CutOff{}}, Retire{member, no_office, {}}});
}

}  // namespace fieldpost::tests
