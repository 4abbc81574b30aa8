#include "daemon/engine/ledger.h"

#include "crypto/register_seal.h"
#include "daemon/engine/leaves.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/carry_share.h"
#include "daemon/engine/record/log_bounds.h"
#include "daemon/engine/self_check.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// Numbers and counters are reserved this far ahead, in an earlier commit than the one that uses
// them.
constexpr std::uint64_t counter_block = 64;

const storage::LogState empty_log;

// A log whose row or pages are damaged, as its records show it: those are offered again, and all
// else comes again.
Result<std::optional<storage::LogState>> log_of_records(const storage::RecordStore& store,
                                                        const LogKey& log) {
    storage::LogState state;
    for (const auto& record : TRY(store.records_of(log))) {
        state.hold(record.run);
        const auto entry = TRY(store.archive(record.arrival));
        const bool is_for_us = entry && entry->box == Box::inbox;
        state.addresses_us = state.addresses_us || is_for_us;
        if (is_for_us && entry->form == storage::ArchiveEntry::Form::unreadable) {
            state.count_unreadable(record.run);
        } else if (is_for_us && entry->form != storage::ArchiveEntry::Form::unopened) {
            // A report without a page was withdrawn before it was shown. No receipt may name it.
            for (std::uint64_t n = record.run.first; n <= record.run.last; ++n) {
                const auto number = static_cast<Number>(n);
                if (TRY(store.report(storage::report_in(log, number)))) {
                    state.count_receipted({number, number}, short_hash(record.id), {});
                } else {
                    state.withdraw(number);
                }
            }
        } else {
            state.count_receipted(record.run, short_hash(record.id), {});
        }
        state.next = std::max(state.next, record.run.last + 1);
        if (!record.id.is_zero()) {
            state.published = record.run.last;
            state.published_id = record.id;
        }
    }
    return std::optional(std::move(state));
}

const storage::PeerState unknown_peer;

}  // namespace

Result<Ledger> Ledger::load(storage::RecordStore& store, const Config& config,
                            const Founding& founding, Now now) {
    Ledger ledger(TRY(crypto::Roster::found(founding)));
    ledger.store_ = &store;
    ledger.config_ = &config;
    const auto meta = TRY(store.meta());
    if (!meta) {
        return fail(Errc::not_found, "store: no office lives here yet");
    }
    ledger.meta_ = *meta;
    for (const auto& bytes : TRY(store.roster_changes())) {
        ByteReader in(bytes);
        const auto change = TRY(read_roster_change(in));
        TRY(ledger.roster_.apply(change));
        ledger.changes_of_roster_.push_back(change);
    }
    for (const auto& key : TRY(store.logs())) {
        auto state = store.log(key);
        if (!state && state.error().code == Errc::corrupt) {
            ledger.damaged_logs_.push_back(key);
            state = TRY(log_of_records(store, key));
        }
        ledger.logs_.emplace(key, *TRY(std::move(state)));
        ledger.unbounded_logs_.insert(key);
    }
    for (const auto& entry : TRY(store.registers())) {
        ledger.registers_.emplace(ledger.name_of(entry), entry);
        ledger.index_register(entry);
    }
    for (const auto& custody : TRY(store.custody())) {
        ledger.custody_.emplace(custody.signer, custody);
    }
    for (const auto& [office, state] : TRY(store.peers())) {
        ledger.peers_.emplace(office, state);
    }
    for (const auto& [name, entry] : ledger.registers_) {
        // Also what came with the invitation is a word of its office.
        auto& heard = ledger.peers_[name.key.signer].heard;
        heard = std::max(heard, std::min(entry.at, meta->mark));
    }
    for (const auto& [index, office] : ledger.roster_.offices()) {
        const auto receipt = ledger.receipt(index, ledger.us());
        if (receipt != nullptr) {
            ledger.heard_receipts().act_on(index, TRY(sift(ledger, *receipt)).believed);
        }
    }
    ledger.attention_.load(TRY(store.attention()));
    for (const auto& partial : TRY(store.partials())) {
        TRY(ledger.index_partial(partial));
    }
    for (const auto& [office, leaf] : TRY(store.leaves())) {
        ledger.leaves_.emplace(office, leaf);
    }
    for (const auto& [index, office] : ledger.roster_.offices()) {
        if (!ledger.leaves_.contains(index)) {
            ledger.stale_leaves_.insert(index);
        }
    }
    // Counters that may have been used before a crash are never used again.
    auto& own = ledger.edit_meta();
    own.next_counter = std::max(own.next_counter, own.counter_reserved + 1);
    own.counter_reserved = own.next_counter + counter_block;
    Clock::start(own, now);
    ledger.clock_.advance(own, now);
    return ledger;
}

