#include "daemon/engine/bundle/bundle_writer.h"

#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/membership/roster_news.h"
#include "daemon/engine/record/intake.h"
#include "daemon/engine/record/stored_body.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

using crypto::BundlePart;
using namespace std::chrono_literals;

// A cell is closed at this size. A single frame may exceed it.
constexpr std::size_t cell_bytes = 65'536;
constexpr std::size_t records_frame_bytes = 60'000;
constexpr std::size_t other_frame_bytes = 16'384;
// Others' registers and records take turns of about this size.
constexpr std::size_t turn_bytes = limits::register_bytes_max;
// Only a list of segments is larger than this, so only that part may need several chunks.
constexpr std::size_t chunk_bytes_max = 60'000;
// Type, stream, part, offset and the frame's own length, in bytes.
constexpr std::size_t cell_chunk_head_bytes = 20;
// A body is opened again once in each cell, after about `body_bytes_a_cell`. That costs
// `opened_bytes_max` at most.
constexpr std::size_t opened_bytes_max = limits::header_bytes_max + 128;
constexpr std::uint64_t body_bytes_a_cell = 6 * limits::segment_bytes;
// The smallest record, with an elided header and a sealed body.
constexpr std::size_t record_bytes_min = 180;

bool is_of(const RegisterKey& key, RegisterKind kind) {
    return key.kind == static_cast<std::uint8_t>(kind);
}
// Registers in the first part of a bundle, which members and invitees of any epoch may read.
bool is_of_roster_part(const RegisterKey& key) {
    return is_of(key, RegisterKind::epoch_slots) || is_of(key, RegisterKind::enrolment);
}

}  // namespace

bool BundleWriter::may_sign(const Ledger& ledger) const {
    const auto* us = ledger.roster().find(ledger.us());
    // Before this office is admitted nobody could check its signature.
    return us != nullptr && us->is_member() && !ledger.meta().stopped;
}

Result<BundleWriter> BundleWriter::begin(Ledger& ledger, const BundleOrder& order, Now now) {
    BundleWriter writer(TRY(BundleReaders::of(ledger, order)));
    writer.at_ = ledger.wall(now);
    writer.add_roster(ledger);
    TRY(writer.add_head(ledger, now));
    // This office may want records again that it did not want before, because there is room now.
    // Others must be told, or they never write those records again.
    writer.has_news_ =
        writer.readers_.since() &&
        !BundleKnowledge::after(writer.said_).with_less_than(*writer.readers_.since()).empty();
    writer.preamble_ = {writer.waiting_.begin(), writer.waiting_.end()};
    writer.preamble_left_ = writer.preamble_.size();
    TRY(writer.add_custody(ledger, now));
    writer.plan_records(ledger, RecordClass::urgent);
    return writer;
}

void BundleWriter::add(BundlePart part, const Frame& frame) {
    waiting_.push_back({part, encode_frame(frame), 0});
}

void BundleWriter::add_roster(const Ledger& ledger) {
    const auto from = readers_.roster_version(ledger);
    for (const auto& news :
         roster_news(ledger, from, ledger.roster().version(), other_frame_bytes)) {
        add(BundlePart::roster, news);
    }
    RegisterHashes ours(ledger);
    for (const auto& [name, entry] : ledger.registers()) {
        if (is_of_roster_part(name.key) && readers_.lack(entry, ours)) {
            add(BundlePart::roster, RegisterNews{{entry}});
        }
    }
}

