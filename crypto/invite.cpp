#include "crypto/invite.h"

#include <fmt/format.h>
#include <sodium.h>

#include "crypto/roster.h"
#include "proto/typed.h"

namespace fieldpost::crypto {

namespace {

constexpr std::string_view invite_magic = "fpinvite";
constexpr std::uint8_t invite_version = 1;
constexpr std::size_t salt_bytes = 16;
// Limits on reading: enough to be worth something, but not so much that a file could stop the
// machine.
constexpr std::uint32_t memory_kib_min = 64 * 1024;
constexpr std::uint32_t memory_kib_max = 1024 * 1024;
constexpr std::uint32_t passes_min = 2;
constexpr std::uint32_t passes_max = 20;
constexpr std::size_t file_bytes_max = 16U << 20;

// Crockford's base 32: no I, L, O or U.
constexpr std::string_view alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t code_characters = 10;

std::string canonical_code(std::string_view code) {
    std::string canonical;
    for (const char c : plain_typed(code)) {
        if (c == '-') {
            continue;
        }
        const char upper = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        const bool is_one = upper == 'I' || upper == 'L';
        canonical += is_one ? '1' : upper == 'O' ? '0' : upper;
    }
    return canonical;
}

Result<SealKey> key_from_code(std::string_view code, BytesView salt, CodeCost cost) {
    const auto canonical = canonical_code(code);
    SealKey key;
    if (crypto_pwhash(reinterpret_cast<unsigned char*>(key.mutable_view().data()), SealKey::size,
                      canonical.data(), canonical.size(),
                      reinterpret_cast<const unsigned char*>(salt.data()), cost.passes,
                      std::size_t{cost.memory_kib} * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0) {
        return fail(Errc::unavailable,
                    fmt::format("invitation: {} MiB of memory are needed for the code",
                                cost.memory_kib / 1024));
    }
    return key;
}

struct InviteHead {
    bool has_code = false;
    CodeCost cost;
    Bytes salt;
};

Bytes encode_head(const InviteHead& head) {
    ByteWriter out;
    out.raw(as_bytes(invite_magic));
    out.u8(invite_version);
    out.u8(head.has_code ? 1 : 0);
    out.u32(head.cost.passes);
    out.u32(head.cost.memory_kib);
    out.raw(head.salt);
    return out.take();
}

Result<InviteHead> read_head(ByteReader& in) {
    if (!equal(TRY(in.read(invite_magic.size())), as_bytes(invite_magic))) {
        return fail(Errc::malformed, "invitation: not one");
    }
    if (TRY(in.read_u8()) != invite_version) {
        return fail(Errc::unsupported, "invitation: written by a newer release");
    }
    InviteHead head;
    const auto has_code = TRY(in.read_u8());
    head.has_code = has_code == 1;
    head.cost.passes = TRY(in.read_u32());
    head.cost.memory_kib = TRY(in.read_u32());
    head.salt = to_bytes(TRY(in.read(salt_bytes)));
    if (has_code > 1 || head.cost.passes < passes_min || head.cost.passes > passes_max ||
        head.cost.memory_kib < memory_kib_min || head.cost.memory_kib > memory_kib_max) {
        return fail(Errc::malformed, "invitation: a cost out of bounds");
    }
    return head;
}

// Without a code every holder of the file has the key, because it is derived from the salt.
Result<SealKey> key_of(const InviteHead& head, std::string_view code) {
    if (head.has_code) {
        return key_from_code(code, head.salt, head.cost);
    }
    return SealKey::from(hash("invite-open", {}, {head.salt}).view());
}

}  // namespace

WallTime first_mark(WallTime clock, WallTime invited) {
    constexpr std::int64_t furthest_seconds = std::int64_t{1000} * 86400;
    return clock.is_surely_wrong()
               ? invited
               : std::max(clock, std::min(invited, clock.plus(furthest_seconds)));
}

Bytes encode_invite_content(const Invite& invite) {
    ByteWriter out;
    out.raw(invite.seed.view());
    out.raw(invite.founding_key.view());
    out.u16(value_of(invite.index));
    out.sized(encode_founding(invite.founding));
    out.varint(invite.roster.size());
    for (const auto& change : invite.roster) {
        out.raw(encode_roster_change(change));
    }
    out.varint(invite.registers.size());
    for (const auto& entry : invite.registers) {
        out.raw(encode_register(entry));
    }
    return out.take();
}

Result<Invite> decode_invite_content(BytesView plain) {
    ByteReader in(plain);
    Invite invite;
    invite.seed = InviteSeed::from(TRY(in.read(InviteSeed::size)));
    invite.founding_key = FoundingKey::from(TRY(in.read(FoundingKey::size)));
    invite.index = OfficeId{TRY(in.read_u16())};
    invite.founding = TRY(decode_founding(TRY(in.read_sized(plain.size()))));
    const auto changes = TRY(in.read_varint());
    for (std::uint64_t i = 0; i < changes; ++i) {
        invite.roster.push_back(TRY(read_roster_change(in)));
    }
    const auto registers = TRY(in.read_varint());
    for (std::uint64_t i = 0; i < registers; ++i) {
        invite.registers.push_back(TRY(read_register(in)));
    }
    TRY(in.expect_end("invitation"));
    TRY(Roster::found(invite.founding));
    if (founding_key_hash(invite.founding_key) != invite.founding.founding_key_hash) {
        return fail(Errc::untrusted, "invitation: the founding key is another network's");
    }
    return invite;
}

SigningKey one_time_signing_key(const InviteSeed& seed) {
    return SigningKey::from_seed(
        SigningSeed::from(keyed_hash(seed.view(), "invite-signing", {}, {}).view()));
}

BoxKeyPair one_time_box_key(const InviteSeed& seed) {
    return BoxKeyPair::from_secret(
        BoxSecret::from(keyed_hash(seed.view(), "invite-box", {}, {}).view()));
}

std::string random_invite_code() {
    std::array<std::byte, code_characters> random{};
    fill_random(random);
    std::string code;
    for (const auto byte : random) {
        if (code.size() == code_characters / 2) {
            code += '-';
        }
        // 256 is a multiple of 32: no character is likelier than another.
        code += alphabet[std::to_integer<std::size_t>(byte) % alphabet.size()];
    }
    return code;
}

Result<Bytes> seal_invite(const Invite& invite, std::string_view code, CodeCost cost) {
    InviteHead head{!code.empty(), cost, Bytes(salt_bytes)};
    fill_random(head.salt);
    const auto key = TRY(key_of(head, code));
    const auto encoded = encode_head(head);
    auto plain = encode_invite_content(invite);
    ByteWriter out;
    out.raw(encoded);
    out.raw(seal_value(key, encoded, plain));
    wipe(plain);
    return out.take();
}

bool invite_needs_code(BytesView file) {
    ByteReader in(file);
    const auto head = read_head(in);
    return head && head->has_code;
}

Result<Invite> open_invite(BytesView file, std::string_view code) {
    if (file.size() > file_bytes_max) {
        return fail(Errc::limit_exceeded, "invitation: far too large");
    }
    ByteReader in(file);
    const auto head = TRY(read_head(in));
    if (!head.has_code && !code.empty()) {
        return fail(Errc::untrusted, "invitation: a code was told, but this file needs none");
    }
    const auto key = TRY(key_of(head, code));
    auto plain = open_value(key, encode_head(head), in.rest());
    if (!plain) {
        return fail(head.has_code ? Errc::untrusted : Errc::malformed,
                    head.has_code ? "invitation: another code, or the file is damaged"
                                  : "invitation: the file is damaged");
    }
    auto invite = decode_invite_content(*plain);
    wipe(*plain);
    return invite;
}

}  // namespace fieldpost::crypto
