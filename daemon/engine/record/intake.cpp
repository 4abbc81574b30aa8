#include "daemon/engine/record/intake.h"

#include <fmt/format.h>

#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/membership/forks.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/carry_share.h"
#include "daemon/engine/record/chain.h"
#include "daemon/engine/record/delivery.h"
#include "daemon/engine/record/log_bounds.h"
#include "daemon/engine/record/progress.h"
#include "daemon/engine/record/terminal.h"
#include "daemon/engine/record/tops.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

void refuse(Ledger& ledger, const Header& header, RefusalReason reason) {
    auto& state = ledger.edit_log(header.log);
    state.refuse(static_cast<std::uint8_t>(reason),
                 without({header.run()}, without(state.known, state.closed)));
}

// True if the record before it in the log is held here and was made later.
Result<bool> is_before_its_predecessor(const Ledger& ledger, const Header& header) {
    if (header.number == 1 || !ledger.log(header.log).held.contains(header.number - 1)) {
        return false;
    }
    const auto before =
        TRY(ledger.store().record(header.log, header.number - 1, storage::WithBody::no));
    return before && header.created < TRY(decode_header(before->header)).created;
}

// True if a recipient is a group or an office of the roster: then somebody may take the record.
bool is_for_anybody(const Ledger& ledger, const Header& header) {
    return std::ranges::any_of(header.stanzas, [&](const Stanza& stanza) {
        return is_group(stanza.recipient) || ledger.roster().find(stanza.recipient) != nullptr;
    });
}

// Another record with some of its numbers was here before.
Result<void> accuse_of(Ledger& ledger, const Arriving& record, Via from, Now now,
                       std::vector<Notice>& notify) {
    const auto& header = record.header;
    const auto before =
        TRY(ledger.store().record_ending_from(header.log, header.number, storage::WithBody::yes));
    if (!before || !before->run.overlaps(header.run())) {
        // The other record is gone, and the proof with it.
        ledger.note(What::fork, {.office = header.log.author, .via = from}, now, notify);
        return ok();
    }
    const RecordProof other{key_part_of(header),
                            crypto::header_rest_hash(ledger.network(), encode_header(header)),
                            record.body_hash, record.signature};
    return accuse(ledger, TRY(proof_of(ledger, *before)), other, from, now, notify);
}

// True if another record with some of these numbers was read here before, and has ended: its author
// signed two. If it were this record, either all of its numbers were read or none.
bool overlaps_one_that_ended(const storage::LogState& state, Interval run) {
    const auto is_cut_by = [&](const IntervalSet& read) {
        return read.contains_any(run) && !read.contains_all(run);
    };
    return is_cut_by(united(state.receipted, state.withdrawn)) || is_cut_by(state.unreadable);
}

// True if another record is here under one of these numbers, whatever is told of it: a receipt that
// was taken back leaves the record in the store (chain.h). Two rows must not overlap.
Result<bool> overlaps_another(const Ledger& ledger, const Arriving& record) {
    const auto run = record.header.run();
    const auto near =
        TRY(ledger.store().record_ending_from(record.header.log, run.first, storage::WithBody::no));
    return near && near->run.overlaps(run) && near->id != record.id;
}

}  // namespace

Result<WallTime> expiry_of(const Ledger& ledger, const Header& header, Now now) {
    const auto seen = ledger.wall(now);
    const auto* author = ledger.roster().find(header.log.author);
    const bool in_doubt = header.created > seen || (header.flags & flag_doubtful) != 0 ||
                          (author != nullptr && header.created < author->added) ||
                          TRY(is_before_its_predecessor(ledger, header));
    return (in_doubt ? seen : header.created).plus(header.lifetime_seconds);
}

// A sixteenth of the store's limit stays free: own records need room, and so does the dropping of
// others.
bool has_disk_room(const Ledger& ledger, std::uint64_t bytes) {
    const auto usage = ledger.store().usage();
    return usage.limit_bytes == 0 ||
           usage.used_bytes + bytes <= usage.limit_bytes - usage.limit_bytes / 16;
}