Result<void> BundleWriter::add_head(Ledger& ledger, Now now) {
    if (ledger.meta().stopped) {
        return ok();
    }
    // An office that is not admitted yet signs a head too: it recognises its own file by it. Nobody
    // else can check that signature.
    const auto summary = bundled_summary(ledger);
    BundleHead head;
    head.writer = ledger.us();
    head.version = ledger.next_version();
    head.at = ledger.wall(now);
    head.roster_version = ledger.roster().version();
    head.carries = ledger.config().carries;
    // An office that may not sign yet writes no records or registers of its own, though its summary
    // lists them. So its bundle is not complete, and not part of a row.
    if (readers_.order().is_in_row && may_sign(ledger)) {
        head.place =
            readers_.since() ? static_cast<std::uint8_t>(*readers_.since()->head()->place + 1) : 0;
    }
    head.targets = readers_.order().targets;
    head.summary = crypto::hash("bundle-summary", ledger.network(), {summary});
    crypto::sign_bundle_head(ledger.config().machine->identity, ledger.network(), head);
    add(BundlePart::rest, head);
    said_ = said_of(head, summary);
    ByteReader in(summary);
    while (!in.at_end()) {
        waiting_.push_back(
            {BundlePart::rest, to_bytes(TRY(in.read_sized(limits::frame_bytes_max))), 0});
    }
    return ok();
}

Result<void> BundleWriter::add_custody(Ledger& ledger, Now now) {
    for (const auto& target : readers_.all()) {
        auto custody = TRY(custody_of(ledger, target.office()));
        // A number that this office did not want may have been refused then and be held now. So the
        // previous bundle counts only if nothing was released since.
        const bool is_told =
            readers_.since() && readers_.since()->head()->version.counter >= ledger.released_at() &&
            std::ranges::all_of(custody.logs, [&](const auto& log) {
                const LogKey key{target.office(), log.incarnation, log.record_class};
                return readers_.since()->lacks(key, log.held).empty();
            });
        if (custody.logs.empty() || is_told || !may_sign(ledger)) {
            continue;
        }
        add(BundlePart::rest, signed_custody(ledger, std::move(custody), now));
    }
    return ok();
}

// As over a link: registers of others that do not concern the reader's own records do not go before
// records.
bool BundleWriter::goes_first(const Ledger& ledger, const RegisterKey& key) const {
    if (key.signer == ledger.us()) {
        return true;
    }
    if (!is_of(key, RegisterKind::receipt)) {
        return false;
    }
    // A bundle for everybody names no reader, and every receipt is about some reader's records. So
    // there no receipt of others goes first.
    const auto author = read_receipt_subject(key.subject);
    return author &&
           std::ranges::find(readers_.order().targets, *author) != readers_.order().targets.end();
}

void BundleWriter::add_registers(const Ledger& ledger) {
    RegisterPacker packer;
    RegisterHashes ours(ledger);
    for (const auto& [name, entry] : ledger.registers()) {
        const auto& key = name.key;
        if (is_of_roster_part(key) || !goes_first(ledger, key) ||
            (key.signer == ledger.us() && !may_sign(ledger)) || !readers_.lack(entry, ours)) {
            continue;
        }
        packer.add(entry);
        if (packer.bytes() > other_frame_bytes) {
            add(BundlePart::rest, packer.take());
        }
    }
    if (!packer.is_empty()) {
        add(BundlePart::rest, packer.take());
    }
}

void BundleWriter::plan_others(const Ledger& ledger) {
    others_ahead_ = 0;
    RegisterHashes ours(ledger);
    std::map<OfficeId, std::size_t> of_signer;
    std::multimap<std::size_t, RegisterName> by_turn;
    for (const auto& [name, entry] : ledger.registers()) {
        if (!is_of_roster_part(name.key) && !goes_first(ledger, name.key) &&
            readers_.lack(entry, ours)) {
            by_turn.emplace(of_signer[name.key.signer]++, name);
        }
    }
    for (const auto& [turn, name] : by_turn) {
        others_.push_back(name);
    }
}

void BundleWriter::add_others(const Ledger& ledger) {
    RegisterPacker packer;
    while (!others_.empty() && packer.bytes() < turn_bytes) {
        if (const auto* entry = ledger.kept(others_.front())) {
            packer.add(*entry);
        }
        others_.pop_front();
    }
    if (!packer.is_empty()) {
        waiting_.push_back({BundlePart::rest, encode_frame(packer.take()), 0, true});
    }
}

