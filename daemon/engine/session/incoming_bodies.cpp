#include "daemon/engine/session/incoming_bodies.h"

#include "daemon/engine/record/record_frames.h"
#include "daemon/engine/self_check.h"

namespace fieldpost::engine {

namespace {

// Twice as many as a sender of ours has under way at once (send_queue.cpp).
constexpr std::size_t incoming_streams_max = 16;
// Bodies that were put off for want of room are looked at again after the first of these times.
// After each failure the time doubles, up to the second.
constexpr std::chrono::milliseconds shortest_put_off = std::chrono::seconds{5};
constexpr std::chrono::milliseconds longest_put_off = std::chrono::minutes{10};

}  // namespace

Result<void> IncomingBodies::open(const Step& step, const StreamOpened& opened,
                                  const Elsewhere& elsewhere) {
    auto& ledger = step.ledger;
    const auto read = read_opened(ledger.network(), opened);
    if (!read || streams_.contains(opened.stream)) {
        if (read || read.error().code != Errc::unsupported) {
            step.offend("a stream that cannot be");
        }
        step.send(Skip{opened.stream, SkipReason::refused});
        return ok();
    }
    const auto& record = *read;
    if (under_way() >= incoming_streams_max) {
        skip_until_later(step, opened.stream, record.header.log.author);
        return ok();
    }
    const auto verdict = TRY(judge(ledger, record, step.via(), step.now, step.out.notify));
    if (verdict != Verdict::wanted) {
        step.send(Skip{opened.stream, verdict == Verdict::known      ? SkipReason::have
                                      : verdict == Verdict::no_space ? SkipReason::later
                                      : verdict == Verdict::forged   ? SkipReason::bad
                                                                     : SkipReason::refused});
        heed(step, record, verdict);
        return ok();
    }
    if (spoiled_.contains(record.id)) {
        step.send(Skip{opened.stream, SkipReason::bad});
        return ok();
    }
    if (elsewhere(record.header, record.id)) {
        leave(step, opened.stream, record.header, record.id);
        return ok();
    }
    streams_.emplace(
        opened.stream,
        Incoming{TRY(ArrivingBody::begin(ledger, record, step.peer, step.now)), step.now.steady});
    return ok();
}

Result<void> IncomingBodies::resume(const Step& step, const StreamResumed& resumed,
                                    const Elsewhere& elsewhere) {
    auto body = TRY(ArrivingBody::resume(step.ledger, resumed.id, step.peer));
    if (!body || streams_.contains(resumed.stream) || spoiled_.contains(resumed.id)) {
        step.send(Skip{resumed.stream, SkipReason::bad});
        return ok();
    }
    const auto& header = body->record().header;
    if (under_way() >= incoming_streams_max) {
        skip_until_later(step, resumed.stream, header.log.author);
        return ok();
    }
    if (elsewhere(header, resumed.id)) {
        leave(step, resumed.stream, header, resumed.id);
        return ok();
    }
    streams_.emplace(resumed.stream, Incoming{std::move(*body), step.now.steady});
    return ok();
}

Result<std::optional<OfficeId>> IncomingBodies::take(const Step& step, const Chunk& chunk,
                                                     SendQueue& queue) {
    auto& ledger = step.ledger;
    const auto found = streams_.find(chunk.stream);
    // Chunks that were under way when we skipped their stream are no offence.
    if (found == streams_.end() || found->second.body.is_whole()) {
        return std::nullopt;
    }
    auto& body = found->second.body;
    if (body.is_terminal(ledger)) {
        end_stream(step, found, SkipReason::terminal, queue);
        return std::nullopt;
    }
    if (body.is_held(ledger)) {
        end_stream(step, found, SkipReason::have, queue);
        return std::nullopt;
    }
    found->second.rate.count(step.now.steady, chunk.bytes.size());
    const auto author = body.record().header.log.author;
    switch (TRY(body.take(ledger, chunk))) {
        case ArrivingBody::Took::more:
            found->second.bytes_here = body.bytes_here(ledger);
            return std::nullopt;
        case ArrivingBody::Took::no_room:
            skip_until_later(step, chunk.stream, author);
            streams_.erase(found);
            return std::nullopt;
        case ArrivingBody::Took::out_of_place:
        case ArrivingBody::Took::mixed:
            // It goes on from where we were when we told it, and another source has brought more
            // since; or the beginning of this part was of another, and the part is wanted whole.
            body.put_progress(ledger);
            step.send(Skip{chunk.stream, SkipReason::later});
            streams_.erase(found);
            return author;
        case ArrivingBody::Took::spoiled:
        case ArrivingBody::Took::impossible:
            break;
    }
    // Every byte of it came from here.
    body.put_progress(ledger);
    step.send(Skip{chunk.stream, SkipReason::bad});
    spoiled_.insert(body.record().id);
    streams_.erase(found);
    step.offend("a part of a body that is not what its author signed");
    return std::nullopt;
}

void IncomingBodies::heed(const Step& step, const Arriving& record, Verdict verdict) {
    auto& ledger = step.ledger;
    auto& notify = step.out.notify;
    if (verdict == Verdict::forged) {
        // The record of that name may be a good one: it is still lacking, and not settled upon.
        spoiled_.insert(record.id);
        step.offend("a record whose signature does not verify");
    }
    if (verdict == Verdict::ours) {
        const auto& log = record.header.log;
        stop_writing(ledger, step.via(), storage::report_in(log, record.header.number),
                     log.incarnation, step.now, notify);
    }
    if (verdict == Verdict::no_space) {
        put_off(record.header.log.author, step.now);
    }
    if (verdict == Verdict::no_space && !std::exchange(was_full_, true)) {
        ledger.note(What::disk_full, {.office = ledger.us()}, step.now, notify);
    }
}

IncomingBodies::Streams::iterator IncomingBodies::end_stream(const Step& step, Streams::iterator at,
                                                             SkipReason reason, SendQueue& queue) {
    const auto& header = at->second.body.record().header;
    step.send(Skip{at->first, reason});
    if (reason == SkipReason::terminal) {
        at->second.body.drop(step.ledger);
    }
    queue.peer_has(header.log, header.run());
    return streams_.erase(at);
}

void IncomingBodies::leave(const Step& step, std::uint32_t stream, const Header& header,
                           const RecordId& id) {
    left_to_others_.emplace(id, header);
    step.send(Skip{stream, SkipReason::elsewhere});
}

void IncomingBodies::put_off(OfficeId author, Now now) {
    // More that is put off meanwhile does not make the first wait longer.
    if (put_off_.empty()) {
        put_off_for_ = std::clamp(put_off_for_ * 2, shortest_put_off, longest_put_off);
        put_off_until_ = now.steady + put_off_for_;
    }
    put_off_.insert(author);
}

void IncomingBodies::skip_until_later(const Step& step, std::uint32_t stream, OfficeId author) {
    step.send(Skip{stream, SkipReason::later});
    put_off(author, step.now);
}

Result<std::set<OfficeId>> IncomingBodies::finish(const Step& step, SendQueue& queue) {
    auto& ledger = step.ledger;
    std::set<OfficeId> authors;
    for (auto at = streams_.begin(); at != streams_.end();) {
        auto& body = at->second.body;
        TRY(body.end_if_owed_to_nobody(ledger));
        if (body.is_held(ledger) || body.is_terminal(ledger)) {
            at = end_stream(step, at,
                            body.is_held(ledger) ? SkipReason::have : SkipReason::terminal, queue);
            continue;
        }
        if (body.has_made_way(ledger)) {
            skip_until_later(step, at->first, body.record().header.log.author);
            at = streams_.erase(at);
            continue;
        }
        if (!body.is_whole()) {
            body.put_progress(ledger);
            ++at;
            continue;
        }
        put_off_for_ = {};
        const auto& header = body.record().header;
        const auto verdict = TRY(body.settle(ledger, step.via(), step.now, step.out.notify));
        if (verdict == Verdict::wanted) {
            authors.insert(header.log.author);
        }
        queue.peer_has(header.log, header.run());
        heed(step, body.record(), verdict);
        at = streams_.erase(at);
    }
    return authors;
}

std::set<OfficeId> IncomingBodies::wanted_again(const Step& step, const Elsewhere& elsewhere) {
    std::set<OfficeId> wanted;
    std::erase_if(left_to_others_, [&](const auto& entry) {
        const bool is_over = !elsewhere(entry.second, entry.first);
        if (is_over) {
            wanted.insert(entry.second.log.author);
        }
        return is_over;
    });
    if (!put_off_.empty() && put_off_until_ <= step.now.steady) {
        if (has_disk_room(step.ledger, 0)) {
            wanted.merge(std::exchange(put_off_, {}));
        } else {
            put_off_until_ = step.now.steady + longest_put_off;
        }
    }
    // The author named in an unchecked header may not exist.
    std::erase_if(wanted, [&](OfficeId one) { return step.ledger.roster().find(one) == nullptr; });
    return wanted;
}

IncomingBodies::Streams::iterator IncomingBodies::bringing(const RecordId& id) {
    return std::ranges::find_if(
        streams_, [&](const auto& entry) { return entry.second.body.record().id == id; });
}

IncomingBodies::Streams::const_iterator IncomingBodies::bringing(const RecordId& id) const {
    return std::ranges::find_if(
        streams_, [&](const auto& entry) { return entry.second.body.record().id == id; });
}

bool IncomingBodies::is_bringing(const RecordId& id) const {
    return bringing(id) != streams_.end();
}

bool IncomingBodies::is_slow_with(const RecordId& id, std::uint64_t other_bytes, Now now) const {
    const auto found = bringing(id);
    if (found == streams_.end()) {
        return false;
    }
    const auto& stream = found->second;
    const auto lately = stream.rate.lately(now.steady);
    const bool has_had_time =
        now.steady - stream.since >= std::chrono::seconds{ArrivalRate::window};
    return has_had_time && (lately == 0 || 2 * lately < other_bytes);
}

void IncomingBodies::leave_to_another(const Step& step, const RecordId& id) {
    const auto found = bringing(id);
    if (found == streams_.end() || found->second.body.is_whole()) {
        return;
    }
    found->second.body.put_progress(step.ledger);
    leave(step, found->first, found->second.body.record().header, id);
    streams_.erase(found);
}

std::size_t IncomingBodies::under_way() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        streams_, [](const auto& entry) { return !entry.second.body.is_whole(); }));
}

bool IncomingBodies::keeps_anything_back() const {
    return !left_to_others_.empty() || !put_off_.empty() || !spoiled_.empty();
}

std::optional<Instant> IncomingBodies::wake_at(Instant now) const {
    std::optional<Instant> earliest;
    if (!left_to_others_.empty()) {
        earliest = now + std::chrono::seconds{ArrivalRate::window};
    }
    if (!put_off_.empty()) {
        earliest = std::min(earliest.value_or(put_off_until_), put_off_until_);
    }
    return earliest;
}

void IncomingBodies::show(std::vector<Transfer>& transfers) const {
    for (const auto& [stream, incoming] : streams_) {
        const auto& header = incoming.body.record().header;
        transfers.push_back({storage::report_in(header.log, header.number), true,
                             std::min<std::uint64_t>(incoming.bytes_here, header.body_bytes),
                             header.body_bytes});
    }
}

}  // namespace fieldpost::engine
