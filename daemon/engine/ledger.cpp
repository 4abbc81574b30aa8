#include "daemon/engine/ledger.h"

#include "crypto/register_seal.h"
#include "daemon/engine/addressees.h"
#include "daemon/engine/carry_share.h"
#include "daemon/engine/log_bounds.h"
#include "daemon/engine/self_check.h"

namespace fieldpost::engine {

namespace {

// Numbers and counters are reserved this far ahead, in an earlier commit than the one that uses
// them.
constexpr std::uint64_t counter_block = 64;
// So long one event stands for more of its kind that an office causes and that are about no report.
constexpr std::uint32_t event_stands_seconds = 3600;
// Runs that are remembered of all that the receipts of one recipient have said: 128 KiB. To have
// them forgotten it has to sign a dozen receipts that share nothing.
constexpr std::size_t looked_runs_max = 16'384;

// Receipts that are kept decoded: of 1,000 honest offices all about one author's records.
constexpr std::size_t decoded_receipts_bytes_max = 16U << 20;

// The authority signs each of these, so nobody else can repeat it.
bool is_always_news(What what) {
    return what == What::roster || what == What::admitted;
}
// A person follows links as they come and go: told anew whenever anything happened between.
bool is_of_link(What what) {
    return what == What::peer_up || what == What::peer_down;
}

bool is_of(std::uint8_t kind, RegisterKind one) {
    return kind == static_cast<std::uint8_t>(one);
}

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
        } else {
            state.count_receipted(record.run, short_hash(record.id));
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

RegisterName name_of(const NetworkId& network, const Register& entry) {
    return {entry.key, is_of(entry.key.kind, RegisterKind::enrolment)
                           ? short_hash(crypto::register_hash(network, entry))
                           : ShortHash{}};
}

RegisterName name_of(OfficeId leaf, const RegisterSummary& entry) {
    const auto signer = is_of(entry.kind, RegisterKind::epoch_slots) ? authority_signer : leaf;
    return {{signer, entry.kind, entry.subject},
            is_of(entry.kind, RegisterKind::enrolment) ? entry.hash : ShortHash{}};
}

storage::PutRegister put_register(const NetworkId& network, const Register& entry) {
    return {entry.key.signer, entry.key.kind, entry.key.subject, encode_register(entry),
            name_of(network, entry).enrolment};
}

IntervalSet all_refused(const ReceiptLog& entry) {
    IntervalSet all;
    for (const auto& [reason, numbers] : entry.refused) {
        all.add(numbers);
    }
    return all;
}

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
        if (receipt != nullptr && !TRY(unknown_top(ledger, *receipt))) {
            ledger.act_on(index, *receipt);
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
    // What may have been used before a crash is never used again.
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
        const auto* admit = std::get_if<Admit>(&statement);
        if (admit != nullptr && admit->index != us()) {
            keep_raised(What::unconfirmed, admit->index, 1, {}, now);
        }
    }
    news_.roster_closed_one =
        news_.roster_closed_one ||
        std::ranges::any_of(change.statements, [](const RosterStatement& statement) {
            return std::holds_alternative<Revoke>(statement) ||
                   std::holds_alternative<Retire>(statement);
        });
    return ok();
}

const storage::LogState& Ledger::log(const LogKey& log) const {
    const auto found = logs_.find(log);
    return found == logs_.end() ? empty_log : found->second;
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

const Register* Ledger::kept(const RegisterName& name) const {
    const auto found = registers_.find(name);
    return found == registers_.end() ? nullptr : &found->second;
}

std::vector<const Register*> Ledger::enrolments(OfficeId index) const {
    const RegisterKey key{index, static_cast<std::uint8_t>(RegisterKind::enrolment),
                          enrolment_subject(index)};
    std::vector<const Register*> all;
    for (auto at = registers_.lower_bound(key); at != registers_.end() && at->first.key == key;
         ++at) {
        all.push_back(&at->second);
    }
    return all;
}

ShortHash Ledger::register_hash(const RegisterName& name) const {
    const auto found = register_hashes_.find(name);
    return found == register_hashes_.end() ? ShortHash{} : found->second;
}

void Ledger::index_register(const Register& entry) {
    register_hashes_.insert_or_assign(name_of(entry),
                                      short_hash(crypto::register_hash(network(), entry)));
    if (entry.key.kind == static_cast<std::uint8_t>(RegisterKind::receipt)) {
        if (const auto author = read_receipt_subject(entry.key.subject)) {
            forget_decoded(entry.key.signer, *author);
        }
    }
    if (entry.key.kind == static_cast<std::uint8_t>(RegisterKind::office)) {
        if (auto statement = decode_office_statement(entry.payload)) {
            statements_.insert_or_assign(entry.key.signer, std::move(*statement));
        }
    }
}

bool Ledger::keep_register(const Register& entry) {
    const auto name = name_of(entry);
    const auto* old = kept(name);
    if (old != nullptr) {
        // Of two forks the one that closes more counts: the lower number.
        const auto rank = [&](const Register& r) {
            return std::tuple(r.version, UINT32_MAX - fork_start(r).value_or(UINT32_MAX),
                              crypto::register_hash(network(), r));
        };
        if (rank(entry) <= rank(*old)) {
            return false;
        }
    }
    registers_.insert_or_assign(name, entry);
    index_register(entry);
    write(put_register(network(), entry));
    touch_leaf(leaf_of_register(entry.key));
    news_.registers.insert(name);
    return true;
}

OfficeId Ledger::leaf_of_register(const RegisterKey& key) {
    return key.signer == authority_signer ? OfficeId{0} : key.signer;
}

std::vector<const Register*> Ledger::registers_of(OfficeId signer) const {
    std::vector<const Register*> all;
    for (auto at = registers_.lower_bound(RegisterKey{signer, 0, {}});
         at != registers_.end() && at->first.key.signer == signer; ++at) {
        all.push_back(&at->second);
    }
    return all;
}

std::vector<const Register*> Ledger::registers_in_leaf(OfficeId office) const {
    auto all = is_closed(office) ? std::vector<const Register*>{} : registers_of(office);
    if (office == OfficeId{0}) {
        std::ranges::copy(registers_of(authority_signer), std::back_inserter(all));
        std::ranges::sort(all, {}, [this](const Register* entry) {
            return std::tuple(entry->key.kind, entry->key.subject, register_hash(name_of(*entry)));
        });
    }
    return all;
}

void Ledger::drop_register(const RegisterName& name) {
    registers_.erase(name);
    register_hashes_.erase(name);
    if (is_of(name.key.kind, RegisterKind::receipt)) {
        if (const auto author = read_receipt_subject(name.key.subject)) {
            forget_decoded(name.key.signer, *author);
            if (*author == us()) {
                acted_on_.erase(name.key.signer);
                looked_.erase(name.key.signer);
            }
        }
    }
    if (is_of(name.key.kind, RegisterKind::office)) {
        statements_.erase(name.key.signer);
    }
    write(storage::DropRegister{name.key.signer, name.key.kind, name.key.subject, name.enrolment});
    touch_leaf(leaf_of_register(name.key));
    news_.registers.erase(name);
}

namespace {

// About as many bytes as a decoded receipt takes in memory.
std::size_t memory_of(const Receipt& receipt) {
    std::size_t bytes = 128;
    for (const auto& log : receipt.logs) {
        auto runs = log.received.intervals().size() + log.unreadable.intervals().size();
        for (const auto& [reason, numbers] : log.refused) {
            runs += numbers.intervals().size() + 8;
        }
        bytes += sizeof(ReceiptLog) + runs * sizeof(Interval);
    }
    return bytes;
}

}  // namespace

void Ledger::forget_decoded(OfficeId signer, OfficeId author) {
    const auto found = decoded_.find({signer, author});
    if (found != decoded_.end()) {
        decoded_bytes_ -= found->second == nullptr ? memory_of({}) : memory_of(*found->second);
        decoded_.erase(found);
    }
}

std::shared_ptr<const Receipt> Ledger::receipt(OfficeId signer, OfficeId author) const {
    const auto found = decoded_.find({signer, author});
    if (found != decoded_.end()) {
        return found->second;
    }
    const auto* entry =
        newest({signer, static_cast<std::uint8_t>(RegisterKind::receipt), receipt_subject(author)});
    auto receipt =
        entry == nullptr ? fail(Errc::not_found, "receipt: none") : decode_receipt(entry->payload);
    auto kept = receipt ? std::make_shared<const Receipt>(std::move(*receipt)) : nullptr;
    const auto bytes = kept == nullptr ? memory_of({}) : memory_of(*kept);
    if (decoded_bytes_ + bytes > decoded_receipts_bytes_max) {
        decoded_.clear();
        decoded_bytes_ = 0;
    }
    decoded_bytes_ += bytes;
    decoded_.emplace(std::pair(signer, author), kept);
    return kept;
}

const Receipt* Ledger::acted_on(OfficeId signer) const {
    const auto found = acted_on_.find(signer);
    return found == acted_on_.end() ? nullptr : &found->second;
}

Ledger::Looked& Ledger::looked(OfficeId recipient, const LogKey& log, const ReceiptLog* old) {
    const auto [found, is_new] = looked_[recipient].try_emplace(log);
    auto& looked = found->second;
    if (is_new && old != nullptr) {
        looked.received = old->received;
        looked.only_filled = old->is_filled ? old->received : IntervalSet{};
        looked.unreadable = old->unreadable;
        looked.refused = all_refused(*old);
        looked.shown_refused = looked.refused;
    }
    return looked;
}

const Ledger::Looked* Ledger::find_looked(OfficeId recipient, const LogKey& log) const {
    const auto logs = looked_.find(recipient);
    if (logs == looked_.end()) {
        return nullptr;
    }
    const auto found = logs->second.find(log);
    return found == logs->second.end() ? nullptr : &found->second;
}

void Ledger::bound_looked(OfficeId recipient) {
    std::size_t runs = 0;
    for (const auto& [log, looked] : looked_[recipient]) {
        for (const auto* set : {&looked.received, &looked.only_filled, &looked.unreadable,
                                &looked.refused, &looked.shown_refused}) {
            runs += set->intervals().size();
        }
    }
    if (runs > looked_runs_max) {
        looked_.erase(recipient);
    }
}

const OfficeStatement* Ledger::statement(OfficeId office) const {
    const auto found = statements_.find(office);
    return found == statements_.end() ? nullptr : &found->second;
}

const OwnLog* Ledger::author_on(const LogKey& log) const {
    const auto* told = statement(log.author);
    return told == nullptr ? nullptr : told->log(log.incarnation, log.record_class);
}

bool Ledger::is_own_prekey(OfficeId office, const Prekey& prekey) const {
    const auto checked = checked_prekeys_.find(office);
    if (checked != checked_prekeys_.end() && checked->second == prekey) {
        return true;
    }
    const auto* keys = roster_.find(office);
    if (keys == nullptr || !crypto::verify_prekey(keys->mail, network(), office, prekey)) {
        return false;
    }
    checked_prekeys_.insert_or_assign(office, prekey);
    return true;
}

const Custody* Ledger::custody(OfficeId signer) const {
    const auto found = custody_.find(signer);
    return found == custody_.end() ? nullptr : &found->second;
}

bool Ledger::keep_custody(const Custody& custody) {
    const auto* old = this->custody(custody.signer);
    if (old != nullptr && custody.version <= old->version) {
        return false;
    }
    custody_.insert_or_assign(custody.signer, custody);
    write(storage::PutCustody{custody.signer, encode_custody(custody)});
    return true;
}

RegisterVersion Ledger::next_version() {
    auto& own = edit_meta();
    const auto counter = own.next_counter++;
    if (own.next_counter + counter_block / 2 > own.counter_reserved) {
        own.counter_reserved = own.next_counter + counter_block;
    }
    return {own.incarnation, counter};
}

namespace {

void write_registers(ByteWriter& out, const std::vector<RegisterSummary>& list) {
    out.varint(list.size());
    for (const auto& entry : list) {
        out.u8(entry.kind);
        out.sized(entry.subject);
        write(out, entry.version.incarnation);
        out.u48(entry.version.counter);
        out.raw(entry.hash.view());
    }
}

}  // namespace

Hash Ledger::leaf_of(OfficeId office) const {
    ByteWriter out;
    const auto leaf = leaf_content(office);
    out.u16(value_of(office));
    out.varint(2 * leaf.logs.size() + (leaf.is_closed ? 1 : 0));
    for (const auto& log : leaf.logs) {
        fieldpost::write(out, log.incarnation);
        out.u8(static_cast<std::uint8_t>(log.record_class));
        fieldpost::write(out, log.not_wanted);
    }
    write_registers(out, leaf.registers);
    return crypto::hash("leaf", network(), {out.bytes()});
}

RegistersHash Ledger::registers_hash(const std::vector<RegisterSummary>& list) const {
    ByteWriter out;
    write_registers(out, list);
    RegistersHash all;
    std::ranges::copy(
        crypto::hash("leaf-registers", network(), {out.bytes()}).first(RegistersHash::size),
        all.bytes.begin());
    return all;
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
        const auto leaf = leaf_of(office);
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

// What the leaf's hash is made of (invariant I7): bodies under way are not.
LeafSummary Ledger::leaf_content(OfficeId office) const {
    LeafSummary leaf;
    leaf.office = office;
    const auto* entry = roster_.find(office);
    leaf.is_closed = is_closed(office) || (entry != nullptr && entry->cut_off);
    for (const auto& [log, state] : logs_of(office)) {
        if (!state.known.empty() && !is_closed(office)) {
            leaf.logs.push_back({log.incarnation, log.record_class, state.known, {}});
        }
    }
    leaf.registers = register_list(office);
    return leaf;
}

std::vector<RegisterSummary> Ledger::register_list(OfficeId office) const {
    std::vector<RegisterSummary> list;
    for (const auto* entry : registers_in_leaf(office)) {
        list.push_back(
            {entry->key.kind, entry->key.subject, entry->version, register_hash(name_of(*entry))});
    }
    return list;
}

LeafSummary Ledger::summary_of(OfficeId office, Detail detail, OfficeId reader) {
    bound_logs();
    auto leaf = leaf_content(office);
    const std::size_t listed = detail == Detail::hash     ? 0
                               : detail == Detail::newest ? newest_registers
                                                          : leaf.registers.size();
    if (leaf.registers.size() > listed) {
        leaf.all_registers = registers_hash(leaf.registers);
        std::ranges::sort(leaf.registers, std::ranges::greater{}, &RegisterSummary::version);
        leaf.registers.resize(listed);
    }
    for (const auto& [id, partial] : partials_) {
        if (partial.log.author != office || is_closed(office)) {
            continue;
        }
        const auto same = [&](const LogSummary& log) {
            return log.incarnation == partial.log.incarnation &&
                   log.record_class == partial.log.record_class;
        };
        auto log = std::ranges::find_if(leaf.logs, same);
        if (log == leaf.logs.end()) {
            leaf.logs.push_back({partial.log.incarnation, partial.log.record_class, {}, {}});
            log = std::prev(leaf.logs.end());
        }
        const bool is_to_go_on = !partial.is_from_one || partial.prefix_from == reader;
        log->partials.push_back({partial.run.first, short_hash(id), partial.checked,
                                 is_to_go_on ? partial.prefix_part : 0,
                                 is_to_go_on ? partial.prefix_bytes : 0});
    }
    return leaf;
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

Result<std::optional<storage::Event>> Ledger::event_counting(const storage::Event& event) const {
    if (event.report) {
        return store_->event_of(*event.report, event.what, event.office);
    }
    const auto last = last_noted_.find({event.what, event.office});
    if (last == last_noted_.end() || is_always_news(event.what)) {
        return std::optional<storage::Event>{};
    }
    auto before = TRY(store_->event(last->second));
    if (!before) {
        return before;
    }
    // The clock may have been set back meanwhile.
    const bool is_again =
        is_of_link(event.what)
            ? before->seq + 1 == meta_.next_event
            : before->at <= event.at && event.at < before->at.plus(event_stands_seconds);
    return is_again ? std::move(before) : std::nullopt;
}

void Ledger::note(What what, About about, Now now, std::vector<Notice>& notify) {
    storage::Event event;
    event.at = wall(now);
    event.last = event.at;
    event.what = what;
    event.office = about.office;
    event.report = about.report;
    if (about.via) {
        event.how = about.via->how;
        event.via = about.via->office;
    }
    event.detail = std::move(about.detail);
    if (storage::kind_of(what).severity) {
        raise(event, 0);
    }
    auto before = event_counting(event);
    // For one that is damaged there is a new one.
    if (!before && before.error().code != Errc::corrupt) {
        write_failure_ = write_failure_.value_or(before.error());
        return;
    }
    // A repeat takes no new row, or one office could push the events of others out of the store.
    if (before && *before) {
        (*before)->last = event.at;
        ++(*before)->count;
        write(storage::PutEvent{std::move(**before)});
        return;
    }
    event.seq = edit_meta().next_event++;
    if (!event.report) {
        last_noted_[{what, event.office}] = event.seq;
    }
    write(storage::PutEvent{event});
    notify.emplace_back(Happened{std::move(event)});
}

void Ledger::raise(const storage::Event& event, std::uint32_t count) {
    const auto& item = attention_.raise(event, meta_.next_attention, count);
    if (item.number == meta_.next_attention) {
        ++edit_meta().next_attention;
    }
    write(storage::PutAttention{item});
}

void Ledger::keep_raised(What what, OfficeId office, std::uint32_t count, std::string detail,
                         Now now) {
    const auto found = attention_.items().find({what, office, {}});
    const bool is_raised = found != attention_.items().end();
    if (count == 0) {
        if (is_raised) {
            write(storage::DropAttention{found->second});
            attention_.settle(found->first);
        }
        return;
    }
    if (is_raised && found->second.count == count && found->second.detail == detail) {
        return;
    }
    storage::Event event;
    event.at = wall(now);
    event.what = what;
    event.office = office;
    event.detail = std::move(detail);
    raise(event, count);
}

void Ledger::settle(What what, OfficeId office, const storage::ReportKey& report) {
    const auto found = attention_.items().find({what, office, report});
    if (found != attention_.items().end()) {
        write(storage::DropAttention{found->second});
        attention_.settle(found->first);
    }
}

bool Ledger::dismiss(std::uint32_t number, Now now) {
    const auto* item = attention_.dismiss(number, wall(now));
    if (item != nullptr) {
        write(storage::PutAttention{*item});
    }
    return item != nullptr;
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