void BundleWriter::plan_records(const Ledger& ledger, RecordClass record_class) {
    if (!readers_.order().has_records) {
        return;
    }
    for (const auto& [log, state] : ledger.logs()) {
        if (log.record_class != record_class) {
            continue;
        }
        IntervalSet wanted;
        for (const auto& target : readers_.all()) {
            wanted.add(readers_.lacked(ledger, target, log, ledger.passable(log)));
        }
        if (!wanted.empty()) {
            small_[log] = std::move(wanted);
        }
    }
}

void BundleWriter::begin_stage(const Ledger& ledger) {
    switch (stage_) {
        case Stage::registers:
            add_registers(ledger);
            break;
        case Stage::replies:
            plan_others(ledger);
            plan_records(ledger, RecordClass::reply);
            break;
        case Stage::normal:
            plan_records(ledger, RecordClass::normal);
            break;
        case Stage::bulk:
            plan_records(ledger, RecordClass::bulk);
            break;
        case Stage::urgent:
        case Stage::over:
            break;
    }
}

// Adds the next frame of records in one piece, or returns the record that must be published first.
Result<std::optional<BundleWriter::Unpublished>> BundleWriter::gather_small(Ledger& ledger,
                                                                            std::size_t room) {
    const auto turn = others_.empty() ? records_frame_bytes
                                      : static_cast<std::size_t>(std::max<std::int64_t>(
                                            static_cast<std::int64_t>(turn_bytes), others_ahead_));
    const auto most = std::min({records_frame_bytes, room, turn});
    RecordPacker packer;
    std::uint64_t reports = 0;
    // Packs at least one record. The caller sees whether it fits.
    while (!small_.empty() && (packer.is_empty() || packer.bytes() < most)) {
        const auto at = small_.begin();
        const auto& log = at->first;
        auto& numbers = at->second;
        const auto number = numbers.next(1);
        if (!number) {
            small_.erase(at);
            continue;
        }
        if (!ledger.log(log).held.contains(*number)) {
            numbers.remove({*number, *number});  // it was delivered meanwhile
            continue;
        }
        if (const auto left = TRY(readers_.left_to_others(ledger, log, *number, at_))) {
            numbers.remove(*left);
            continue;
        }
        const auto record = TRY(ledger.store().record(log, *number, storage::WithBody::yes));
        if (!record) {
            return fail(Errc::corrupt, "store: a held number without its record");
        }
        const auto header = TRY(decode_header(record->header));
        const bool is_public = !record->id.is_zero();
        const bool may_publish = may_sign(ledger) && log.incarnation == ledger.meta().incarnation;
        if (!readers_.lack(ledger, header) || (!is_public && !may_publish)) {
            numbers.remove(record->run);
            continue;
        }
        if (!is_public) {
            if (packer.is_empty()) {
                return std::optional(Unpublished{log, numbers.top()});
            }
            break;
        }
        if (!BodyShape{header.body_bytes}.is_one_piece()) {
            large_.emplace(header.body_bytes, std::pair(log, *number));
            large_bytes_ += header.body_bytes;
            numbers.remove(record->run);
            continue;
        }
        if (!TRY(packer.add(ledger, *record, header, most))) {
            break;
        }
        reports += record->run.count();
        holds_[log].add(record->run);
        numbers.remove(record->run);
    }
    if (!packer.is_empty()) {
        small_reports_ += reports;
        small_bytes_ += packer.bytes();
        waiting_.push_back({BundlePart::rest, encode_frame(packer.take()), reports});
    }
    return std::optional<Unpublished>{};
}

void BundleWriter::forget_large(LargeOnes::iterator at) {
    large_bytes_ -= at->first;
    large_.erase(at);
}