namespace {

// Bytes of the body that are here already. They are counted already.
std::uint64_t bytes_here(const Ledger& ledger, const Arriving& record) {
    const auto under_way = ledger.partials().find(record.id);
    return under_way == ledger.partials().end() ? 0 : under_way->second.bytes_on_disk();
}

// A record for this office is never refused for want of room, only put off.
Verdict judge_for_us(Ledger& ledger, const Arriving& record) {
    const std::uint64_t all = record.header.body_bytes;
    const auto bytes = all - std::min(all, bytes_here(ledger, record));
    if (has_disk_room(ledger, bytes)) {
        return Verdict::wanted;
    }
    ledger.want_room(bytes);
    return Verdict::no_space;
}

Result<Verdict> judge_to_carry(Ledger& ledger, const Arriving& record, Now now) {
    const auto& header = record.header;
    const auto run = header.run();
    if (!ledger.config().carries) {
        refuse(ledger, header, RefusalReason::limit);
        return Verdict::refused;
    }
    if (TRY(expiry_of(ledger, header, now)).is_over_at(ledger.aged())) {
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
        // Its whole header was read, so a receipt may name it.
        TRY(make_terminal(ledger, header.log, served));
        return Verdict::refused;
    }
    if (!is_for_anybody(ledger, header) || ledger.peer(header.log.author).blocked) {
        refuse(ledger, header, RefusalReason::roster);
        return Verdict::refused;
    }
    const auto bytes = bytes_on_disk(header, !BodyShape{header.body_bytes}.is_one_piece());
    if (!may_carry(ledger, header.log.author,
                   bytes - std::min(bytes, bytes_here(ledger, record)))) {
        refuse(ledger, header, RefusalReason::no_room);
        return Verdict::refused;
    }
    return Verdict::wanted;
}

// Some numbers of the record are held here.
Result<Verdict> judge_beside_held(Ledger& ledger, const Arriving& record,
                                  const SigningPublic& author, Via from, Now now,
                                  std::vector<Notice>& notify) {
    const auto& header = record.header;
    const auto& held_here = ledger.log(header.log).held;
    const auto held = TRY(ledger.held_id(header.log, *held_here.next(header.number)));
    if (held == record.id) {
        return Verdict::known;
    }
    if (!crypto::verify_record(author, ledger.network(), record.id, record.signature)) {
        return Verdict::forged;
    }
    // Two records of an older life of this office are a fork of that life, and no news of this one.
    if (header.log.author == ledger.us() && header.log.incarnation >= ledger.meta().incarnation) {
        return Verdict::ours;
    }
    TRY(accuse_of(ledger, record, from, now, notify));
    return Verdict::conflict;
}

}  // namespace

Result<Verdict> judge(Ledger& ledger, const Arriving& record, Via from, Now now,
                      std::vector<Notice>& notify) {
    const auto& header = record.header;
    const auto* author = ledger.roster().find(header.log.author);
    if (author == nullptr || !author->has_keys()) {
        // Nothing is remembered of this record: it cannot be verified. The roster change that names
        // its author comes first.
        return Verdict::forged;
    }
    const auto run = header.run();
    // Cheap checks before dear ones: most repeats end here.
    if (ledger.log(header.log).is_terminal(run)) {
        return Verdict::known;
    }
    if (ledger.log(header.log).held.contains_any(run)) {
        return judge_beside_held(ledger, record, author->identity, from, now, notify);
    }
    if (!crypto::verify_record(author->identity, ledger.network(), record.id, record.signature)) {
        return Verdict::forged;
    }
    const bool is_kept_log = TRY(make_room_for(ledger, header.log));
    if (!check_header(header)) {
        // Its author signed a header that no release allows. As terminal the record is not brought
        // again.
        if (is_kept_log) {
            TRY(make_terminal(ledger, header.log, {run}));
        }
        return Verdict::refused;
    }
    if (ledger.has_lost(header.log, run)) {
        return has_disk_room(ledger, header.body_bytes) ? Verdict::wanted : Verdict::no_space;
    }
    // A record of an older life of this store is no sign that this life lost anything. It is
    // carried like any other office's record.
    if (header.log.author == ledger.us() && header.log.incarnation >= ledger.meta().incarnation) {
        return Verdict::ours;
    }
    if (!is_kept_log) {
        return Verdict::refused;
    }
    const auto& state = ledger.log(header.log);
    if (state.has_judged(run)) {
        return Verdict::known;
    }
    if (overlaps_one_that_ended(state, run) || TRY(overlaps_another(ledger, record))) {
        TRY(accuse_of(ledger, record, from, now, notify));
        return Verdict::conflict;
    }
    // A fork or a cut-off closed the log: runs from there on are not taken. A run that a cut-off
    // divides is taken for its first numbers.
    if (state.closed_from != 0 && (author->cut_off ? run.first : run.last) >= state.closed_from) {
        return Verdict::refused;
    }
    const bool is_for_us = is_addressed_to(ledger.roster(), header, ledger.us());
    const auto* us = ledger.roster().find(ledger.us());
    if (!is_for_us && has_unknown_addressees(ledger.roster(), header) &&
        (us == nullptr || !us->is_member())) {
        // The roster that admits this office may make it a recipient. After that change the record
        // comes again.
        refuse(ledger, header, RefusalReason::roster);
        return Verdict::refused;
    }
    if (is_for_us && header.kind >= record_kinds) {
        refuse(ledger, header, RefusalReason::version);
        return Verdict::refused;
    }
    return is_for_us ? judge_for_us(ledger, record) : judge_to_carry(ledger, record, now);
}

