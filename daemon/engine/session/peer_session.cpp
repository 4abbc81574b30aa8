#include "daemon/engine/session/peer_session.h"

#include <fmt/format.h>

#include "crypto/box.h"
#include "daemon/engine/membership/forks.h"
#include "daemon/engine/membership/roster_news.h"
#include "daemon/engine/record/record_frames.h"
#include "daemon/engine/registers.h"
#include "daemon/engine/self_check.h"
#include "daemon/engine/session/fingerprint_number.h"
#include "proto/limits.h"
#include "proto/link_message.h"

namespace fieldpost::engine {

namespace {

// A reachable peer has answered by now over the slowest link; the door is open for twice as long.
constexpr std::chrono::milliseconds greeting_patience = std::chrono::seconds{5};
// A peer that was shown our roster and still says nothing will never speak.
constexpr std::chrono::milliseconds longest_silence = std::chrono::seconds{30};
// Another connection stands ready beside a transfer that is at least so large and lasts at least so
// long. It costs 2 kB.
constexpr std::uint64_t long_bytes = 100'000;
constexpr std::uint64_t long_seconds = 10;

// Sends the changes of the roster that come after `version`, in frames of about `frame_bytes`.
void send_roster_after(const Step& step, std::uint32_t version, std::size_t frame_bytes) {
    const auto newest = step.ledger.roster().version();
    for (const auto& news : roster_news(step.ledger, version, newest, frame_bytes)) {
        step.send(news);
    }
}

}  // namespace

// --- the meeting

Result<void> PeerSession::greet(Ledger& ledger, Now now, Consequences& out) {
    const auto step = this->step(ledger, now, out);
    greeted_at_ = now.steady;
    Hello hello;
    hello.roster_version = ledger.roster().version();
    hello.roster_head = short_hash(ledger.roster().head());
    comparison_.greet(step, hello);
    hello.credit_bytes = frames_.policy().only_urgent ? 0 : credit_bytes;
    hello.clock = ledger.wall(now);
    hello.clock_doubtful = ledger.meta().doubtful;
    hello.carries = ledger.config().carries && frames_.policy().carries;
    hello.life = ledger.config().life;
    hello.is_doubled = ledger.lives().is_doubled(peer_, now.steady);
    step.send(hello);
    return ok();
}

// A member can give this office reasons to ask without end, so it asks for few proofs a minute.
// It asks for the others at the next meeting.
void PeerSession::ask(const Step& step, const Prove& prove) {
    if (step.now.steady - asks_since_ >= std::chrono::minutes{1}) {
        asks_since_ = step.now.steady;
        asks_ = 0;
    }
    if (asks_ < limits::proofs_asked_max) {
        ++asks_;
        step.send(prove);
    }
}

// Its receipt may have come by way of another office, and speak of records that are not ours.
Result<void> PeerSession::ask_about_its_receipt(const Step& step) {
    auto& ledger = step.ledger;
    const auto receipt = ledger.receipt(peer_, ledger.us());
    if (receipt == nullptr) {
        return ok();
    }
    const auto sifted = TRY(sift(ledger, *receipt));
    for (const auto& prove : sifted.to_prove) {
        ask(step, prove);
    }
    for (const auto& prove : TRY(untold_numbers(ledger, peer_, *receipt))) {
        ask(step, prove);
    }
    return ok();
}

Result<void> PeerSession::on(const Received& step, const Hello& hello) {
    auto& ledger = step.ledger;
    const auto now = step.now;
    auto& notify = step.out.notify;
    if (theirs_) {
        step.offend("greets twice");
        return ok();
    }
    if (hello.version_min > protocol_version || hello.version_max < protocol_version) {
        step.close_link(fmt::format("speaks versions {} to {}, not {}", hello.version_min,
                                    hello.version_max, protocol_version));
        return ok();
    }
    theirs_ = hello;
    frames_.greeted(hello.credit_bytes);
    if (!hello.clock_doubtful) {
        ledger.hear_clock(peer_, hello.clock, now);
    }
    if (ledger.lives().came(peer_, hello.life, now.steady)) {
        ledger.note(What::copied, {.office = peer_, .via = step.via()}, now, notify);
    }
    if (hello.is_doubled && ledger.lives().told_by(peer_, now.steady)) {
        const auto* teller = ledger.roster().find(peer_);
        ledger.note(What::copied,
                    {.office = ledger.us(),
                     .via = step.via(),
                     .detail = fmt::format("{} says so", teller == nullptr ? "?" : teller->name)},
                    now, notify);
    }
    auto& remembered = ledger.edit_peer(peer_);
    remembered.heard = ledger.wall(now);
    remembered.met = ledger.wall(now);
    remembered.roster_version = hello.roster_version;
    remembered.fingerprint_number =
        later_fingerprint_number(remembered.fingerprint_number, hello.fingerprint_number);
    send_roster(step);
    custody_due_ = true;
    comparison_.answer(step, hello);
    return ask_about_its_receipt(step);
}

// Sends the changes of the roster that the peer does not have. They say who could sign what comes
// after them. A peer whose newest change is another one than ours of that version gets ours too: it
// proves that the authority signed twice.
void PeerSession::send_roster(const Step& step) {
    const auto& roster = step.ledger.roster();
    auto& version = theirs_->roster_version;
    if (version > roster.version()) {
        return;
    }
    const bool is_ours = theirs_->roster_head == short_hash(roster.hash_of(version));
    send_roster_after(step, is_ours || version == 0 ? version : version - 1,
                      frames_.summary_frame_bytes());
    version = roster.version();
    theirs_->roster_head = short_hash(roster.head());
}

// A peer that says nothing may not know this office yet: its door takes a newer roster, and no more
// than so much of it.
void PeerSession::show_roster_to_the_silent(const Step& step) {
    const auto& ledger = step.ledger;
    if (has_shown_roster_ || step.now.steady < greeted_at_ + greeting_patience) {
        return;
    }
    has_shown_roster_ = true;
    auto from = ledger.roster().version();
    std::size_t size = limits::control_frame_bytes_max;  // for HELLO and what frames add
    while (from > 0) {
        size += encode_roster_change(ledger.roster_changes()[from - 1]).size();
        if (size > limits::roster_continuation_bytes_max) {
            break;
        }
        --from;
    }
    send_roster_after(step, from, shown_frame_bytes);
}

bool PeerSession::is_dead(Now now) const {
    const auto at = theirs_             ? frames_.dead_at()
                    : has_shown_roster_ ? std::optional(greeted_at_ + longest_silence)
                                        : std::nullopt;
    return at && *at <= now.steady;
}

std::optional<Instant> PeerSession::wake_at() const {
    if (!theirs_) {
        return greeted_at_ + (has_shown_roster_ ? longest_silence : greeting_patience);
    }
    std::optional<Instant> earliest;
    for (const auto at : {frames_.wake_at(), registers_.passes_on_at(), bodies_.wake_at(now_)}) {
        earliest = at && (!earliest || *at < *earliest) ? at : earliest;
    }
    return earliest;
}

void PeerSession::offend(Ledger& ledger, Now now, Consequences& out, const std::string& how) {
    step(ledger, now, out).offend(how);
}

// --- frames

Result<void> PeerSession::receive(Ledger& ledger, BytesView message, Now now,
                                  const Elsewhere& elsewhere, Consequences& out) {
    frames_.received_message(message.size(), now.steady);
    const Received step{this->step(ledger, now, out), elsewhere};
    const auto frames = frames_of(message);
    if (!frames) {
        step.offend(frames.error().detail);
        return ok();
    }
    for (const auto frame : *frames) {
        TRY(receive_frame(step, frame));
    }
    return ok();
}

Result<void> PeerSession::receive_frame(const Received& step, BytesView bytes) {
    auto frame = decode_frame(bytes);
    if (!frame) {
        if (frame.error().code != Errc::unsupported) {
            step.offend(frame.error().detail);
        }
        return ok();
    }
    if (is_data(*frame)) {
        frames_.received_data(bytes.size());
        arrival_rate_.count(step.now.steady, bytes.size());
    }
    return std::visit([&](const auto& one) { return on(step, one); }, *frame);
}

Result<void> PeerSession::on(const Received& step, const RosterNews& news) {
    const auto taken = take_roster(step.ledger, news, step.via(), step.now, step.out.notify);
    if (!taken) {
        step.offend(taken.error().detail);
    } else if (*taken == RosterTaken::contradicts && theirs_ &&
               theirs_->roster_version > step.ledger.roster().version()) {
        // It could not tell from our version that the authority signed twice.
        theirs_->roster_version = step.ledger.roster().version();
        theirs_->roster_head = {};
        send_roster(step);
    }
    return ok();
}

Result<void> PeerSession::on(const Received& step, const Acknowledged& acknowledged) {
    frames_.acknowledged(acknowledged.bytes, step.now.steady);
    records_.acknowledged(frames_.data_acknowledged());
    return ok();
}

Result<void> PeerSession::on(const Received&, const Settled& settled) {
    comparison_.hear(settled);
    return ok();
}

Result<void> PeerSession::on(const Received& step, const Custody& custody) {
    const auto taken = take_custody(step.ledger, custody, step.via(), step.now, step.out.notify);
    if (!taken && taken.error().code == Errc::untrusted) {
        step.offend(taken.error().detail);
        return ok();
    }
    return taken ? ok() : Result<void>(std::unexpected(taken.error()));
}

Result<void> PeerSession::on(const Received& step, const RecordProof& proof) {
    return check_proof(step.ledger, proof, step.via(), step.now, step.out.notify);
}

Result<void> PeerSession::on(const Received& step, const LeafFingerprints& told) {
    if (theirs_) {
        comparison_.hear(step, told);
    }
    return ok();
}

Result<void> PeerSession::on(const Received& step, const Summary& summary) {
    if (theirs_) {
        comparison_.hear(step, summary, {records_, registers_});
    }
    return ok();
}

// It stands in bundles only.
Result<void> PeerSession::on(const Received&, const BundleHead&) {
    return ok();
}

Result<void> PeerSession::on(const Received& step, const RegisterNews& news) {
    auto& ledger = step.ledger;
    for (const auto& entry : news.registers) {
        const auto taken = take_register(ledger, entry, step.via(), step.now, step.out.notify);
        if (taken) {
            // It has what it sent; if that is older than ours, it is still to get ours.
            const auto name = ledger.name_of(entry);
            const auto* newest = ledger.kept(name);
            if (newest != nullptr && *newest == entry) {
                registers_.peer_told(name, ledger.register_hash(name));
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
                step.offend(taken.error().detail);
        }
    }
    return ok();
}

Result<void> PeerSession::on(const Received& step, const RecordNews& news) {
    auto& ledger = step.ledger;
    auto& notify = step.out.notify;
    RecordReader reader(ledger.network(), news);
    while (const auto read = reader.next()) {
        if (!*read) {
            if (read->error().code != Errc::unsupported) {
                step.offend(read->error().detail);
            }
            continue;
        }
        const auto& [record, body] = **read;
        const auto& header = record.header;
        const auto verdict = TRY(judge(ledger, record, step.via(), step.now, notify));
        if (verdict == Verdict::wanted) {
            TRY(keep(ledger, record, {to_bytes(body), {}}, step.via(), step.now, notify));
            ledger.count_received(header.run());
            custody_due_ = custody_due_ || header.log.author == peer_;
            records_.peer_has(header.log, header.run());
        }
        bodies_.heed(step, record, verdict);
    }
    return ok();
}

Result<void> PeerSession::on(const Received&, const Skip& skip) {
    records_.skipped(skip);
    return ok();
}

Result<void> PeerSession::on(const Received& step, const StreamOpened& opened) {
    return bodies_.open(step, opened, step.elsewhere);
}

Result<void> PeerSession::on(const Received& step, const StreamResumed& resumed) {
    return bodies_.resume(step, resumed, step.elsewhere);
}

Result<void> PeerSession::on(const Received& step, const Chunk& chunk) {
    if (const auto office = TRY(bodies_.take(step, chunk, records_))) {
        comparison_.tell_leaves(step, {*office}, Detail::hash);
    }
    return ok();
}

Result<void> PeerSession::on(const Received& step, const Prove& prove) {
    auto& ledger = step.ledger;
    // The lowest it does not know has often ended here and is gone: any above proves as much.
    const auto record =
        TRY(ledger.store().record_ending_from(prove.log, prove.number, storage::WithBody::yes));
    if (record && !record->id.is_zero()) {
        step.send(TRY(proof_of(ledger, *record)));
    }
    return ok();
}

// --- the end of a batch

void PeerSession::let_time_pass(Now now) {
    now_ = now.steady;
    frames_.let_time_pass(now);
}

Result<bool> PeerSession::finish_streams(Ledger& ledger, Now now, Consequences& out) {
    const auto authors = TRY(bodies_.finish(step(ledger, now, out), records_));
    custody_due_ = custody_due_ || authors.contains(peer_);
    return !authors.empty();
}

void PeerSession::tell(Ledger& ledger, Now now, const Ledger::News& news, Consequences& out) {
    const auto step = this->step(ledger, now, out);
    if (news.roster && theirs_) {
        send_roster(step);
    }
    records_.add(news.held);
    registers_.add(ledger, news.registers);
    custody_due_ = custody_due_ || news.let_go.contains(peer_);
    for (const auto& [log, number, of] : news.to_prove) {
        if (theirs_ && (!of || *of == peer_)) {
            ask(step, Prove{log, number});
        }
    }
    comparison_.tell_leaves(step, {news.released.begin(), news.released.end()}, Detail::hash);
    comparison_.tell_leaves(step, {news.lacks_registers.begin(), news.lacks_registers.end()},
                            Detail::all);
}

void PeerSession::leave_to_another(Ledger& ledger, const RecordId& id, Now now, Consequences& out) {
    bodies_.leave_to_another(step(ledger, now, out), id);
}

void PeerSession::want_again(Ledger& ledger, const Elsewhere& elsewhere, Now now,
                             Consequences& out) {
    const auto step = this->step(ledger, now, out);
    const auto wanted = bodies_.wanted_again(step, elsewhere);
    comparison_.tell_leaves(step, {wanted.begin(), wanted.end()}, Detail::hash);
}

bool PeerSession::is_peer_member(const Ledger& ledger) const {
    const auto* peer = ledger.roster().find(peer_);
    return peer != nullptr && peer->is_member();
}

std::map<LogKey, Number> PeerSession::to_publish(const Ledger& ledger) const {
    if (!theirs_ || ledger.meta().stopped) {
        return {};
    }
    // Before it is admitted nobody could check what this office signed.
    const auto* us = ledger.roster().find(ledger.us());
    if (us == nullptr || !us->is_member() || comparison_.is_in_question() ||
        !is_peer_member(ledger)) {
        return {};
    }
    return records_.to_publish(ledger, frames_);
}

Result<void> PeerSession::pump(Ledger& ledger, Now now, Consequences& out) {
    const auto step = this->step(ledger, now, out);
    if (is_dead(now)) {
        step.close_link("no answer any more", true);
        return ok();
    }
    if (!theirs_) {
        show_roster_to_the_silent(step);
        return ok();
    }
    if (frames_.may_acknowledge()) {
        frames_.acknowledge(out);
    }
    end_caution(ledger);
    if (!frames_.is_cautious()) {
        TRY(send_custody(step));
    }
    TRY(send_small(step, RecordClass::urgent));
    TRY(records_.send_chunks(step, RecordClass::urgent));
    registers_.send_own(step);
    if (!records_.has_urgent()) {
        comparison_.send_large_leaves(step);
    }
    TRY(send_in_turns(step));
    settle(step);
    if (frames_.may_send(RecordClass::normal)) {
        frames_.ran_dry();
    }
    return ok();
}

// Once nothing is under way that might be stuck, and nothing urgent waits that could go.
void PeerSession::end_caution(const Ledger& ledger) {
    if (!frames_.is_cautious() || !frames_.is_all_acknowledged() ||
        records_.has_urgent_ready(ledger)) {
        return;
    }
    if (frames_.data_acknowledged() != 0 || has_nothing_left()) {
        frames_.end_caution();
    }
}

Result<void> PeerSession::send_small(const Step& step, RecordClass record_class) {
    // Records wait for an office that is not admitted yet, so that none is taken for sent when it
    // is admitted over this link.
    if (!is_peer_member(step.ledger)) {
        return ok();
    }
    return records_.send_small(step, record_class,
                               {*theirs_, frames_.policy().carries, comparison_.is_in_question()});
}

Result<void> PeerSession::send_records(const Step& step) {
    constexpr std::array classes = {RecordClass::reply, RecordClass::normal, RecordClass::bulk};
    for (const auto record_class : classes) {
        TRY(send_small(step, record_class));
    }
    for (const auto record_class : classes) {
        TRY(records_.send_chunks(step, record_class));
    }
    return ok();
}

Result<void> PeerSession::send_in_turns(const Step& step) {
    while (frames_.may_send(RecordClass::normal)) {
        const auto before = frames_.data_sent();
        if (registers_ahead_ == 0) {
            registers_.pass_on(step);
            registers_ahead_ = frames_.data_sent() - before;
            if (registers_ahead_ == 0) {
                return send_records(step);  // no register waits
            }
        } else {
            frames_.end_turn_at(before + registers_ahead_);
            TRY(send_records(step));
            frames_.end_turn_at(std::nullopt);
            const auto sent = frames_.data_sent() - before;
            // If no record was sent, records are owed nothing later.
            registers_ahead_ = sent == 0 ? 0 : registers_ahead_ - std::min(registers_ahead_, sent);
        }
    }
    return ok();
}

Result<void> PeerSession::send_custody(const Step& step) {
    auto& ledger = step.ledger;
    if (comparison_.take_has_told_peers_own_leaf()) {
        custody_due_ = true;
        custody_repeated_ = true;
    }
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
    step.send(signed_custody(ledger, std::move(custody), step.now));
    return ok();
}

void PeerSession::settle(const Step& step) {
    comparison_.settle(
        step, *theirs_,
        {has_nothing_left(), bodies_.keeps_anything_back() || records_.keeps_anything_back()});
}

bool PeerSession::has_nothing_left() const {
    return records_.is_empty() && registers_.is_empty() && !comparison_.has_large_leaves();
}

// --- for those who watch

LinkView PeerSession::view() const {
    LinkView view;
    view.peer = peer_;
    view.is_settled = comparison_.is_settled() && bodies_.is_empty();
    view.passes_only_urgent = theirs_ && frames_.passes_only_urgent();
    view.has_used_up = frames_.has_used_up();
    view.acknowledged_bytes = frames_.data_acknowledged();
    if (flow().knows_round_trip()) {
        view.round_trip = flow().least_round_trip();
    }
    records_.show(view.transfers);
    bodies_.show(view.transfers);
    return view;
}

std::optional<LinkUse> PeerSession::take_use() {
    LinkUse use{frames_.link(), theirs_ && bodies_.under_way() > 0 && !frames_.passes_only_urgent(),
                use_.is_long, records_.has_streams() && !frames_.has_room(),
                theirs_ && theirs_->is_doubled};
    const auto left = records_.stream_bytes_left();
    const auto rate = flow().bytes_per_second();
    // A transfer that was long once stays long: its rest is not worth another notice.
    use.is_long = use.is_long || (left >= long_bytes && rate != 0 && left / rate >= long_seconds);
    return use == std::exchange(use_, use) ? std::nullopt : std::optional(use);
}

}  // namespace fieldpost::engine