// Begins the smallest body in segments that still waits. False: it does not fit.
Result<bool> BundleWriter::begin_large(const Ledger& ledger, const BundleMore& more) {
    const auto at = large_.begin();
    const auto [log, number] = at->second;
    auto record = ledger.log(log).held.contains(number)
                      ? TRY(ledger.store().record(log, number, storage::WithBody::no))
                      : std::nullopt;
    if (!record) {
        forget_large(at);
        return true;
    }
    const auto header = TRY(decode_header(record->header));
    Large large;
    large.shape = BodyShape{header.body_bytes};
    const IntervalSet all{{1, part_count(large.shape)}};
    for (const auto& target : readers_.all()) {
        if (target.takes(ledger.roster(), header) &&
            !readers_.lacked(ledger, target, log, {header.run()}).empty()) {
            const auto* partial = target.partial(log, number, record->id);
            large.parts.add(partial == nullptr ? all : without(all, partial->checked));
        }
    }
    if (readers_.order().is_all || large.parts.empty()) {
        large.parts = all;
    }
    const auto cells = header.body_bytes / body_bytes_a_cell + 2;
    if (header.body_bytes + cells * opened_bytes_max > more.budget) {
        const bool is_left_out = more.may_leave_out || is_file_fresh_;
        if (is_left_out) {
            left_out_ += record->run.count();
            forget_large(at);
        }
        return is_left_out;
    }
    forget_large(at);
    large.record = std::move(*record);
    large.header = header;
    under_way_.emplace(std::move(large));
    return true;
}

Result<void> BundleWriter::fill_with_large(const Ledger& ledger, std::size_t room) {
    auto& large = *under_way_;
    if (!ledger.log(large.header.log).held.contains(large.record.run.first)) {
        under_way_.reset();  // it was delivered meanwhile
        return ok();
    }
    ByteWriter cell;
    cell.sized(encode_frame(TRY(opened_of(ledger, large.record, large.header, 1))));
    bool has_some = false;
    while (const auto part = large.parts.next(1)) {
        const auto bytes = TRY(checked_part_of(ledger, large.record, large.shape, *part));
        const auto rest = BytesView(bytes).subspan(large.offset);
        const auto some = rest.first(std::min(rest.size(), chunk_bytes_max));
        if (cell.size() + some.size() + cell_chunk_head_bytes > room) {
            break;
        }
        cell.sized(encode_frame(Chunk{1, *part, large.offset, to_bytes(some)}));
        has_some = true;
        large.offset += static_cast<std::uint32_t>(some.size());
        if (large.offset == bytes.size()) {
            large.parts.remove({*part, *part});
            large.offset = 0;
        }
    }
    const auto reports = large.record.run.count();
    if (!has_some) {
        // There was less room than estimated. The parts already written are still of use to
        // readers.
        left_out_ += reports;
        under_way_.reset();
        return ok();
    }
    part_ = BundlePart::rest;
    cell_ = cell.take();
    others_ahead_ -= static_cast<std::int64_t>(cell_.size());
    is_file_fresh_ = false;
    has_news_ = true;
    if (large.parts.empty()) {
        holds_[large.header.log].add(large.record.run);
        reports_ += reports;
        under_way_.reset();
    }
    return ok();
}

std::uint64_t BundleWriter::left_bytes() const {
    std::uint64_t small = 0;
    for (const auto& [log, numbers] : small_) {
        small += numbers.count();
    }
    const auto each = small_reports_ == 0 ? record_bytes_min : small_bytes_ / small_reports_;
    const auto parts = under_way_ ? under_way_->parts.count() : 0;
    return small * each + large_bytes_ + parts * limits::segment_bytes;
}

BundleContent BundleWriter::content(BundleContent::Step step) {
    return {{},
            step,
            part_,
            std::exchange(cell_, {}),
            reports_,
            left_out_,
            is_short_,
            has_news_,
            readers_.since().has_value(),
            left_bytes(),
            step == BundleContent::Step::over ? said_ : Bytes{},
            step == BundleContent::Step::over ? std::exchange(holds_, {}) : RunsByLog{}};
}

