#include "daemon/engine/intake.h"

#include <fmt/format.h>

#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/delivery.h"
#include "daemon/engine/terminal.h"

namespace fieldpost::engine {

Arriving arriving(const Ledger& ledger, Header header, const Signature& signature,
                  const Hash& body_hash) {
    const auto id = crypto::record_id(ledger.network(), header, body_hash);
    return {std::move(header), signature, body_hash, id};
}

namespace {

void refuse(Ledger& ledger, const Header& header, RefusalReason reason) {
    auto& state = ledger.edit_log(header.log);
    const auto fresh = without({header.run()}, state.not_wanted());
    if (!fresh.empty()) {
        state.refused[static_cast<std::uint8_t>(reason)].add(fresh);
    }
}

void note_about(Ledger& ledger, What what, const Header& header, OfficeId from, Now now,
                std::vector<Notice>& notify) {
    storage::Event event;
    event.at = ledger.wall(now);
    event.what = static_cast<std::uint8_t>(what);
    event.how = static_cast<std::uint8_t>(How::link);
    event.office = header.log.author;
    event.via = from;
    event.report = storage::ReportKey{
        header.log.author, {header.log.incarnation, header.log.record_class, header.number}};
    ledger.note(std::move(event), notify);
}

// What the author wrote before it was cut off stays valid; later runs, and logs not listed, do not.
bool is_beyond_cut_off(const crypto::RosterOffice& author, const Header& header) {
    if (!author.cut_off) {
        return false;
    }
    for (const auto& log : author.cut_off->logs) {
        if (log.incarnation == header.log.incarnation &&
            log.record_class == header.log.record_class) {
            return header.run().last > log.last;
        }
    }
    return true;
}

// A record ages from `created`, unless that cannot be trusted: then from first seen here.
WallTime expiry_of(const Ledger& ledger, const Header& header, Now now) {
    const auto seen = ledger.wall(now);
    const auto* author = ledger.roster().find(header.log.author);
    const bool in_doubt = header.created > seen || (header.flags & flag_doubtful) != 0 ||
                          (author != nullptr && header.created < author->added);
    return (in_doubt ? seen : header.created).plus(header.lifetime_seconds);
}

}  // namespace

Result<Verdict> judge(Ledger& ledger, const Arriving& record, OfficeId from, Now now,
                      std::vector<Notice>& notify) {
    const auto& header = record.header;
    const auto* author = ledger.roster().find(header.log.author);
    if (author == nullptr || !author->has_keys()) {
        // Nothing is remembered of it: it cannot be verified, and who could sign it comes first.
        return Verdict::forged;
    }
    const auto& state = ledger.log(header.log);
    const auto run = header.run();
    // Cheap before dear: most repeats end here.
    if (state.terminal.contains_all(run)) {
        return Verdict::known;
    }
    if (state.held.contains_any(run)) {
        const auto held = TRY(ledger.held_id(header.log, *state.held.next(run.first)));
        if (held == record.id) {
            return Verdict::known;
        }
        if (!crypto::verify_record(author->identity, ledger.network(), record.id,
                                   record.signature)) {
            return Verdict::forged;
        }
        note_about(ledger, header.log.author == ledger.us() ? What::rolled_back : What::fork,
                   header, from, now, notify);
        return Verdict::conflict;
    }
    if (!crypto::verify_record(author->identity, ledger.network(), record.id, record.signature)) {
        return Verdict::forged;
    }
    if (!check_header(header)) {
        // Its author signed what no release allows: this id is never taken.
        refuse(ledger, header, RefusalReason::invalid);
        return Verdict::refused;
    }
    if (header.log.author == ledger.us()) {
        return Verdict::ours;
    }
    if (state.not_wanted().contains_all(run)) {
        return Verdict::known;
    }
    if (is_beyond_cut_off(*author, header) ||
        (state.closed_from != 0 && run.last >= state.closed_from)) {
        refuse(ledger, header, RefusalReason::roster);
        return Verdict::refused;
    }
    const bool is_for_us = header.is_addressed_to(ledger.us());
    if (is_for_us && header.kind >= record_kinds) {
        refuse(ledger, header, RefusalReason::version);
        return Verdict::refused;
    }
    if (is_for_us) {
        return Verdict::wanted;
    }
    if (!ledger.config().carries) {
        refuse(ledger, header, RefusalReason::limit);
        return Verdict::refused;
    }
    if (expiry_of(ledger, header, now) <= ledger.wall(now)) {
        TRY(make_terminal(ledger, header.log, {run}));
        return Verdict::refused;
    }
    IntervalSet served;
    for (std::uint64_t n = run.first; n <= run.last; ++n) {
        if (is_owed_to_nobody(ledger, header, static_cast<Number>(n))) {
            served.add(static_cast<Number>(n));
        }
    }
    if (served.contains_all(run)) {
        // Its header was read whole, so a receipt may count it.
        TRY(make_terminal(ledger, header.log, served));
        return Verdict::refused;
    }
    return Verdict::wanted;
}

Result<void> keep(Ledger& ledger, const Arriving& record, const Body& body, OfficeId from, Now now,
                  std::vector<Notice>& notify) {
    const auto& header = record.header;
    storage::StoredRecord stored;
    stored.arrival = ledger.next_arrival(header.count);
    stored.log = header.log;
    stored.run = header.run();
    stored.id = record.id;
    stored.signature = record.signature;
    stored.received = ledger.wall(now);
    stored.expires = expiry_of(ledger, header, now);
    stored.header = encode_header(header);
    stored.blob = body.blob;
    stored.body = body.one_piece;
    auto& state = ledger.edit_log(header.log);
    state.held.add(stored.run);
    for (auto& [reason, refused] : state.refused) {
        refused.remove(stored.run);
    }
    std::erase_if(state.refused, [](const auto& entry) { return entry.second.empty(); });
    ledger.put_record(stored);
    ledger.tell_held(header.log, stored.run);
    if (header.is_addressed_to(ledger.us())) {
        return deliver(ledger, stored, header, body, from, now, notify);
    }
    mark_receipted(ledger, header, record.id);
    ledger.write(storage::PutExpiry{stored.expires, stored.arrival});
    auto& meta = ledger.edit_meta();
    ++meta.carried_records;
    meta.carried_bytes += header.body_bytes;
    return ok();
}

namespace {

// Registers beyond a cut-off are refused like records.
bool is_register_beyond_cut_off(const crypto::RosterOffice& signer,
                                const RegisterVersion& version) {
    return signer.cut_off && version > RegisterVersion{signer.cut_off->register_incarnation,
                                                       signer.cut_off->register_counter};
}

// A subject that a kind cannot have would let one office fill our store with registers.
Result<void> check_subject(const Ledger& ledger, const Register& entry) {
    switch (static_cast<RegisterKind>(entry.key.kind)) {
        case RegisterKind::receipt: {
            const auto author = TRY(read_receipt_subject(entry.key.subject));
            if (ledger.roster().find(author) == nullptr) {
                return fail(Errc::untrusted, "receipt: for an office that is not in the roster");
            }
            TRY(decode_receipt(entry.payload));
            return ok();
        }
        case RegisterKind::office:
            if (!entry.key.subject.empty()) {
                return fail(Errc::malformed, "office register: with a subject");
            }
            TRY(decode_office_statement(entry.payload));
            return ok();
        default:
            // Kinds that this release only carries, or does not know: none is taken yet.
            return fail(Errc::unsupported,
                        fmt::format("register: kind {}", static_cast<unsigned>(entry.key.kind)));
    }
}

}  // namespace

namespace {

// A request to be admitted. Nothing replaces one: the first that is met is the one that counts.
Result<bool> take_enrolment(Ledger& ledger, const Register& entry, Now now,
                            std::vector<Notice>& notify) {
    const auto* invited = ledger.roster().find(entry.key.signer);
    if (invited == nullptr || invited->state != crypto::OfficeState::invited) {
        return false;
    }
    TRY(crypto::verify_enrolment(invited->one_time_signing, ledger.network(), entry));
    const auto* old = ledger.newest(entry.key);
    if (old == nullptr) {
        return ledger.keep_register(entry);
    }
    if (*old != entry) {
        storage::Event event;
        event.at = ledger.wall(now);
        event.what = static_cast<std::uint8_t>(What::second_enrolment);
        event.office = entry.key.signer;
        ledger.note(std::move(event), notify);
    }
    return false;
}

}  // namespace

Result<bool> take_register(Ledger& ledger, const Register& entry, Now now,
                           std::vector<Notice>& notify) {
    if (entry.key.kind == static_cast<std::uint8_t>(RegisterKind::enrolment)) {
        return take_enrolment(ledger, entry, now, notify);
    }
    const auto* signer = ledger.roster().find(entry.key.signer);
    if (signer == nullptr || !signer->has_keys()) {
        return fail(Errc::untrusted, "register: by an office that is not in the roster");
    }
    const auto* old = ledger.newest(entry.key);
    if (old != nullptr && entry.version < old->version) {
        return false;
    }
    TRY(check_subject(ledger, entry));
    if (is_register_beyond_cut_off(*signer, entry.version)) {
        return fail(Errc::untrusted, "register: beyond the signer's cut-off");
    }
    if (!crypto::verify_register(signer->identity, ledger.network(), entry)) {
        return fail(Errc::untrusted, "register: the signature does not verify");
    }
    if (entry.key.signer == ledger.us() && (old == nullptr || *old != entry)) {
        storage::Event event;
        event.at = ledger.wall(now);
        event.what = static_cast<std::uint8_t>(What::rolled_back);
        event.office = ledger.us();
        ledger.note(std::move(event), notify);
        return false;
    }
    std::optional<Receipt> before;
    std::optional<OfficeId> author;
    if (entry.key.kind == static_cast<std::uint8_t>(RegisterKind::receipt)) {
        author = TRY(read_receipt_subject(entry.key.subject));
        if (const auto* receipt = ledger.receipt(entry.key.signer, *author)) {
            before = *receipt;
        }
    }
    if (!ledger.keep_register(entry)) {
        return false;
    }
    if (author) {
        TRY(apply_receipt(ledger, entry.key.signer, *author, before ? &*before : nullptr, now,
                          notify));
    } else {
        TRY(apply_statement(ledger, entry.key.signer));
    }
    return true;
}

Result<void> take_custody(Ledger& ledger, const Custody& custody, Now now,
                          std::vector<Notice>& notify) {
    const auto* signer = ledger.roster().find(custody.signer);
    if (custody.author != ledger.us() || custody.signer == ledger.us() || signer == nullptr ||
        !signer->is_member()) {
        return fail(Errc::untrusted, "custody: not by a member about us");
    }
    if (!crypto::verify_custody(signer->identity, ledger.network(), custody)) {
        return fail(Errc::untrusted, "custody: the signature does not verify");
    }
    std::map<LogKey, IntervalSet> before;
    if (const auto* old = ledger.custody(custody.signer)) {
        for (const auto& log : old->logs) {
            before[{ledger.us(), log.incarnation, log.record_class}] = log.held;
        }
    }
    // Never more than can be proved: a top that is not ours proves nothing.
    for (const auto& log : custody.logs) {
        const LogKey key{ledger.us(), log.incarnation, log.record_class};
        const auto top =
            TRY(ledger.store().record(key, log.held.top(), storage::StoreView::Body::no));
        if (!top || short_hash(top->id) != log.top_id ||
            log.held.top() > ledger.log(key).published) {
            return fail(Errc::untrusted, "custody: of records that are not ours");
        }
    }
    if (!ledger.keep_custody(custody)) {
        return ok();
    }
    for (const auto& log : custody.logs) {
        const LogKey key{ledger.us(), log.incarnation, log.record_class};
        const auto fresh = intersection(without(log.held, before[key]), ledger.log(key).held);
        for (auto number = fresh.next(1); number; number = fresh.next(*number + 1)) {
            storage::Event event;
            event.at = ledger.wall(now);
            event.what = static_cast<std::uint8_t>(What::carried);
            event.how = static_cast<std::uint8_t>(How::link);
            event.office = custody.signer;
            event.via = custody.signer;
            event.report =
                storage::ReportKey{ledger.us(), {key.incarnation, key.record_class, *number}};
            ledger.note(std::move(event), notify);
        }
    }
    return ok();
}

}  // namespace fieldpost::engine