storage::OfficeMeta& Ledger::edit_meta() {
    meta_edited_ = true;
    return meta_;
}

const SigningPublic* Ledger::identity_of(OfficeId office) const {
    if (office == us()) {
        return &config_->machine->identity.public_key();
    }
    const auto* found = roster_.find(office);
    return found != nullptr && found->has_keys() ? &found->identity : nullptr;
}

Result<void> Ledger::apply_roster_change(const RosterChange& change, Now now) {
    TRY(roster_.apply(change));
    changes_of_roster_.push_back(change);
    write(storage::AddRosterChange{change.version, encode_roster_change(change)});
    for (const auto& [index, office] : roster_.offices()) {
        if (!leaves_.contains(index)) {
            touch_leaf(index);
        }
    }
    news_.roster = true;
    for (const auto& [index, office] : roster_.offices()) {
        if (office.cut_off) {
            touch_leaf(index);  // its leaf says so
        }
    }
    for (const auto& statement : change.statements) {
        raise_for(statement, now);
    }
    news_.roster_closed_one =
        news_.roster_closed_one ||
        std::ranges::any_of(change.statements, [](const RosterStatement& statement) {
            // Without its invitation, an office is not replaced any more.
            return std::holds_alternative<Revoke>(statement) ||
                   std::holds_alternative<Retire>(statement) ||
                   std::holds_alternative<CancelInvitation>(statement);
        });
    return ok();
}

// Each change of the offices stands in attention until a person has seen to it.
void Ledger::raise_for(const RosterStatement& statement, Now now) {
    const auto* admit = std::get_if<Admit>(&statement);
    if (admit != nullptr && admit->index != us()) {
        keep_raised(What::unconfirmed, admit->index, 1, {}, now);
    }
    const auto* revoke = std::get_if<Revoke>(&statement);
    const auto* revoked = revoke == nullptr ? nullptr : roster_.find(revoke->index);
    if (revoked != nullptr && revoked->state == crypto::OfficeState::revoked) {
        keep_raised(What::unconfirmed, revoke->index, 0, {}, now);
        keep_raised(What::blocked, revoke->index, 0, {}, now);
        // People go on writing to an office that a new machine takes over.
        if (revoke->index == us() || revoked->replaced_by == no_office) {
            keep_raised(revoke->index == us() ? What::shut_out : What::revoked, revoke->index, 1,
                        {}, now);
        }
        news_.cut_off.insert(revoke->index);
    }
    const auto* cancelled = std::get_if<CancelInvitation>(&statement);
    const auto* invited = cancelled == nullptr ? nullptr : roster_.find(cancelled->index);
    const auto* left = invited == nullptr ? nullptr : roster_.find(invited->replaces);
    if (left != nullptr && left->index != us() && left->replaced_by == no_office) {
        keep_raised(What::revoked, left->index, 1, {}, now);
    }
}

bool Ledger::is_partner(OfficeId office) const {
    const auto* found = roster_.find(office);
    return found != nullptr &&
           (found->is_member() || found->state == crypto::OfficeState::invited) &&
           !peer(office).blocked;
}

const storage::LogState& Ledger::log(const LogKey& log) const {
    const auto found = logs_.find(log);
    return found == logs_.end() ? empty_log : found->second;
}

IntervalSet Ledger::passable(const LogKey& log) const {
    auto passable = this->log(log).held;
    if (log.author != us() || log.incarnation == meta_.incarnation) {
        return passable;
    }
    const auto published = this->log(log).published;
    for (auto number = passable.after(published); number; number = passable.after(*number)) {
        const auto record = store_->record(log, *number, storage::WithBody::no);
        if (!record || !*record || (*record)->id.is_zero()) {
            passable.remove({*number, *number});
        }
    }
    return passable;
}

