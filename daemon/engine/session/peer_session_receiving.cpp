// The receiving half of a session: each frame checked, judged, kept, or answered with why not.
#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/membership/forks.h"
#include "daemon/engine/membership/roster_news.h"
#include "daemon/engine/registers.h"
#include "daemon/engine/self_check.h"
#include "daemon/engine/session/peer_session.h"
#include "proto/link_message.h"

namespace fieldpost::engine {

namespace {

constexpr std::size_t incoming_streams_max = 16;
// Bodies that were put off for want of room are looked at again after the first of these times.
// After each failure the time doubles, up to the second.
constexpr std::chrono::milliseconds shortest_put_off = std::chrono::seconds{5};
constexpr std::chrono::milliseconds longest_put_off = std::chrono::minutes{10};

}  // namespace

Result<void> PeerSession::receive(Ledger& ledger, BytesView message, Now now,
                                  const Elsewhere& elsewhere, Consequences& out) {
    flow_.heard(now.steady);
    pace_in_.spend_frame(message.size());
    pace_out_.spend_acknowledgement();
    const auto frames = frames_of(message);
    if (!frames) {
        offend(ledger, now, out, frames.error().detail);
        return ok();
    }
    for (const auto frame : *frames) {
        TRY(receive_frame(ledger, frame, now, elsewhere, out));
    }
    return ok();
}

Result<void> PeerSession::receive_frame(Ledger& ledger, BytesView bytes, Now now,
                                        const Elsewhere& elsewhere, Consequences& out) {
    auto frame = decode_frame(bytes);
    if (!frame) {
        if (frame.error().code != Errc::unsupported) {
            offend(ledger, now, out, frame.error().detail);
        }
        return ok();
    }
    if (is_data(*frame)) {
        data_received_ += bytes.size();
        arrival_rate_.count(now.steady, bytes.size());
    }
    const Step step{ledger, now, elsewhere, out};
    return std::visit([&](const auto& one) { return on(step, one); }, *frame);
}

Result<void> PeerSession::on(const Step& step, const RosterNews& news) {
    const auto& [ledger, now, elsewhere, out] = step;
    if (const auto taken = take_roster(ledger, news, via(), now, out.notify); !taken) {
        offend(ledger, now, out, taken.error().detail);
    }
    return ok();
}

Result<void> PeerSession::on(const Step& step, const Acknowledged& acknowledged) {
    // More than was sent is a lie that would only let us send more.
    data_acknowledged_ = std::clamp(acknowledged.bytes, data_acknowledged_, data_sent_);
    flow_.acknowledged(data_acknowledged_, step.now.steady);
    // The peer has these from here on, and knows of them in everything that it says.
    while (!unacknowledged_.empty() && unacknowledged_.front().until <= data_acknowledged_) {
        const auto& arrived = unacknowledged_.front();
        they_have_[arrived.log].add(arrived.run);
        unacknowledged_.pop_front();
    }
    return ok();
}

Result<void> PeerSession::on(const Step&, const Settled& settled) {
    their_digest_ = settled.digest;
    they_settled_ = true;
    return ok();
}

Result<void> PeerSession::on(const Step& step, const Custody& custody) {
    const auto& [ledger, now, elsewhere, out] = step;
    const auto taken = take_custody(ledger, custody, via(), now, out.notify);
    if (!taken && taken.error().code == Errc::untrusted) {
        offend(ledger, now, out, taken.error().detail);
        return ok();
    }
    if (const auto& prove = TRY(taken)) {
        send(out, *prove);
    }
    return ok();
}

Result<void> PeerSession::on(const Step& step, const RecordProof& proof) {
    return check_proof(step.ledger, proof, via(), step.now, step.out.notify);
}

Result<void> PeerSession::on(const Step& step, const LeafFingerprints& told) {
    answer_fingerprints(step.ledger, told, step.out);
    return ok();
}

// It stands in bundles only.
Result<void> PeerSession::on(const Step&, const BundleHead&) {
    return ok();
}

Result<void> PeerSession::on(const Step& step, const RegisterNews& news) {
    const auto& [ledger, now, elsewhere, out] = step;
    for (const auto& entry : news.registers) {
        const auto taken = take_register(ledger, entry, via(), now, out.notify);
        if (taken) {
            if (taken->prove) {
                send(out, *taken->prove);
            }
            // It has what it sent; if that is older than ours, it is still to get ours.
            const auto name = ledger.name_of(entry);
            const auto* newest = ledger.kept(name);
            if (newest != nullptr && *newest == entry) {
                registers_to_send_.erase(name);
                just_told_.insert_or_assign(name, ledger.register_hash(name));
            }
            continue;
        }
        switch (taken.error().code) {
            case Errc::corrupt:
            case Errc::unavailable:
                return std::unexpected(taken.error());
            case Errc::unsupported:
                break;
            default:
                offend(ledger, now, out, taken.error().detail);
        }
    }
    return ok();
}

Result<void> PeerSession::judged(Ledger& ledger, const Arriving& record, Verdict verdict, Now now,
                                 Consequences& out) {
    if (verdict == Verdict::forged) {
        // The record of that name may be a good one: it is still lacking, and not settled upon.
        spoiled_.insert(record.id);
        offend(ledger, now, out, "a record whose signature does not verify");
    }
    if (verdict == Verdict::ours) {
        const auto& log = record.header.log;
        stop_writing(ledger, via(), storage::report_in(log, record.header.number), now, out.notify);
    }
    if (verdict == Verdict::no_space) {
        put_off(record.header.log.author, now);
    }
    if (verdict == Verdict::no_space && !std::exchange(was_full_, true)) {
        ledger.note(What::disk_full, {.office = ledger.us()}, now, out.notify);
    }
    return ok();
}

void PeerSession::has_sent(const LogKey& log, Interval run) {
    they_have_[log].add(run);
    if (const auto found = to_send_.find(log); found != to_send_.end()) {
        found->second.remove(run);
    }
}

Result<void> PeerSession::on(const Step& step, const RecordNews& news) {
    const auto& [ledger, now, elsewhere, out] = step;
    RecordReader reader(ledger.network(), news);
    while (const auto read = reader.next()) {
        if (!*read) {
            if (read->error().code != Errc::unsupported) {
                offend(ledger, now, out, read->error().detail);
            }
            continue;
        }
        const auto& [record, body] = **read;
        const auto& header = record.header;
        const auto verdict = TRY(judge(ledger, record, via(), now, out.notify));
        if (verdict == Verdict::wanted) {
            TRY(keep(ledger, record, {to_bytes(body), {}}, via(), now, out.notify));
            ledger.count_received(header.run());
            custody_due_ = custody_due_ || header.log.author == peer_;
            has_sent(header.log, header.run());
        }
        TRY(judged(ledger, record, verdict, now, out));
    }
    return ok();
}

// Those that came whole in this batch wait for its end only.
std::size_t PeerSession::streams_under_way() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        incoming_, [](const auto& entry) { return !entry.second.body.is_whole(); }));
}