namespace {

// An own record that is taken back gets its former arrival, where its page and its archive entry
// expect it.
Result<storage::Arrival> arrival_before(Ledger& ledger, const Header& header) {
    const auto page = TRY(ledger.store().report(storage::report_in(header.log, header.number)));
    return page ? page->arrival : ledger.next_arrival(header.count);
}

}  // namespace

Result<void> keep(Ledger& ledger, const Arriving& record, const Body& body, Via from, Now now,
                  std::vector<Notice>& notify) {
    const auto& header = record.header;
    storage::StoredRecord stored;
    const bool was_lost = ledger.has_lost(header.log, header.run());
    stored.arrival =
        was_lost ? TRY(arrival_before(ledger, header)) : ledger.next_arrival(header.count);
    stored.log = header.log;
    stored.run = header.run();
    stored.id = record.id;
    stored.signature = record.signature;
    stored.received = ledger.wall(now);
    stored.expires = TRY(expiry_of(ledger, header, now));
    stored.header = encode_header(header);
    stored.blob = body.blob;
    stored.body = body.one_piece;
    // Numbers of the run may have ended before the record came: its author said so (invariant I5).
    auto& state = ledger.edit_log(header.log);
    const IntervalSet run{stored.run};
    const auto live = state.known.contains_any(stored.run) ? without(run, state.terminal()) : run;
    for (const auto part : live.intervals()) {
        state.hold(part);
        ledger.tell_held(header.log, part);
    }
    if (header.log.author == ledger.us() && header.log.incarnation == ledger.meta().incarnation &&
        stored.run.last > state.published) {
        state.published = stored.run.last;
        state.published_id = record.id;
    }
    ledger.write(storage::PutRecord{stored});
    const auto neighbours = TRY(neighbours_of(ledger, header.log, stored.run));
    if (is_addressed_to(ledger.roster(), header, ledger.us())) {
        TRY(deliver(ledger, stored, header, body, from, now, notify));
        return check_neighbours(ledger, stored, header, neighbours);
    }
    mark_receipted(ledger, header, record.id);
    TRY(check_neighbours(ledger, stored, header, neighbours));
    ledger.write(storage::PutExpiry{stored.expires, stored.arrival});
    if (was_lost) {
        for (auto number = live.next(1); number; number = live.after(*number)) {
            TRY(prove_record(ledger, header.log, *number, {.of = Proof::Of::taken_back}, now));
        }
    }
    if (!was_lost || !TRY(ledger.store().archive(stored.arrival))) {
        ledger.count_carried(header.log, header.run(),
                             bytes_on_disk(header, body.blob != storage::Blob{}));
    }
    return ok();
}

namespace {

void release_all(Ledger& ledger, RefusalReason reason) {
    for (const auto& [log, state] : std::map(ledger.logs())) {
        const auto refused = state.refused.find(static_cast<std::uint8_t>(reason));
        const bool is_blocked = reason == RefusalReason::roster && ledger.peer(log.author).blocked;
        if (refused != state.refused.end() && !is_blocked) {
            ledger.release(log, reason, refused->second);
        }
    }
}

}  // namespace

void release_refused_by_roster(Ledger& ledger) {
    release_all(ledger, RefusalReason::roster);
}