storage::LogState& Ledger::edit_log(const LogKey& log) {
    const auto [found, is_new] = logs_.try_emplace(log);
    if (is_new) {
        // A log of a higher incarnation leaves less to those below.
        for (const auto& [key, state] : logs_of(log.author)) {
            unbounded_logs_.insert(key);
        }
    }
    edited_logs_.insert(log);
    unbounded_logs_.insert(log);
    touch_leaf(log.author);
    return found->second;
}

void Ledger::drop_log(const LogKey& log) {
    // Nothing may be told of a log that is gone, and so nothing is kept, whatever of it was closed.
    std::vector<RecordId> under_way;
    for (const auto& [id, partial] : partials_) {
        if (partial.log == log) {
            under_way.push_back(id);
        }
    }
    for (const auto& id : under_way) {
        drop_partial(id);
    }
    logs_.erase(log);
    edited_logs_.erase(log);
    unbounded_logs_.erase(log);
    news_.held.erase(log);
    write(storage::DropLog{log});
    touch_leaf(log.author);
}

void Ledger::move_windows() {
    for (const auto& [log, state] : logs_) {
        if (!state.closed.empty()) {
            unbounded_logs_.insert(log);
        }
    }
    bound_logs();
}

std::ranges::subrange<Ledger::Logs::const_iterator> Ledger::logs_of(OfficeId author) const {
    return {logs_.lower_bound(LogKey{author, {}, {}}),
            logs_.upper_bound(LogKey{author, {UINT16_MAX, UINT32_MAX}, RecordClass::bulk})};
}

bool Ledger::is_closed(OfficeId office) const {
    std::set<Incarnation> lives;
    for (auto at = registers_.lower_bound(
             RegisterKey{office, static_cast<std::uint8_t>(RegisterKind::fork), {}});
         at != registers_.end() && at->first.key.signer == office &&
         at->first.key.kind == static_cast<std::uint8_t>(RegisterKind::fork);
         ++at) {
        lives.insert(at->second.version.incarnation);
    }
    return lives.size() > limits::fork_lives_max;
}

bool Ledger::is_cut_off(OfficeId office) const {
    const auto* found = roster_.find(office);
    return found != nullptr && found->cut_off.has_value();
}

bool Ledger::is_listed_by_cut_off(const LogKey& log) const {
    const auto* author = roster_.find(log.author);
    if (author == nullptr || !author->cut_off) {
        return false;
    }
    // The highest of them, as of any office.
    const auto& listed = author->cut_off->logs;
    const auto excess =
        listed.size() - std::min<std::size_t>(listed.size(), limits::logs_per_office_max);
    return std::ranges::any_of(listed | std::views::drop(excess), [&](const CutOff::Log& one) {
        return one.incarnation == log.incarnation && one.record_class == log.record_class;
    });
}

bool Ledger::keeps(const LogKey& log) const {
    if (is_closed(log.author)) {
        return false;
    }
    if (const auto* author = roster_.find(log.author);
        author != nullptr && author->cut_off && log.author != us()) {
        return is_listed_by_cut_off(log);
    }
    const auto logs = logs_of(log.author);
    return logs_.contains(log) ||
           static_cast<std::size_t>(std::ranges::distance(logs)) < limits::logs_per_office_max ||
           logs.begin()->first < log;
}

std::size_t Ledger::runs_max_of(const LogKey& log) const {
    const auto highest = std::prev(logs_of(log.author).end());
    return log.incarnation == highest->first.incarnation ? limits::log_runs_max
                                                         : limits::old_log_runs_max;
}

IntervalSet Ledger::numbers_under_way(const LogKey& log) const {
    IntervalSet numbers;
    for (const auto& [id, partial] : partials_) {
        if (partial.log == log) {
            numbers.add(partial.run);
        }
    }
    return numbers;
}

void Ledger::bound_logs() {
    for (const auto& log : std::exchange(unbounded_logs_, {})) {
        auto& state = logs_.at(log);
        bound_refused(state);
        const auto runs_max = runs_max_of(log);
        if (state.closed.empty() && state.known.intervals().size() <= runs_max) {
            continue;
        }
        edited_logs_.insert(log);
        touch_leaf(log.author);
        const auto* own = author_on(log);
        if (bound_runs(state, runs_max, numbers_under_way(log),
                       own == nullptr ? IntervalSet{} : own->done, aged())) {
            note_released(log.author);
        }
    }
}

