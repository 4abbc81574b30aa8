// The sending half of a session: what goes next, within the receiver's credit.
#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/stored_body.h"
#include "daemon/engine/session/peer_session.h"

namespace fieldpost::engine {

namespace {

// With all that is around it, less than the smallest packet that every way takes (RFC 791: 576).
constexpr std::uint32_t cautious_frame_bytes = 400;

// Up to here a record may travel whole; a larger one may be cut off in its middle, or skipped.
constexpr std::uint32_t small_body_bytes = 4096;
// On a slow link only what fits one TCP segment does: 1,448 less ZeroMQ's and CURVE's 42, and its
// header.
constexpr std::uint32_t small_body_bytes_min = 1024;
// Cut into by smaller ones; half of what a receiver lets be under way.
constexpr std::size_t outgoing_streams_max = 8;
// Worth 2 kB of another connection: on a slow link, and not for what is soon through.
constexpr std::uint64_t long_bytes = 100'000;
constexpr std::uint64_t long_seconds = 10;
// A chunk's own numbers.
constexpr std::size_t chunk_head_bytes = 16;
// A newer one of the same register of another office goes over a link this much later at the
// earliest.
constexpr std::chrono::milliseconds pass_on_interval = std::chrono::minutes{1};

std::uint64_t parts_size(const BodyShape& shape, const IntervalSet& parts) {
    std::uint64_t bytes = 0;
    for (const auto& interval : parts.intervals()) {
        for (std::uint64_t part = interval.first; part <= interval.last; ++part) {
            bytes += part_size(shape, static_cast<std::uint32_t>(part));
        }
    }
    return bytes;
}

}  // namespace

void PeerSession::let_time_pass(Now now) {
    now_ = now.steady;
    pace_out_.let_pass(now_);
    pace_in_.let_pass(now_);
}

void PeerSession::tell(Ledger& ledger, const Ledger::News& news, Consequences& out) {
    if (news.roster && theirs_) {
        send_roster(ledger, out);
    }
    for (const auto& [log, numbers] : news.held) {
        const auto theirs = they_have_.find(log);
        to_send_[log].add(theirs == they_have_.end() ? numbers : without(numbers, theirs->second));
    }
    // A record that gave way for room here after it was sent, and came again, is no news to the
    // peer.
    for (const auto& sent : unacknowledged_) {
        if (news.held.contains(sent.log)) {
            to_send_[sent.log].remove(sent.run);
        }
    }
    for (const auto& name : news.registers) {
        const auto told = just_told_.find(name);
        // By content: two of one version are possible, and the greater hash wins.
        if (told == just_told_.end() || ledger.register_hash(name) != told->second) {
            registers_to_send_.insert(name);
        }
    }
    just_told_.clear();
    custody_due_ = custody_due_ || news.let_go.contains(peer_);
    tell_leaves(ledger, {news.released.begin(), news.released.end()}, Detail::hash, out);
}

std::map<LogKey, Number> PeerSession::to_publish(const Ledger& ledger) const {
    std::map<LogKey, Number> wanted;
    if (!theirs_ || ledger.meta().stopped) {
        return wanted;
    }
    // Before it is admitted nobody could check what this office signed.
    const auto* us = ledger.roster().find(ledger.us());
    if (us == nullptr || !us->is_member() || is_in_question_ || !is_peer_member(ledger)) {
        return wanted;
    }
    for (const auto& [log, numbers] : to_send_) {
        if (log.author != ledger.us() || !may_send(log.record_class)) {
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

bool PeerSession::is_peer_member(const Ledger& ledger) const {
    const auto* peer = ledger.roster().find(peer_);
    return peer != nullptr && peer->is_member();
}

bool PeerSession::takes(const Ledger& ledger, const Header& header) const {
    if (is_in_question_ && header.log.author == ledger.us()) {
        return false;
    }
    return header.body_bytes <= theirs_->record_bytes_max &&
           (is_addressed_to(ledger.roster(), header, peer_) || header.log.author == peer_ ||
            (theirs_->carries && (policy_.carries || header.log.author == ledger.us())));
}

std::uint32_t PeerSession::frame_bytes() const {
    const auto most = std::min(flow_.frame(), pace_out_.frame_max());
    return is_cautious_ ? std::min(most, cautious_frame_bytes) : most;
}

bool PeerSession::has_used_up() const {
    const auto most = policy_.bytes_before_only_urgent;
    return most != 0 && pace_out_.spent() + pace_in_.spent() >= most;
}

// No credit at all is how an end says so of itself.
bool PeerSession::passes_only_urgent() const {
    return policy_.only_urgent || has_used_up() || theirs_->credit_bytes == 0;
}

bool PeerSession::may_send(RecordClass record_class) const {
    if (!pace_out_.is_free() || (record_class != RecordClass::urgent && passes_only_urgent())) {
        return false;
    }
    if (turn_ends_ && data_sent_ >= *turn_ends_) {
        return false;
    }
    // Urgent goes outside the credit, or it would wait behind what it has to overtake (P10).
    return (record_class == RecordClass::urgent && !is_cautious_) || has_room();
}

// Once nothing is under way that might be stuck, and nothing urgent waits that could go.
void PeerSession::end_caution(const Ledger& ledger) {
    if (!is_cautious_ || data_sent_ != data_acknowledged_) {
        return;
    }
    const bool has_urgent =
        std::ranges::any_of(
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
    is_cautious_ = has_urgent || (data_acknowledged_ == 0 && !has_nothing_left());
}

bool PeerSession::has_room() const {
    const auto under_way = data_sent_ - data_acknowledged_;
    if (is_cautious_) {
        return under_way == 0;
    }
    return under_way == 0 ||
           under_way + frame_bytes() <= std::min(flow_.window(), theirs_->credit_bytes);
}

// Receipts for something urgent also go over a link that passes urgent records only.
bool PeerSession::is_receipt_for_peer(const Ledger& ledger, const RegisterKey& key) const {
    const auto author = read_receipt_subject(key.subject);
    return key.kind == static_cast<std::uint8_t>(RegisterKind::receipt) &&
           key.signer == ledger.us() && author && *author == peer_;
}

bool PeerSession::is_of_this_pair(const Ledger& ledger, const RegisterKey& key) const {
    const auto author = read_receipt_subject(key.subject);
    return key.signer == ledger.us() ||
           (key.kind == static_cast<std::uint8_t>(RegisterKind::receipt) && author &&
            *author == peer_);
}

void PeerSession::send_own_registers(const Ledger& ledger, Consequences& out) {
    RegisterPacker packer;
    const auto* us = ledger.roster().find(ledger.us());
    const bool is_member = us != nullptr && us->is_member();
    for (auto at = registers_to_send_.begin(); at != registers_to_send_.end();) {
        const auto& key = at->key;
        // Before it is admitted an office can only ask to be.
        const bool must_wait = key.signer == ledger.us() && !is_member &&
                               key.kind != static_cast<std::uint8_t>(RegisterKind::enrolment);
        if (must_wait || !is_of_this_pair(ledger, key) ||
            (passes_only_urgent() && !is_receipt_for_peer(ledger, key))) {
            ++at;
            continue;
        }
        if (!may_send(passes_only_urgent() ? RecordClass::urgent : RecordClass::normal)) {
            break;
        }
        if (const auto* entry = ledger.kept(*at)) {
            packer.add(*entry);
        }
        at = registers_to_send_.erase(at);
        if (packer.bytes() > frame_bytes()) {
            send(out, packer.take());
        }
    }
    if (!packer.is_empty()) {
        send(out, packer.take());
    }
}

void PeerSession::pass_on_registers(const Ledger& ledger, Now now, Consequences& out) {
    passes_on_at_.reset();
    std::erase_if(passed_on_at_,
                  [&](const auto& entry) { return entry.second + pass_on_interval <= now.steady; });
    std::map<OfficeId, std::deque<std::set<RegisterName>::iterator>> by_signer;
    for (auto at = registers_to_send_.begin(); at != registers_to_send_.end(); ++at) {
        if (is_of_this_pair(ledger, at->key)) {
            continue;
        }
        if (const auto before = passed_on_at_.find(*at); before != passed_on_at_.end()) {
            const auto free_at = before->second + pass_on_interval;
            passes_on_at_ = std::min(passes_on_at_.value_or(free_at), free_at);
        } else {
            by_signer[at->key.signer].push_back(at);
        }
    }
    RegisterPacker packer;
    while (!by_signer.empty() && packer.bytes() <= frame_bytes()) {
        auto turn = by_signer.upper_bound(last_passed_on_);
        turn = turn == by_signer.end() ? by_signer.begin() : turn;
        last_passed_on_ = turn->first;
        const auto at = turn->second.front();
        turn->second.pop_front();
        if (turn->second.empty()) {
            by_signer.erase(turn);
        }
        if (const auto* entry = ledger.kept(*at)) {
            packer.add(*entry);
            passed_on_at_.insert_or_assign(*at, now.steady);
        }
        registers_to_send_.erase(at);
    }
    if (!packer.is_empty()) {
        send(out, packer.take());
    }
}

Result<void> PeerSession::send_records(Ledger& ledger, Consequences& out) {
    TRY(send_small(ledger, RecordClass::reply, out));
    TRY(send_small(ledger, RecordClass::normal, out));
    TRY(send_small(ledger, RecordClass::bulk, out));
    TRY(send_chunks(ledger, RecordClass::reply, out));
    TRY(send_chunks(ledger, RecordClass::normal, out));
    return send_chunks(ledger, RecordClass::bulk, out);
}

Result<void> PeerSession::send_in_turns(Ledger& ledger, Now now, Consequences& out) {
    while (may_send(RecordClass::normal)) {
        const auto before = data_sent_;
        if (registers_ahead_ == 0) {
            pass_on_registers(ledger, now, out);
            registers_ahead_ = data_sent_ - before;
            if (registers_ahead_ == 0) {
                return send_records(ledger, out);  // no register waits
            }
        } else {
            turn_ends_ = before + registers_ahead_;
            TRY(send_records(ledger, out));
            turn_ends_.reset();
            const auto sent = data_sent_ - before;
            // If no record was sent, records are owed nothing later.
            registers_ahead_ = sent == 0 ? 0 : registers_ahead_ - std::min(registers_ahead_, sent);
        }
    }
    return ok();
}

Result<void> PeerSession::send_small(Ledger& ledger, RecordClass record_class, Consequences& out) {
    // Records wait for an office that is not admitted yet, so that none is taken for sent when it
    // is admitted over this link.
    if (!is_peer_member(ledger)) {
        return ok();
    }
    RecordPacker packer;
    std::vector<Unacknowledged> packed;
    const auto flush = [&] {
        if (!packer.is_empty()) {
            send(out, packer.take());
        }
        for (auto& one : packed) {
            one.until = data_sent_;
            unacknowledged_.push_back(one);
        }
        packed.clear();
    };
    for (auto& [log, numbers] : to_send_) {
        if (log.record_class != record_class || !may_send(record_class)) {
            continue;
        }
        const auto small = without(numbers, large_[log]);
        IntervalSet gone;  // taken out at once: their author may have torn them into thousands
        for (auto number = small.next(1); number && may_send(record_class);) {
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
            if (!takes(ledger, header)) {
                gone.add(record->run);
                number = small.after(record->run.last);
                continue;
            }
            if (header.body_bytes > (is_cautious_ ? frame_bytes()
                                                  : std::clamp(frame_bytes(), small_body_bytes_min,
                                                               small_body_bytes))) {
                large_[log].add(record->run);
                by_size_[record_class].insert({header.body_bytes, log, *number});
                number = small.after(record->run.last);
                continue;
            }
            if (!TRY(packer.add(ledger, *record, header, frame_bytes()))) {
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

const PeerSession::Sized* PeerSession::next_large(RecordClass record_class) {
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

Result<void> PeerSession::open_stream(Ledger& ledger, const Sized& large, Consequences& out) {
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
        send(out, StreamResumed{stream, record->id});
    } else {
        send(out, TRY(opened_of(ledger, *record, header, stream)));
    }
    // Not with the list of its segments, or of two alike each would seem the smaller.
    outgoing.bytes_left = std::min<std::uint64_t>(
        header.body_bytes, parts_size(outgoing.shape, outgoing.parts_left) - outgoing.offset);
    outgoing.record = std::move(*record);
    outgoing_.emplace(stream, std::move(outgoing));
    return ok();
}

Result<void> PeerSession::send_chunks(Ledger& ledger, RecordClass record_class, Consequences& out) {
    while (may_send(record_class)) {
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
            TRY(open_stream(ledger, *waiting, out));
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
        chunk.bytes = to_bytes(
            rest.first(std::min<std::size_t>(rest.size(), frame_bytes() - chunk_head_bytes)));
        outgoing.offset += static_cast<std::uint32_t>(chunk.bytes.size());
        outgoing.bytes_left -= std::min<std::uint64_t>(outgoing.bytes_left, chunk.bytes.size());
        if (outgoing.offset == stored.size()) {
            outgoing.parts_left.remove({*part, *part});
            outgoing.offset = 0;
        }
        send(out, chunk);
        if (outgoing.parts_left.empty()) {
            ledger.count_sent(record.run);
            unacknowledged_.push_back(
                {data_sent_, outgoing.log, record.run, at->first, outgoing.is_resumed});
        }
    }
    return ok();
}

// Frames go out after the commit, so all data up to here is on disk when this is read.
void PeerSession::acknowledge(Consequences& out) {
    if (std::exchange(acknowledgement_sent_, data_received_) != data_received_) {
        send(out, Acknowledged{data_received_});
    }
}

Result<void> PeerSession::send_custody(Ledger& ledger, Now now, Consequences& out) {
    if (ledger.meta().stopped || !std::exchange(custody_due_, false)) {
        return ok();
    }
    auto custody = TRY(custody_of(ledger, peer_));
    // A statement with the same content says nothing new.
    const auto content =
        short_hash(crypto::hash("custody-told", ledger.network(), {signed_bytes(custody)}));
    auto& told = ledger.edit_peer(peer_).custody_told;
    const bool may_repeat = std::exchange(custody_repeated_, false);
    if ((told == content && !may_repeat) || (custody.logs.empty() && told == ShortHash{})) {
        return ok();
    }
    told = content;
    send(out, signed_custody(ledger, std::move(custody), now));
    return ok();
}

bool PeerSession::keeps_anything_back() const {
    return has_lost_leaf_ || !left_to_others_.empty() || !put_off_.empty() || !spoiled_.empty() ||
           !kept_back_.empty();
}

bool PeerSession::has_nothing_left() const {
    return outgoing_.empty() && registers_to_send_.empty() && large_leaves_.empty() &&
           std::ranges::all_of(to_send_, [](const auto& e) { return e.second.empty(); });
}

LinkView PeerSession::view() const {
    LinkView view;
    view.peer = peer_;
    view.is_settled = is_settled_ && incoming_.empty();
    view.passes_only_urgent = theirs_ && passes_only_urgent();
    view.has_used_up = has_used_up();
    view.acknowledged_bytes = data_acknowledged_;
    if (flow_.knows_round_trip()) {
        view.round_trip = flow_.least_round_trip();
    }
    const auto key_of = [](const LogKey& log, Number number) {
        return storage::report_in(log, number);
    };
    for (const auto& [stream, outgoing] : outgoing_) {
        const auto left = outgoing.bytes_left;
        const std::uint64_t all = outgoing.shape.body_bytes;
        view.transfers.push_back({key_of(outgoing.log, outgoing.record.run.first), false,
                                  all - std::min(all, left), all});
    }
    for (const auto& [stream, incoming] : incoming_) {
        const auto& header = incoming.body.record().header;
        view.transfers.push_back({key_of(header.log, header.number), true,
                                  std::min<std::uint64_t>(incoming.bytes_here, header.body_bytes),
                                  header.body_bytes});
    }
    return view;
}

std::optional<LinkUse> PeerSession::take_use() {
    LinkUse use{link_, theirs_ && streams_under_way() > 0 && !passes_only_urgent(), use_.is_long,
                !outgoing_.empty() && !has_room(), theirs_ && theirs_->is_doubled};
    std::uint64_t left = 0;
    for (const auto& [stream, outgoing] : outgoing_) {
        left += outgoing.bytes_left;
    }
    const auto rate = flow_.bytes_per_second();
    // A transfer that was long once stays long: its rest is not worth another notice.
    use.is_long = use.is_long || (left >= long_bytes && rate != 0 && left / rate >= long_seconds);
    return use == std::exchange(use_, use) ? std::nullopt : std::optional(use);
}

void PeerSession::settle(Ledger& ledger, Consequences& out) {
    is_settled_ = false;
    if (keeps_anything_back() && ledger.peer(peer_).settled != Hash{}) {
        ledger.edit_peer(peer_).settled = {};
        ledger.edit_peer(peer_).settled_own = {};
    }
    if (!has_nothing_left() || (!is_in_step_ && !has_summary_) || keeps_anything_back() ||
        is_in_question_) {
        return;
    }
    const auto digest = ledger.digest();
    if (settled_told_ != digest) {
        settled_told_ = digest;
        // If both were in step at the greeting, nothing need be said until our digest changes. Even
        // if it became equal to theirs, they do not know that.
        if (their_digest_ != digest || !is_in_step_ || digest != digest_told_) {
            tell_registers_again(ledger, out);
            if (!large_leaves_.empty()) {
                settled_told_.reset();  // it would be said before they are told
                return;
            }
            digest_told_ = digest;
            send(out, Settled{digest});
        }
    }
    // Both must have nothing left: one that still waits, to be admitted say, has not settled.
    const bool both = they_settled_ || their_digest_ == digest;
    if (both && their_digest_ && data_acknowledged_ == data_sent_ &&
        !clear_up(ledger, digest, out)) {
        is_settled_ = true;
        // Differences that are not cleared up are looked at again by the next link.
        if (!unclear_.empty()) {
            return;
        }
        const auto pair = settled_on(ledger, digest, *their_digest_);
        const auto own = settled_on(ledger, digest);
        const auto& remembered = ledger.peer(peer_);
        if (remembered.settled != pair || remembered.settled_own != own) {
            ledger.edit_peer(peer_).settled = pair;
            ledger.edit_peer(peer_).settled_own = own;
        }
    }
}

Result<void> PeerSession::pump(Ledger& ledger, Now now, Consequences& out) {
    if (is_dead(now)) {
        close(out, "no answer any more", true);
        return ok();
    }
    if (!theirs_) {
        show_roster_to_the_silent(ledger, now, out);
        return ok();
    }
    if (pace_in_.is_free()) {
        acknowledge(out);
    }
    end_caution(ledger);
    if (!is_cautious_) {
        TRY(send_custody(ledger, now, out));
    }
    TRY(send_small(ledger, RecordClass::urgent, out));
    TRY(send_chunks(ledger, RecordClass::urgent, out));
    send_own_registers(ledger, out);
    send_large_leaves(ledger, out);
    TRY(send_in_turns(ledger, now, out));
    settle(ledger, out);
    if (may_send(RecordClass::normal)) {
        flow_.ran_dry();
    }
    return ok();
}

}  // namespace fieldpost::engine