void release_refused_before(Ledger& ledger) {
    if (ledger.config().carries) {
        release_all(ledger, RefusalReason::limit);
    }
    const auto* statement = ledger.statement(ledger.us());
    if (statement != nullptr && statement->software != ledger.config().software) {
        release_all(ledger, RefusalReason::version);
    }
}

namespace {

IntervalSet lowest(const IntervalSet& numbers, std::size_t runs) {
    IntervalSet some;
    for (const auto run : numbers.intervals() | std::views::take(runs)) {
        some.add(run);
    }
    return some;
}

}  // namespace

Result<Custody> custody_of(const Ledger& ledger, OfficeId author) {
    std::map<LogKey, IntervalSet> told;
    std::size_t runs_left = limits::custody_runs_max;
    for (const auto record_class :
         {RecordClass::urgent, RecordClass::reply, RecordClass::normal, RecordClass::bulk}) {
        for (const auto& [key, state] : ledger.logs_of(author)) {
            if (key.record_class == record_class && !state.held.empty() && runs_left > 0) {
                const auto [entry, added] = told.emplace(key, lowest(state.held, runs_left));
                runs_left -= entry->second.intervals().size();
            }
        }
    }
    Custody custody;
    custody.signer = ledger.us();
    custody.author = author;
    for (auto& [key, held] : told) {
        const auto named = TRY(name_tops(ledger, key, held));
        if (named.numbers != held) {
            return fail(Errc::corrupt, "store: a held number without its record");
        }
        custody.logs.push_back({key.incarnation, key.record_class, named.hash, std::move(held)});
    }
    return custody;
}

namespace {

// The logs of a statement that speak of this store's records. For the others its signer is asked.
// This office never passes the statement on, so its signature need not hold any more.
Result<Custody> believed_of(Ledger& ledger, const Custody& custody) {
    auto believed = custody;
    believed.logs.clear();
    for (const auto& log : custody.logs) {
        const LogKey key{ledger.us(), log.incarnation, log.record_class};
        const auto unknown = TRY(tops_to_prove(ledger, key, log.held, log.tops));
        if (unknown.empty()) {
            believed.logs.push_back(log);
        } else if (log.incarnation >= ledger.meta().incarnation) {
            for (auto number = unknown.next(1); number; number = unknown.after(*number)) {
                ledger.ask_for_proof(key, *number, custody.signer);
            }
        }
    }
    return believed;
}

}  // namespace

Result<void> take_custody(Ledger& ledger, const Custody& told, Via from, Now now,
                          std::vector<Notice>& notify) {
    const auto* signer = ledger.roster().find(told.signer);
    if (told.author != ledger.us() || told.signer == ledger.us() || signer == nullptr ||
        !signer->is_member()) {
        return fail(Errc::untrusted, "custody: not by a member about us");
    }
    if (!crypto::verify_custody(signer->identity, ledger.network(), told)) {
        return fail(Errc::untrusted, "custody: the signature does not verify");
    }
    std::map<LogKey, IntervalSet> before;
    if (const auto* old = ledger.custody(told.signer)) {
        if (told.version <= old->version) {
            return ok();
        }
        for (const auto& log : old->logs) {
            before[{ledger.us(), log.incarnation, log.record_class}] = log.held;
        }
    }
    const auto custody = TRY(believed_of(ledger, told));
    ledger.keep_custody(custody);
    for (const auto& log : custody.logs) {
        const LogKey key{ledger.us(), log.incarnation, log.record_class};
        const auto fresh = intersection(without(log.held, before[key]), ledger.log(key).held);
        for (auto number = fresh.next(1); number; number = fresh.after(*number)) {
            TRY(prove_record(ledger, key, *number, {.of = Proof::Of::carried, .by = custody.signer},
                             now));
            ledger.note(What::carried,
                        {.office = custody.signer,
                         .report = TRY(report_under(ledger, key, *number)),
                         .via = from},
                        now, notify);
        }
        before[key].remove(log.held);
    }
    // The carrier has let go of these; perhaps no other office carries them.
    for (const auto& [key, gone] : before) {
        TRY(prove_again(ledger, key, intersection(gone, ledger.log(key).held), now, notify));
    }
    return ok();
}

}  // namespace fieldpost::engine
