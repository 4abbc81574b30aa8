#include "daemon/engine/session/send_queue.h"

#include "daemon/engine/queries.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/record_frames.h"
#include "daemon/engine/record/stored_body.h"

namespace fieldpost::engine {

namespace {

// Up to here a record may travel whole; a larger one may be cut off in its middle, or skipped.
constexpr std::uint32_t small_body_bytes = 4096;
// On a slow link only a record that fits one TCP segment travels whole: 1,448 bytes less those of
// ZeroMQ and CURVE (42), and of its header.
constexpr std::uint32_t small_body_bytes_min = 1024;
// Smaller streams may interrupt larger ones, up to so many. It is half of what a receiver lets be
// under way (incoming_bodies.cpp).
constexpr std::size_t outgoing_streams_max = 8;
// The numbers that a chunk carries.
constexpr std::size_t chunk_head_bytes = 16;

std::uint64_t parts_size(const BodyShape& shape, const IntervalSet& parts) {
    std::uint64_t bytes = 0;
    for (const auto& interval : parts.intervals()) {
        for (std::uint64_t part = interval.first; part <= interval.last; ++part) {
            bytes += part_size(shape, static_cast<std::uint32_t>(part));
        }
    }
    return bytes;
}

bool is_taken(const Step& step, const PeerTerms& terms, const Header& header) {
    const auto us = step.ledger.us();
    if (terms.is_in_question && header.log.author == us) {
        return false;
    }
    return header.body_bytes <= terms.hello.record_bytes_max &&
           (is_addressed_to(step.ledger.roster(), header, step.peer) ||
            header.log.author == step.peer ||
            (terms.hello.carries && (terms.we_carry || header.log.author == us)));
}

std::uint32_t most_whole_bytes(const FrameSender& frames) {
    const auto frame = frames.frame_bytes();
    return frames.is_cautious() ? frame : std::clamp(frame, small_body_bytes_min, small_body_bytes);
}

}  // namespace

void SendQueue::add(const std::map<LogKey, IntervalSet>& held) {
    for (const auto& [log, numbers] : held) {
        const auto theirs = they_have_.find(log);
        to_send_[log].add(theirs == they_have_.end() ? numbers : without(numbers, theirs->second));
    }
    // A record that gave way for room here after it was sent, and came again, is no news to the
    // peer.
    for (const auto& sent : unacknowledged_) {
        if (held.contains(sent.log)) {
            to_send_[sent.log].remove(sent.run);
        }
    }
}

void SendQueue::compare(const Ledger& ledger, const LeafSummary& leaf) {
    const auto of_office = [&](const auto& entry) { return entry.first.author == leaf.office; };
    std::erase_if(their_partials_, of_office);
    std::erase_if(they_have_, of_office);
    std::erase_if(kept_back_, of_office);
    for (const auto& log : leaf.logs) {
        const LogKey key{leaf.office, log.incarnation, log.record_class};
        their_partials_[key] = log.partials;
        they_have_[key] = log.not_wanted;
    }
    for (auto at = ledger.logs().lower_bound(LogKey{leaf.office, {}, {}});
         at != ledger.logs().end() && at->first.author == leaf.office; ++at) {
        const auto& [log, state] = *at;
        const auto theirs = they_have_.find(log);
        const bool is_closed_there = theirs == they_have_.end() && log < closed_below(leaf);
        auto lacking = is_closed_there ? IntervalSet{} : ledger.passable(log);
        if (theirs != they_have_.end()) {
            lacking.remove(theirs->second);
        }
        large_.erase(log);
        // Records on their way need not be sent again, unless the peer has forgotten them since.
        for (const auto& [stream, outgoing] : outgoing_) {
            if (outgoing.log == log) {
                lacking.remove(outgoing.record.run);
            }
        }
        for (const auto& sent : unacknowledged_) {
            if (sent.log == log) {
                lacking.remove(sent.run);
            }
        }
        if (lacking.empty()) {
            to_send_.erase(log);
        } else {
            to_send_[log] = std::move(lacking);
        }
    }
}

void SendQueue::peer_has(const LogKey& log, Interval run) {
    they_have_[log].add(run);
    if (const auto found = to_send_.find(log); found != to_send_.end()) {
        found->second.remove(run);
    }
}

void SendQueue::acknowledged(std::uint64_t data_bytes) {
    // The peer has these from here on, and knows of them in everything that it says.
    while (!unacknowledged_.empty() && unacknowledged_.front().until <= data_bytes) {
        const auto& arrived = unacknowledged_.front();
        they_have_[arrived.log].add(arrived.run);
        unacknowledged_.pop_front();
    }
}

void SendQueue::skipped(const Skip& skip) {
    // All of the stream may have been sent. In what the peer says next, it lacks the record.
    std::optional<Unacknowledged> one;
    const auto sent = std::ranges::find(unacknowledged_, skip.stream, &Unacknowledged::stream);
    if (sent != unacknowledged_.end() && skip.stream != 0) {
        one = *sent;
        unacknowledged_.erase(sent);
    }
    if (const auto found = outgoing_.find(skip.stream); found != outgoing_.end()) {
        one = {0, found->second.log, found->second.record.run, 0, found->second.is_resumed};
        outgoing_.erase(found);
    }
    if (one) {
        skipped(one->log, one->run, skip.reason, one->is_resumed);
    }
}

void SendQueue::skipped(const LogKey& log, Interval run, SkipReason reason, bool is_resumed) {
    if (!is_still_lacking(reason)) {
        they_have_[log].add(run);
    } else if (reason == SkipReason::bad && is_resumed) {
        // Nothing of it is there to go on with: it is looked at again, and opened anew.
        std::erase_if(their_partials_[log],
                      [&](const PartialSummary& partial) { return partial.number == run.first; });
        // It may have become whole meanwhile by another source, and been told.
        large_[log].remove(run);
        to_send_[log].add(without({run}, they_have_[log]));
    } else {
        kept_back_[log].add(run);
    }
}

std::map<LogKey, Number> SendQueue::to_publish(const Ledger& ledger,
                                               const FrameSender& frames) const {
    std::map<LogKey, Number> wanted;
    for (const auto& [log, numbers] : to_send_) {
        // Under numbers of an older incarnation nothing more is made public.
        if (log.author != ledger.us() || log.incarnation != ledger.meta().incarnation ||
            !frames.may_send(log.record_class)) {
            continue;
        }
        const auto& state = ledger.log(log);
        auto sendable = intersection(numbers, state.held);
        if (sendable.top() <= state.published) {
            continue;
        }
        // Public records go first, except those that wait for their turn in a stream.
        if (const auto large = large_.find(log); large != large_.end()) {
            sendable.remove(large->second);
        }
        if (*sendable.next(1) > state.published) {
            wanted[log] = sendable.top();
        }
    }
    return wanted;
}

Result<void> SendQueue::send_small(const Step& step, RecordClass record_class,
                                   const PeerTerms& terms) {
    auto& ledger = step.ledger;
    const auto& frames = step.frames;
    RecordPacker packer;
    std::vector<Unacknowledged> packed;
    const auto flush = [&] {
        if (!packer.is_empty()) {
            step.send(packer.take());
        }
        for (auto& one : packed) {
            one.until = frames.data_sent();
            unacknowledged_.push_back(one);
        }
        packed.clear();
    };
    for (auto& [log, numbers] : to_send_) {
        if (log.record_class != record_class || !frames.may_send(record_class)) {
            continue;
        }
        const auto small = without(numbers, large_[log]);
        IntervalSet gone;  // taken out at once: their author may have torn them into thousands
        for (auto number = small.next(1); number && frames.may_send(record_class);) {
            if (!ledger.log(log).held.contains(*number)) {
                gone.add(*number);
                number = small.after(*number);
                continue;
            }
            const auto record = TRY(ledger.store().record(log, *number, storage::WithBody::yes));
            if (!record) {
                return fail(Errc::corrupt, "store: a held number without its record");
            }
            if (record->id.is_zero()) {
                break;  // not published: this office is not admitted yet
            }
            const auto header = TRY(decode_header(record->header));
            if (!is_taken(step, terms, header)) {
                gone.add(record->run);
                number = small.after(record->run.last);
                continue;
            }
            if (header.body_bytes > most_whole_bytes(frames)) {
                large_[log].add(record->run);
                by_size_[record_class].insert({header.body_bytes, log, *number});
                number = small.after(record->run.last);
                continue;
            }
            if (!TRY(packer.add(ledger, *record, header, frames.frame_bytes()))) {
                flush();
                continue;  // credit may have ended
            }
            packed.push_back({0, log, record->run});
            ledger.count_sent(record->run);
            gone.add(record->run);
            number = small.after(record->run.last);
        }
        numbers.remove(gone);
    }
    flush();
    return ok();
}

const SendQueue::Sized* SendQueue::next_large(RecordClass record_class) {
    auto& waiting = by_size_[record_class];
    while (!waiting.empty()) {
        const auto& first = *waiting.begin();
        const auto wanted = to_send_.find(first.log);
        if (wanted != to_send_.end() && wanted->second.contains(first.number) &&
            large_[first.log].contains(first.number)) {
            return &first;
        }
        waiting.erase(waiting.begin());
    }
    return nullptr;
}

Result<void> SendQueue::open_stream(const Step& step, const Sized& large) {
    auto& ledger = step.ledger;
    const auto log = large.log;
    const auto number = large.number;
    auto record = TRY(ledger.store().record(log, number, storage::WithBody::yes));
    to_send_[log].remove({number, number});
    if (!record || !ledger.log(log).held.contains(number)) {
        return ok();
    }
    const auto header = TRY(decode_header(record->header));
    to_send_[log].remove(record->run);
    Outgoing outgoing;
    outgoing.log = log;
    outgoing.number = number;
    outgoing.shape = BodyShape{header.body_bytes};
    outgoing.parts_left = {{1, part_count(outgoing.shape)}};
    const auto stream = next_stream_++;
    const auto& partials = their_partials_[log];
    const auto partial = std::ranges::find_if(partials, [&](const PartialSummary& p) {
        return p.number == header.number && p.id == short_hash(record->id);
    });
    if (partial != partials.end()) {
        outgoing.parts_left.remove(partial->checked);
        const auto first = outgoing.parts_left.next(1);
        if (first && partial->prefix_part == *first &&
            partial->prefix_bytes < part_size(outgoing.shape, *first)) {
            outgoing.offset = partial->prefix_bytes;
        }
        outgoing.is_resumed = true;
        step.send(StreamResumed{stream, record->id});
    } else {
        step.send(TRY(opened_of(ledger, *record, header, stream)));
    }
    // Not with the list of its segments, or of two alike each would seem the smaller.
    outgoing.bytes_left = std::min<std::uint64_t>(
        header.body_bytes, parts_size(outgoing.shape, outgoing.parts_left) - outgoing.offset);
    outgoing.record = std::move(*record);
    outgoing_.emplace(stream, std::move(outgoing));
    return ok();
}

Result<void> SendQueue::send_chunks(const Step& step, RecordClass record_class) {
    auto& ledger = step.ledger;
    const auto& frames = step.frames;
    while (frames.may_send(record_class)) {
        // Small before large: what a person wrote does not wait for the photographs beside it.
        auto at = outgoing_.end();
        for (auto one = outgoing_.begin(); one != outgoing_.end(); ++one) {
            if (one->second.log.record_class == record_class &&
                (at == outgoing_.end() || one->second.bytes_left < at->second.bytes_left)) {
                at = one;
            }
        }
        const auto* waiting = next_large(record_class);
        if (waiting != nullptr &&
            (at == outgoing_.end() || (waiting->body_bytes < at->second.bytes_left &&
                                       outgoing_.size() < outgoing_streams_max))) {
            TRY(open_stream(step, *waiting));
            continue;
        }
        if (at == outgoing_.end()) {
            return ok();
        }
        auto& outgoing = at->second;
        const auto part = outgoing.parts_left.next(1);
        // Sent whole, or owed to nobody any more.
        if (!part || !ledger.log(outgoing.log).held.contains(outgoing.number)) {
            outgoing_.erase(at);
            continue;
        }
        const auto& record = outgoing.record;
        // Once for each part, where it begins: on a slow link it goes in many chunks.
        const auto stored = record.blob == storage::Blob{} ? record.body
                            : outgoing.offset == 0
                                ? TRY(checked_part_of(ledger, record, outgoing.shape, *part))
                                : TRY(part_of(ledger.store(), record, outgoing.shape, *part));
        Chunk chunk;
        chunk.stream = at->first;
        chunk.part = *part;
        chunk.offset = outgoing.offset;
        const auto rest = BytesView(stored).subspan(outgoing.offset);
        chunk.bytes = to_bytes(rest.first(
            std::min<std::size_t>(rest.size(), frames.frame_bytes() - chunk_head_bytes)));
        outgoing.offset += static_cast<std::uint32_t>(chunk.bytes.size());
        outgoing.bytes_left -= std::min<std::uint64_t>(outgoing.bytes_left, chunk.bytes.size());
        if (outgoing.offset == stored.size()) {
            outgoing.parts_left.remove({*part, *part});
            outgoing.offset = 0;
        }
        step.send(chunk);
        if (outgoing.parts_left.empty()) {
            ledger.count_sent(record.run);
            unacknowledged_.push_back(
                {frames.data_sent(), outgoing.log, record.run, at->first, outgoing.is_resumed});
        }
    }
    return ok();
}

bool SendQueue::is_empty() const {
    return outgoing_.empty() &&
           std::ranges::all_of(to_send_, [](const auto& e) { return e.second.empty(); });
}

bool SendQueue::has_urgent() const {
    return std::ranges::any_of(to_send_, [](const auto& entry) {
        return entry.first.record_class == RecordClass::urgent && !entry.second.empty();
    });
}

bool SendQueue::has_urgent_ready(const Ledger& ledger) const {
    return std::ranges::any_of(
               to_send_,
               [&](const auto& entry) {
                   const auto& [log, numbers] = entry;
                   const auto first = numbers.next(1);
                   return log.record_class == RecordClass::urgent && first &&
                          (log.author != ledger.us() || *first <= ledger.log(log).published);
               }) ||
           std::ranges::any_of(outgoing_, [](const auto& entry) {
               return entry.second.log.record_class == RecordClass::urgent;
           });
}

std::uint64_t SendQueue::stream_bytes_left() const {
    std::uint64_t left = 0;
    for (const auto& [stream, outgoing] : outgoing_) {
        left += outgoing.bytes_left;
    }
    return left;
}

std::size_t SendQueue::remembered_bytes() const {
    std::size_t runs = 0;
    for (const auto& [log, numbers] : they_have_) {
        runs += numbers.intervals().size() + 8;
    }
    for (const auto& [log, partials] : their_partials_) {
        for (const auto& partial : partials) {
            runs += partial.checked.intervals().size() + 8;
        }
    }
    return runs * sizeof(Interval);
}

void SendQueue::show(std::vector<Transfer>& transfers) const {
    for (const auto& [stream, outgoing] : outgoing_) {
        const auto left = outgoing.bytes_left;
        const std::uint64_t all = outgoing.shape.body_bytes;
        transfers.push_back({storage::report_in(outgoing.log, outgoing.record.run.first), false,
                             all - std::min(all, left), all});
    }
}

}  // namespace fieldpost::engine