void Ledger::note_released(OfficeId author) {
    news_.released.insert(author);
    ++releases_;
    released_at_ = meta_.next_counter;
}

RegisterVersion Ledger::next_version() {
    auto& own = edit_meta();
    const auto counter = own.next_counter++;
    if (own.next_counter + counter_block / 2 > own.counter_reserved) {
        own.counter_reserved = own.next_counter + counter_block;
    }
    return {own.incarnation, counter};
}

std::uint32_t Ledger::numbers_known() const {
    std::uint64_t count = 0;
    for (const auto& [key, log] : logs_) {
        auto told = without(log.known, log.closed);
        if (log.closed_from != 0) {
            told.remove({log.closed_from, UINT32_MAX});
        }
        count += told.count();
    }
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, UINT32_MAX));
}

const std::map<OfficeId, Hash>& Ledger::leaves() {
    bound_logs();
    for (const auto office : stale_leaves_) {
        const auto leaf = leaf_hash(*this, office);
        auto& stored = leaves_[office];
        if (stored != leaf) {
            stored = leaf;
            write(storage::PutLeaf{office, leaf});
        }
    }
    stale_leaves_.clear();
    return leaves_;
}

Digest Ledger::digest() {
    ByteWriter out;
    for (const auto& [office, leaf] : leaves()) {
        out.u16(value_of(office));
        out.raw(leaf.view());
    }
    Digest digest;
    std::ranges::copy(crypto::hash("digest", network(), {out.bytes()}).first(Digest::size),
                      digest.bytes.begin());
    return digest;
}

Result<void> Ledger::index_partial(const storage::Partial& partial) {
    const auto header = TRY(decode_header(partial.header));
    UnderWay one;
    one.log = header.log;
    one.run = header.run();
    one.is_for_us = is_addressed_to(roster_, header, us());
    one.body_bytes = header.body_bytes;
    one.blob = partial.blob;
    one.expires = partial.expires;
    one.checked = partial.checked;
    const BodyShape shape{header.body_bytes};
    for (auto part = one.checked.next(1); part; part = one.checked.after(*part)) {
        one.checked_bytes += part_size(shape, *part);
    }
    one.prefix_part = partial.prefix_part;
    one.prefix_bytes = static_cast<std::uint32_t>(partial.prefix.size());
    one.prefix_from = partial.prefix_from;
    one.is_from_one = partial.is_from_one;
    one.touched = ++partial_edits_;
    partials_.insert_or_assign(partial.id, std::move(one));
    return ok();
}

void Ledger::put_partial(const storage::Partial& partial) {
    ensure(index_partial(partial).has_value(), "a body under way has the header that was checked");
    write(storage::PutPartial{partial});
}

void Ledger::drop_partial(const RecordId& id) {
    const auto found = partials_.find(id);
    if (found != partials_.end()) {
        write(storage::DropParts{found->second.blob,
                                 part_count(BodyShape{found->second.body_bytes})});
        end_partial(id);
    }
}

void Ledger::end_partial(const RecordId& id) {
    partials_.erase(id);
    write(storage::DropPartial{id});
}

Result<std::optional<RecordId>> Ledger::held_id(const LogKey& log, Number number) const {
    const auto stored = TRY(store_->record(log, number, storage::WithBody::no));
    return stored ? std::optional(stored->id) : std::nullopt;
}

void Ledger::ask_for_proof(const LogKey& log, Number number, std::optional<OfficeId> of) {
    // Each session asks for few (PeerSession::ask), so more in one batch would be lost anyway.
    if (news_.to_prove.size() < 8 * limits::proofs_asked_max) {
        news_.to_prove.push_back({log, number, of});
    }
}

void Ledger::write(const storage::StoreChange& change) {
    if (write_failure_) {
        return;
    }
    if (const auto applied = store_->apply(change); !applied) {
        write_failure_ = applied.error();
    }
}

WallTime Ledger::wall(Now now) const {
    return std::max(meta_.mark, now.wall);
}

void Ledger::let_time_pass(Now now) {
    if (clock_.advance(meta_, now)) {
        meta_edited_ = true;
    }
}

void Ledger::heard_of(OfficeId office, WallTime at, Now now) {
    const auto heard = std::min(at, wall(now));
    if (peer(office).heard < heard) {
        edit_peer(office).heard = heard;
    }
}

