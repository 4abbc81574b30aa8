#include "proto/roster_change.h"

#include <fmt/format.h>

#include "proto/interval_set.h"
#include "proto/limits.h"
#include "proto/report.h"

namespace fieldpost {

namespace {

constexpr std::uint8_t statement_version = 1;

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// "camp-2", "camp-u7", "camp-b3" and "camp-r1" are ids of an office "camp".
bool looks_like_id(std::string_view name) {
    const auto dash = name.rfind('-');
    if (dash == std::string_view::npos) {
        return false;
    }
    auto tail = name.substr(dash + 1);
    if (!tail.empty() && std::string_view("ubr").contains(tail.front())) {
        tail.remove_prefix(1);
    }
    return !tail.empty() && std::ranges::all_of(tail, is_digit);
}

}  // namespace

bool is_office_name(std::string_view name) {
    if (name.empty() || name.size() > limits::office_name_bytes_max || !is_lower(name.front()) ||
        name.back() == '-' || name.contains("--") || looks_like_id(name)) {
        return false;
    }
    return std::ranges::all_of(name, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

namespace {

void write_short_text(ByteWriter& out, std::string_view text) {
    out.u8(static_cast<std::uint8_t>(text.size()));
    out.raw(as_bytes(text));
}

Result<std::string> read_short_text(ByteReader& in) {
    const auto size = TRY(in.read_u8());
    const auto bytes = TRY(in.read(size));
    return std::string(as_text(bytes));
}

}  // namespace

void write(ByteWriter& out, const std::vector<AuthoritySignature>& signatures) {
    out.u8(static_cast<std::uint8_t>(signatures.size()));
    for (const auto& signature : signatures) {
        out.u8(signature.key_number);
        out.raw(signature.signature.view());
    }
}

Result<std::vector<AuthoritySignature>> read_authority_signatures(ByteReader& in) {
    const auto count = TRY(in.read_u8());
    if (count == 0 || count > limits::authority_keys_max) {
        return fail(Errc::malformed, fmt::format("authority: {} signatures", count));
    }
    std::vector<AuthoritySignature> signatures;
    for (unsigned i = 0; i < count; ++i) {
        const auto key_number = TRY(in.read_u8());
        // The numbers must ascend, so that one key cannot be counted twice.
        if (!signatures.empty() && key_number <= signatures.back().key_number) {
            return fail(Errc::malformed, "authority: signatures not ascending by key");
        }
        signatures.push_back({key_number, TRY(in.read_array<Signature>())});
    }
    return signatures;
}

Bytes signed_bytes(const Founding& founding) {
    ByteWriter out;
    out.u8(statement_version);
    write_short_text(out, founding.network_name);
    out.u32(founding.at.seconds);
    out.u8(founding.threshold);
    out.u8(static_cast<std::uint8_t>(founding.authority_keys.size()));
    for (const auto& key : founding.authority_keys) {
        out.raw(key.view());
    }
    out.raw(founding.founding_key_hash.view());
    return out.take();
}

Bytes encode_founding(const Founding& founding) {
    ByteWriter out;
    out.raw(signed_bytes(founding));
    write(out, founding.signatures);
    return out.take();
}

Result<Founding> decode_founding(BytesView bytes) {
    ByteReader in(bytes);
    const auto version = TRY(in.read_u8());
    if (version != statement_version) {
        return fail(Errc::unsupported, fmt::format("founding: version {}", version));
    }
    Founding founding;
    founding.network_name = TRY(read_short_text(in));
    if (founding.network_name.empty() || !is_valid_utf8(founding.network_name) ||
        founding.network_name.size() > limits::network_name_bytes_max) {
        return fail(Errc::malformed, "founding: the network's name");
    }
    founding.at = WallTime{TRY(in.read_u32())};
    founding.threshold = TRY(in.read_u8());
    const auto keys = TRY(in.read_u8());
    if (keys == 0 || keys > limits::authority_keys_max || founding.threshold == 0 ||
        founding.threshold > keys) {
        return fail(Errc::malformed,
                    fmt::format("founding: {} of {} keys", founding.threshold, keys));
    }
    for (unsigned i = 0; i < keys; ++i) {
        const auto key = TRY(in.read_array<SigningPublic>());
        if (std::ranges::find(founding.authority_keys, key) != founding.authority_keys.end()) {
            return fail(Errc::malformed, "founding: one key counted twice");
        }
        founding.authority_keys.push_back(key);
    }
    founding.founding_key_hash = TRY(in.read_array<Hash>());
    founding.signatures = TRY(read_authority_signatures(in));
    TRY(in.expect_end("founding"));
    return founding;
}

namespace {

enum class StatementType : std::uint8_t {
    admit = 1,
    invitation = 2,
    cancel_invitation = 3,
    revoke = 4,
    retire = 5,
    join_heads = 6,
};

Result<OfficeId> read_office(ByteReader& in) {
    const OfficeId office{TRY(in.read_u16())};
    if (office >= authority_signer) {
        return fail(Errc::malformed, "roster: an index that names no office");
    }
    return office;
}

Result<OfficeId> read_office_or_none(ByteReader& in) {
    const OfficeId office{TRY(in.read_u16())};
    if (office >= authority_signer && office != no_office) {
        return fail(Errc::malformed, "roster: an index that names no office");
    }
    return office;
}

Result<Role> read_role(ByteReader& in) {
    const auto role = TRY(in.read_u8());
    if (role > static_cast<std::uint8_t>(Role::hq)) {
        return fail(Errc::malformed, fmt::format("roster: role {}", role));
    }
    return static_cast<Role>(role);
}

Result<std::string> read_name(ByteReader& in) {
    auto name = TRY(read_short_text(in));
    if (!is_office_name(name)) {
        return fail(Errc::malformed, "roster: an office's name that is none");
    }
    return name;
}

Result<std::uint16_t> read_ordinal(ByteReader& in) {
    const auto ordinal = TRY(in.read_u16());
    if (ordinal == 0) {
        return fail(Errc::malformed, "roster: incarnations are counted from 1");
    }
    return ordinal;
}

void write_cut_off(ByteWriter& out, const CutOff& cut_off) {
    out.varint(cut_off.logs.size());
    for (const auto& log : cut_off.logs) {
        write(out, log.incarnation);
        out.u8(static_cast<std::uint8_t>(log.record_class));
        out.u32(log.last);
        out.raw(log.id.view());
    }
    write(out, cut_off.register_incarnation);
    out.u48(cut_off.register_counter);
}

Result<CutOff> read_cut_off(ByteReader& in) {
    CutOff cut_off;
    const auto count = TRY(in.read_varint());
    for (std::uint64_t i = 0; i < count; ++i) {
        CutOff::Log log;
        log.incarnation = TRY(read_incarnation(in));
        log.record_class = TRY(read_record_class(in));
        log.last = TRY(in.read_u32());
        if (log.last > record_number_max) {
            return fail(Errc::malformed, "roster: a cut-off at a number that no record has");
        }
        log.id = TRY(in.read_array<RecordId>());
        cut_off.logs.push_back(log);
    }
    const auto order = [](const CutOff::Log& log) {
        return std::pair(log.incarnation, log.record_class);
    };
    if (std::ranges::adjacent_find(cut_off.logs, std::ranges::greater_equal{}, order) !=
        cut_off.logs.end()) {
        return fail(Errc::malformed, "roster: logs of a cut-off not ascending");
    }
    cut_off.register_incarnation = TRY(read_incarnation_or_none(in));
    cut_off.register_counter = TRY(in.read_u48());
    return cut_off;
}

struct StatementWriter {
    ByteWriter& out;

    StatementType operator()(const Admit& admit) {
        out.u16(value_of(admit.index));
        out.u8(static_cast<std::uint8_t>(admit.role));
        out.u16(admit.first_ordinal);
        out.raw(admit.identity.view());
        out.raw(admit.link.view());
        out.raw(admit.mail.view());
        out.u16(value_of(admit.replaces));
        write_short_text(out, admit.name);
        return StatementType::admit;
    }
    StatementType operator()(const Invitation& invitation) {
        out.u16(value_of(invitation.index));
        out.u8(static_cast<std::uint8_t>(invitation.role));
        out.u16(invitation.first_ordinal);
        out.raw(invitation.one_time_signing.view());
        out.raw(invitation.one_time_box.view());
        out.u32(invitation.expires.seconds);
        out.u16(value_of(invitation.replaces));
        write_short_text(out, invitation.name);
        return StatementType::invitation;
    }
    StatementType operator()(const CancelInvitation& cancel) {
        out.u16(value_of(cancel.index));
        return StatementType::cancel_invitation;
    }
    StatementType operator()(const Revoke& revoke) {
        out.u16(value_of(revoke.index));
        write_cut_off(out, revoke.cut_off);
        write_short_text(out, revoke.reason);
        return StatementType::revoke;
    }
    StatementType operator()(const Retire& retire) {
        out.u16(value_of(retire.index));
        out.u16(value_of(retire.successor));
        out.u8(retire.closed ? 1 : 0);
        if (retire.closed) {
            write_cut_off(out, *retire.closed);
        }
        return StatementType::retire;
    }
    StatementType operator()(const JoinHeads& join) {
        out.raw(join.other_head.view());
        return StatementType::join_heads;
    }
    StatementType operator()(const UnknownStatement& unknown) {
        out.raw(unknown.payload);
        return static_cast<StatementType>(unknown.type);
    }
};

Result<Admit> read_admit(ByteReader& in) {
    Admit admit;
    admit.index = TRY(read_office(in));
    admit.role = TRY(read_role(in));
    admit.first_ordinal = TRY(read_ordinal(in));
    admit.identity = TRY(in.read_array<SigningPublic>());
    admit.link = TRY(in.read_array<BoxPublic>());
    admit.mail = TRY(in.read_array<SigningPublic>());
    admit.replaces = TRY(read_office_or_none(in));
    admit.name = TRY(read_name(in));
    return admit;
}

Result<Invitation> read_invitation(ByteReader& in) {
    Invitation invitation;
    invitation.index = TRY(read_office(in));
    invitation.role = TRY(read_role(in));
    invitation.first_ordinal = TRY(read_ordinal(in));
    invitation.one_time_signing = TRY(in.read_array<SigningPublic>());
    invitation.one_time_box = TRY(in.read_array<BoxPublic>());
    invitation.expires = WallTime{TRY(in.read_u32())};
    invitation.replaces = TRY(read_office_or_none(in));
    invitation.name = TRY(read_name(in));
    return invitation;
}

Result<Revoke> read_revoke(ByteReader& in) {
    Revoke revoke;
    revoke.index = TRY(read_office(in));
    revoke.cut_off = TRY(read_cut_off(in));
    revoke.reason = TRY(read_short_text(in));
    if (!is_valid_utf8(revoke.reason)) {
        return fail(Errc::malformed, "roster: a reason that is not UTF-8");
    }
    return revoke;
}

Result<Retire> read_retire(ByteReader& in) {
    Retire retire;
    retire.index = TRY(read_office(in));
    retire.successor = TRY(read_office_or_none(in));
    const auto closed = TRY(in.read_u8());
    if (closed > 1) {
        return fail(Errc::malformed, "roster: retiring or retired, no third");
    }
    if (closed == 1) {
        retire.closed = TRY(read_cut_off(in));
    }
    return retire;
}

Result<RosterStatement> read_statement(ByteReader& in) {
    const auto type = TRY(in.read_u8());
    const auto size = TRY(in.read_u16());
    ByteReader payload(TRY(in.read(size)));
    RosterStatement statement;
    switch (static_cast<StatementType>(type)) {
        case StatementType::admit:
            statement = TRY(read_admit(payload));
            break;
        case StatementType::invitation:
            statement = TRY(read_invitation(payload));
            break;
        case StatementType::cancel_invitation:
            statement = CancelInvitation{TRY(read_office(payload))};
            break;
        case StatementType::revoke:
            statement = TRY(read_revoke(payload));
            break;
        case StatementType::retire:
            statement = TRY(read_retire(payload));
            break;
        case StatementType::join_heads:
            statement = JoinHeads{TRY(payload.read_array<Hash>())};
            break;
        default:
            statement = UnknownStatement{type, to_bytes(TRY(payload.read(payload.left())))};
    }
    TRY(payload.expect_end("roster statement"));
    return statement;
}

}  // namespace

Bytes signed_bytes(const RosterChange& change) {
    ByteWriter out;
    out.u8(statement_version);
    out.u32(change.version);
    out.raw(change.prev.view());
    out.u32(change.at.seconds);
    out.u8(static_cast<std::uint8_t>(change.statements.size()));
    for (const auto& statement : change.statements) {
        ByteWriter payload;
        const auto type = std::visit(StatementWriter{payload}, statement);
        out.u8(static_cast<std::uint8_t>(type));
        out.u16(static_cast<std::uint16_t>(payload.size()));
        out.raw(payload.bytes());
    }
    return out.take();
}

Bytes encode_roster_change(const RosterChange& change) {
    ByteWriter out;
    out.raw(signed_bytes(change));
    write(out, change.signatures);
    return out.take();
}

Result<RosterChange> read_roster_change(ByteReader& in) {
    const auto left_before = in.left();
    const auto version = TRY(in.read_u8());
    if (version != statement_version) {
        return fail(Errc::unsupported, fmt::format("roster change: format {}", version));
    }
    RosterChange change;
    change.version = TRY(in.read_u32());
    change.prev = TRY(in.read_array<Hash>());
    change.at = WallTime{TRY(in.read_u32())};
    const auto count = TRY(in.read_u8());
    if (change.version == 0 || count == 0) {
        return fail(Errc::malformed, "roster change: version 0, or it says nothing");
    }
    for (unsigned i = 0; i < count; ++i) {
        change.statements.push_back(TRY(read_statement(in)));
    }
    change.signatures = TRY(read_authority_signatures(in));
    if (left_before - in.left() > limits::roster_change_bytes_max) {
        return fail(Errc::limit_exceeded, "roster change: over 16 KiB");
    }
    return change;
}

}  // namespace fieldpost