// Counts the rest as left out, and does not read or publish a hundred thousand records to find that
// none fits.
void BundleWriter::leave_out_the_rest(const Ledger& ledger) {
    for (const auto& item : waiting_) {
        left_out_ += item.reports;
        is_short_ = is_short_ || item.reports == 0;
    }
    waiting_.clear();
    preamble_left_ = 0;
    if (under_way_) {
        left_out_ += under_way_->record.run.count();
        under_way_.reset();
    }
    while (true) {
        for (const auto& [log, numbers] : small_) {
            left_out_ += numbers.count();
        }
        small_.clear();
        if (stage_ == Stage::over) {
            break;
        }
        stage_ = static_cast<Stage>(static_cast<int>(stage_) + 1);
        begin_stage(ledger);
        is_short_ = is_short_ || !waiting_.empty();
        waiting_.clear();
    }
    is_short_ = is_short_ || !others_.empty();
    others_.clear();
    left_out_ += large_.size();
    large_.clear();
    large_bytes_ = 0;
}

Result<BundleWriter::Step> BundleWriter::next(Ledger& ledger, const BundleMore& more) {
    using enum BundleContent::Step;
    if (more.is_new_file) {
        waiting_.insert(waiting_.begin(), preamble_.begin(), preamble_.end());
        preamble_left_ = preamble_.size();
        is_file_fresh_ = true;
    }
    const auto room = std::min<std::uint64_t>(more.room, more.budget);
    if (room < record_bytes_min && more.may_leave_out && cell_.empty()) {
        leave_out_the_rest(ledger);
    }
    while (true) {
        if (!waiting_.empty()) {
            const auto& item = waiting_.front();
            const auto size = item.frame.size() + varint_size(item.frame.size());
            const bool is_full = cell_.size() + size > room;
            if (!cell_.empty() &&
                (is_full || item.part != part_ || cell_.size() + size > cell_bytes)) {
                return content(cell);
            }
            // An item that does not fit an otherwise empty file will not fit the next file either.
            if (is_full && !more.may_leave_out && !is_file_fresh_) {
                return content(full);
            }
            if (is_full) {
                left_out_ += item.reports;
                is_short_ = is_short_ || item.reports == 0;
            } else {
                part_ = item.part;
                ByteWriter sized;
                sized.sized(item.frame);
                cell_.insert(cell_.end(), sized.bytes().begin(), sized.bytes().end());
                reports_ += item.reports;
                others_ahead_ += item.is_of_others  ? static_cast<std::int64_t>(size)
                                 : item.reports > 0 ? -static_cast<std::int64_t>(size)
                                                    : 0;
                is_file_fresh_ = preamble_left_ > 0;
                has_news_ = has_news_ || preamble_left_ == 0 || item.part == BundlePart::roster;
            }
            preamble_left_ -= preamble_left_ > 0 ? 1 : 0;
            waiting_.pop_front();
        } else if (!others_.empty() && (others_ahead_ <= 0 || stage_ == Stage::over)) {
            add_others(ledger);
        } else if (under_way_ || (small_.empty() && !large_.empty())) {
            if (!cell_.empty()) {
                return content(cell);
            }
            if (under_way_) {
                TRY(fill_with_large(ledger, room));
            } else if (!TRY(begin_large(ledger, more))) {
                return content(full);
            }
        } else if (!small_.empty()) {
            if (const auto unpublished = TRY(gather_small(ledger, room))) {
                return *unpublished;
            }
        } else if (stage_ == Stage::over) {
            return content(cell_.empty() ? over : cell);
        } else {
            stage_ = static_cast<Stage>(static_cast<int>(stage_) + 1);
            begin_stage(ledger);
        }
    }
}

}  // namespace fieldpost::engine