void Ledger::trust_clock(Now now) {
    clock_.trust(edit_meta(), now);
}

void Ledger::hear_clock(OfficeId peer, WallTime clock, Now now) {
    clock_.hear(edit_meta(), peer, clock, now);
}

void Ledger::count_carried(const LogKey& log, Interval run, std::uint64_t bytes) {
    auto& meta = edit_meta();
    ++meta.carried_records;
    meta.carried_bytes += bytes;
    edit_peer(log.author).carried_bytes += bytes;
    auto& up_to = carried_up_to(log);
    up_to = std::max(up_to, run.last);
}

void Ledger::uncount_carried(const LogKey& log, std::uint64_t bytes) {
    auto& meta = edit_meta();
    auto& peer = edit_peer(log.author);
    ensure(meta.carried_records > 0 && peer.carried_bytes >= bytes,
           "what is dropped was counted as carried");
    --meta.carried_records;
    meta.carried_bytes -= bytes;
    peer.carried_bytes -= bytes;
}

Result<void> Ledger::let_go(const storage::StoredRecord& record, RefusalReason reason) {
    const auto header = TRY(decode_header(record.header));
    const bool is_in_parts = record.blob != storage::Blob{};
    edit_log(record.log)
        .let_go(static_cast<std::uint8_t>(reason),
                intersection(log(record.log).held, {record.run}));
    write(storage::DropExpiry{record.expires, record.arrival});
    write(storage::DropRecord{record.arrival, record.log, record.run.first});
    if (is_in_parts) {
        write(storage::DropParts{record.blob, part_count(BodyShape{header.body_bytes})});
    }
    uncount_carried(record.log, bytes_on_disk(header, is_in_parts));
    news_.let_go.insert(record.log.author);
    return ok();
}

void Ledger::release(const LogKey& log, RefusalReason reason, const IntervalSet& numbers) {
    const auto& refused = this->log(log).refused;
    const auto found = refused.find(static_cast<std::uint8_t>(reason));
    if (found != refused.end() && !intersection(found->second, numbers).empty()) {
        edit_log(log).release(static_cast<std::uint8_t>(reason), numbers);
        note_released(log.author);
    }
}

void Ledger::lose(const LogKey& log, const IntervalSet& numbers) {
    if (!numbers.empty()) {
        edit_log(log).lose(numbers);
        note_released(log.author);
    }
}

bool Ledger::has_lost(const LogKey& log, Interval run) const {
    const auto& state = this->log(log);
    // This store knows every number that it has used, but for these.
    return log.author == us() && log.incarnation == meta_.incarnation &&
           run.last <= state.published && !state.known.contains_all(run);
}

void Ledger::reopen(const LogKey& log, Number closed_from) {
    const auto before = this->log(log).closed_from;
    if (before == 0 || before >= closed_from) {
        return;
    }
    auto& state = edit_log(log);
    state.known.remove({before, closed_from - 1});
    state.closed_from = closed_from;
    note_released(log.author);
}

storage::Arrival Ledger::next_arrival(std::uint32_t reports) {
    const storage::Arrival arrival{meta_.next_arrival};
    edit_meta().next_arrival += reports;
    return arrival;
}

storage::Blob Ledger::next_blob() {
    return storage::Blob{edit_meta().next_blob++};
}

storage::PeerState& Ledger::edit_peer(OfficeId office) {
    edited_peers_.insert(office);
    return peers_[office];
}

const storage::PeerState& Ledger::peer(OfficeId office) const {
    const auto found = peers_.find(office);
    return found == peers_.end() ? unknown_peer : found->second;
}

Result<void> Ledger::flush() {
    leaves();
    for (const auto& log : std::exchange(edited_logs_, {})) {
        auto& state = logs_.at(log);
        write(storage::PutLog{log, state});
        state.touched.clear();
    }
    for (const auto office : std::exchange(edited_peers_, {})) {
        write(storage::PutPeer{office, peers_.at(office)});
    }
    if (std::exchange(meta_edited_, false)) {
        write(storage::PutMeta{meta_});
    }
    return write_failure_ ? Result<void>(std::unexpected(*write_failure_)) : ok();
}

Ledger::News Ledger::take_news() {
    return std::exchange(news_, {});
}

}  // namespace fieldpost::engine