// It has told what it does with a stream of ours.
Result<void> PeerSession::on(const Step&, const Skip& skip) {
    // All of it may have been sent; what the other end says next, it says without having it.
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
    return ok();
}

void PeerSession::skipped(const LogKey& log, Interval run, SkipReason reason, bool is_resumed) {
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

void PeerSession::put_off(OfficeId author, Now now) {
    // More that is put off meanwhile does not make the first wait longer.
    if (put_off_.empty()) {
        put_off_for_ = std::clamp(put_off_for_ * 2, shortest_put_off, longest_put_off);
        put_off_until_ = now.steady + put_off_for_;
    }
    put_off_.insert(author);
}

void PeerSession::skip_until_later(std::uint32_t stream, OfficeId author, Now now,
                                   Consequences& out) {
    send(out, Skip{stream, SkipReason::later});
    put_off(author, now);
}

Result<void> PeerSession::on(const Step& step, const StreamOpened& opened) {
    const auto& [ledger, now, elsewhere, out] = step;
    const auto read = read_opened(ledger.network(), opened);
    if (!read || incoming_.contains(opened.stream)) {
        if (read || read.error().code != Errc::unsupported) {
            offend(ledger, now, out, "a stream that cannot be");
        }
        send(out, Skip{opened.stream, SkipReason::refused});
        return ok();
    }
    const auto& record = *read;
    if (streams_under_way() >= incoming_streams_max) {
        skip_until_later(opened.stream, record.header.log.author, now, out);
        return ok();
    }
    const auto verdict = TRY(judge(ledger, record, via(), now, out.notify));
    if (verdict != Verdict::wanted) {
        send(out, Skip{opened.stream, verdict == Verdict::known      ? SkipReason::have
                                      : verdict == Verdict::no_space ? SkipReason::later
                                      : verdict == Verdict::forged   ? SkipReason::bad
                                                                     : SkipReason::refused});
        return judged(ledger, record, verdict, now, out);
    }
    if (spoiled_.contains(record.id)) {
        send(out, Skip{opened.stream, SkipReason::bad});
        return ok();
    }
    if (elsewhere(record.header, record.id)) {
        left_to_others_.emplace(record.id, record.header);
        send(out, Skip{opened.stream, SkipReason::elsewhere});
        return ok();
    }
    incoming_.emplace(opened.stream,
                      Incoming{TRY(ArrivingBody::begin(ledger, record, peer_, now)), now.steady});
    return ok();
}

Result<void> PeerSession::on(const Step& step, const StreamResumed& resumed) {
    const auto& [ledger, now, elsewhere, out] = step;
    auto body = TRY(ArrivingBody::resume(ledger, resumed.id, peer_));
    if (!body || incoming_.contains(resumed.stream) || spoiled_.contains(resumed.id)) {
        send(out, Skip{resumed.stream, SkipReason::bad});
        return ok();
    }
    const auto& header = body->record().header;
    if (streams_under_way() >= incoming_streams_max) {
        skip_until_later(resumed.stream, header.log.author, now, out);
        return ok();
    }
    if (elsewhere(header, resumed.id)) {
        left_to_others_.emplace(resumed.id, header);
        send(out, Skip{resumed.stream, SkipReason::elsewhere});
        return ok();
    }
    incoming_.emplace(resumed.stream, Incoming{std::move(*body), now.steady});
    return ok();
}

Result<void> PeerSession::on(const Step& step, const Chunk& chunk) {
    const auto& [ledger, now, elsewhere, out] = step;
    const auto found = incoming_.find(chunk.stream);
    // Chunks that were under way when we skipped their stream are no offence.
    if (found == incoming_.end() || found->second.body.is_whole()) {
        return ok();
    }
    auto& body = found->second.body;
    if (body.is_terminal(ledger)) {
        end_stream(ledger, found, SkipReason::terminal, out);
        return ok();
    }
    if (body.is_held(ledger)) {
        end_stream(ledger, found, SkipReason::have, out);
        return ok();
    }
    found->second.rate.count(now.steady, chunk.bytes.size());
    const auto author = body.record().header.log.author;
    switch (TRY(body.take(ledger, chunk))) {
        case ArrivingBody::Took::more:
            found->second.bytes_here = body.bytes_here(ledger);
            return ok();
        case ArrivingBody::Took::no_room:
            skip_until_later(chunk.stream, author, now, out);
            incoming_.erase(found);
            return ok();
        case ArrivingBody::Took::out_of_place:
        case ArrivingBody::Took::mixed:
            // It goes on from where we were when we told it, and another source has brought more
            // since; or the beginning of this part was of another, and the part is wanted whole.
            body.put_progress(ledger);
            send(out, Skip{chunk.stream, SkipReason::later});
            incoming_.erase(found);
            tell_leaves(ledger, {author}, Detail::hash, out);
            return ok();
        case ArrivingBody::Took::spoiled:
        case ArrivingBody::Took::impossible:
            break;
    }
    // Every byte of it came from here.
    body.put_progress(ledger);
    send(out, Skip{chunk.stream, SkipReason::bad});
    spoiled_.insert(body.record().id);
    incoming_.erase(found);
    offend(ledger, now, out, "a part of a body that is not what its author signed");
    return ok();
}

Result<void> PeerSession::on(const Step& step, const Prove& prove) {
    auto& ledger = step.ledger;
    // The lowest it does not know has often ended here and is gone: any above proves as much.
    const auto record =
        TRY(ledger.store().record_ending_from(prove.log, prove.number, storage::WithBody::yes));
    if (record && !record->id.is_zero()) {
        send(step.out, TRY(proof_of(ledger, *record)));
    }
    return ok();
}

// Ends a stream that is not wanted any more, or that another source has brought.
PeerSession::Streams::iterator PeerSession::end_stream(Ledger& ledger, Streams::iterator at,
                                                       SkipReason reason, Consequences& out) {
    const auto& header = at->second.body.record().header;
    send(out, Skip{at->first, reason});
    if (reason == SkipReason::terminal) {
        at->second.body.drop(ledger);
    }
    has_sent(header.log, header.run());
    return incoming_.erase(at);
}

Result<bool> PeerSession::finish_streams(Ledger& ledger, Now now, Consequences& out) {
    bool any = false;
    for (auto at = incoming_.begin(); at != incoming_.end();) {
        auto& body = at->second.body;
        if (body.is_held(ledger) || body.is_terminal(ledger)) {
            at = end_stream(ledger, at,
                            body.is_held(ledger) ? SkipReason::have : SkipReason::terminal, out);
            continue;
        }
        if (body.has_made_way(ledger)) {
            skip_until_later(at->first, body.record().header.log.author, now, out);
            at = incoming_.erase(at);
            continue;
        }
        if (!body.is_whole()) {
            body.put_progress(ledger);
            ++at;
            continue;
        }
        put_off_for_ = {};
        const auto& header = body.record().header;
        const auto verdict = TRY(body.settle(ledger, via(), now, out.notify));
        if (verdict == Verdict::wanted) {
            custody_due_ = custody_due_ || header.log.author == peer_;
            any = true;
        }
        has_sent(header.log, header.run());
        TRY(judged(ledger, body.record(), verdict, now, out));
        at = incoming_.erase(at);
    }
    return any;
}

bool PeerSession::is_bringing(const RecordId& id) const {
    return std::ranges::any_of(
        incoming_, [&](const auto& entry) { return entry.second.body.record().id == id; });
}

bool PeerSession::is_slow_with(const RecordId& id, std::uint64_t other_bytes, Now now) const {
    const auto found = std::ranges::find_if(
        incoming_, [&](const auto& entry) { return entry.second.body.record().id == id; });
    if (found == incoming_.end()) {
        return false;
    }
    const auto& stream = found->second;
    const auto lately = stream.rate.lately(now.steady);
    const bool has_had_time =
        now.steady - stream.since >= std::chrono::seconds{ArrivalRate::window};
    return has_had_time && (lately == 0 || 2 * lately < other_bytes);
}

void PeerSession::leave_to_another(Ledger& ledger, const RecordId& id, Consequences& out) {
    const auto found = std::ranges::find_if(
        incoming_, [&](const auto& entry) { return entry.second.body.record().id == id; });
    if (found == incoming_.end() || found->second.body.is_whole()) {
        return;
    }
    found->second.body.put_progress(ledger);
    left_to_others_.emplace(id, found->second.body.record().header);
    send(out, Skip{found->first, SkipReason::elsewhere});
    incoming_.erase(found);
}

void PeerSession::want_again(Ledger& ledger, const Elsewhere& elsewhere, Now now,
                             Consequences& out) {
    std::set<OfficeId> wanted;
    std::erase_if(left_to_others_, [&](const auto& entry) {
        const bool is_over = !elsewhere(entry.second, entry.first);
        if (is_over) {
            wanted.insert(entry.second.log.author);
        }
        return is_over;
    });
    if (!put_off_.empty() && put_off_until_ <= now.steady) {
        if (has_disk_room(ledger, 0)) {
            wanted.merge(std::exchange(put_off_, {}));
        } else {
            put_off_until_ = now.steady + longest_put_off;
        }
    }
    // The author named in an unchecked header may not exist.
    std::erase_if(wanted, [&](OfficeId one) { return ledger.roster().find(one) == nullptr; });
    tell_leaves(ledger, {wanted.begin(), wanted.end()}, Detail::hash, out);
}

}  // namespace fieldpost::engine
