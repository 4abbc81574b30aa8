#include "daemon/engine/registers.h"

#include "crypto/register_seal.h"
#include "daemon/engine/membership/cut_offs.h"
#include "daemon/engine/membership/forks.h"
#include "daemon/engine/record/terminal.h"
#include "daemon/engine/self_check.h"
#include "proto/epoch_slots.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// An office may leave with us this many registers of kinds that only a later release knows.
constexpr std::size_t unknown_registers_max = 16;

bool is_of(const Register& entry, RegisterKind kind) {
    return entry.key.kind == static_cast<std::uint8_t>(kind);
}

bool is_known(std::uint8_t kind) {
    return kind >= static_cast<std::uint8_t>(RegisterKind::receipt) &&
           kind <= static_cast<std::uint8_t>(RegisterKind::fork);
}

// A subject that a kind cannot have would let one office fill our store with registers.
Result<void> check_content(const Ledger& ledger, const crypto::RosterOffice& signer,
                           const Register& entry) {
    switch (static_cast<RegisterKind>(entry.key.kind)) {
        case RegisterKind::receipt: {
            const auto author = TRY(read_receipt_subject(entry.key.subject));
            if (ledger.roster().find(author) == nullptr) {
                return fail(Errc::untrusted, "receipt: for an office that is not in the roster");
            }
            TRY(decode_receipt(entry.payload));
            return ok();
        }
        case RegisterKind::office: {
            if (!entry.key.subject.empty()) {
                return fail(Errc::malformed, "office register: with a subject");
            }
            const auto statement = TRY(decode_office_statement(entry.payload));
            for (const auto& prekey : statement.prekeys) {
                if (!crypto::verify_prekey(signer.mail, ledger.network(), signer.index, prekey)) {
                    return fail(Errc::untrusted, "office register: a key that is not the office's");
                }
                // Nobody could write to a group that such an office is in.
                if (!crypto::is_key(prekey.key)) {
                    return fail(Errc::untrusted, "office register: a key of small order");
                }
            }
            return ok();
        }
        default:
            return ok();
    }
}

// Keeps the lowest of them, whoever was met first: so all offices keep the same ones.
bool is_within_share(Ledger& ledger, const Register& entry) {
    if (is_known(entry.key.kind) || ledger.newest(entry.key) != nullptr) {
        return true;
    }
    std::vector<RegisterKey> unknown;
    for (auto at = ledger.registers().lower_bound(RegisterKey{entry.key.signer, 0, {}});
         at != ledger.registers().end() && at->first.key.signer == entry.key.signer; ++at) {
        if (!is_known(at->first.key.kind)) {
            unknown.push_back(at->first.key);
        }
    }
    if (unknown.size() < unknown_registers_max) {
        return true;
    }
    if (unknown.back() < entry.key) {
        return false;
    }
    ledger.drop_register(unknown.back());
    return true;
}

// A request to be admitted. Those with the lowest hashes are kept, whatever was met first and
// whatever has become of the invitation: otherwise the leaves of two offices would differ for ever.
// The holder of the one-time key may go on with lower hashes, as a signer may with newer registers.
Result<bool> take_enrolment(Ledger& ledger, const Register& entry, Now now,
                            std::vector<Notice>& notify) {
    const auto* invited = ledger.roster().find(entry.key.signer);
    const auto name = ledger.name_of(entry);
    if (invited == nullptr || ledger.kept(name) != nullptr) {
        return false;
    }
    TRY(crypto::verify_enrolment(invited->one_time_signing, ledger.network(), entry));
    const auto others = ledger.enrolments(entry.key.signer);
    if (others.size() == limits::enrolments_max) {
        const auto highest = ledger.name_of(*others.back());
        if (highest < name) {
            return false;
        }
        ledger.drop_register(highest);
    }
    ledger.keep_register(entry);
    if (!others.empty()) {
        ledger.note(What::second_enrolment, {.office = entry.key.signer}, now, notify);
    }
    return true;
}

}  // namespace

Result<bool> take_register(Ledger& ledger, const Register& entry, Via from, Now now,
                           std::vector<Notice>& notify) {
    if (is_of(entry, RegisterKind::enrolment)) {
        return take_enrolment(ledger, entry, now, notify);
    }
    if (is_of(entry, RegisterKind::epoch_slots)) {
        TRY(decode_epoch_slots(entry));
        TRY(crypto::verify_epoch_slots(ledger.roster().founding(), ledger.network(), entry));
        return ledger.keep_register(entry);
    }
    const auto* signer = ledger.roster().find(entry.key.signer);
    if (signer == nullptr || !signer->has_keys()) {
        return fail(Errc::untrusted, "register: by an office that is not in the roster");
    }
    const auto* old = ledger.newest(entry.key);
    if (old != nullptr && (entry.version < old->version || *old == entry)) {
        return false;
    }
    if (is_of(entry, RegisterKind::fork)) {
        return take_fork(ledger, entry, from, now, notify);
    }
    if (ledger.is_closed(entry.key.signer)) {
        return false;
    }
    TRY(check_content(ledger, *signer, entry));
    if (is_beyond_cut_off(*signer, entry.version)) {
        return false;  // whoever brings it may not know of the cut-off yet
    }
    if (!crypto::verify_register(signer->identity, ledger.network(), entry)) {
        return fail(Errc::untrusted, "register: the signature does not verify");
    }
    if (entry.key.signer == ledger.us()) {
        // We signed it and do not know it, or signed something else as that version.
        if (entry.version.incarnation >= ledger.meta().incarnation) {
            stop_writing(ledger, from, std::nullopt, entry.version.incarnation, now, notify);
        }
        return false;
    }
    if (!is_within_share(ledger, entry)) {
        return false;
    }
    std::optional<Receipt> before;
    std::optional<OfficeId> author;
    if (is_of(entry, RegisterKind::receipt)) {
        author = TRY(read_receipt_subject(entry.key.subject));
        const auto kept = ledger.receipt(entry.key.signer, *author);
        const auto* receipt = *author == ledger.us()
                                  ? ledger.heard_receipts().acted_on(entry.key.signer)
                                  : kept.get();
        if (receipt != nullptr) {
            before = *receipt;
        }
    }
    const auto* known = is_of(entry, RegisterKind::office) ? ledger.newest(entry.key) : nullptr;
    const bool begins_anew =
        known != nullptr && entry.version.incarnation.ordinal > known->version.incarnation.ordinal;
    if (!ledger.keep_register(entry)) {
        return false;
    }
    const auto* mail = ledger.config().mail;
    if (begins_anew && mail != nullptr && mail->authority) {
        ledger.note(What::began_anew, {.office = entry.key.signer, .via = from}, now, notify);
    }
    ledger.heard_of(entry.key.signer, entry.at, now);
    if (author && *author == ledger.us()) {
        // A receipt that is not believed is kept all the same, or our leaf of its signer would
        // differ from everybody's.
        auto sifted = TRY(sift(ledger, TRY(decode_receipt(entry.payload))));
        for (const auto& prove : sifted.to_prove) {
            ledger.ask_for_proof(prove.log, prove.number, from.office);
            if (from.office != entry.key.signer) {
                ledger.ask_for_proof(prove.log, prove.number, entry.key.signer);
            }
        }
        ledger.heard_receipts().act_on(entry.key.signer, std::move(sifted.believed));
    }
    if (author) {
        TRY(apply_receipt(ledger, entry.key.signer, *author, before ? &*before : nullptr, from, now,
                          notify));
    } else if (is_of(entry, RegisterKind::office)) {
        TRY(apply_statement(ledger, entry.key.signer));
    }
    return true;
}

}  // namespace fieldpost::engine
