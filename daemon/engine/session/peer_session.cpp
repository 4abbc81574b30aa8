#include "daemon/engine/session/peer_session.h"

#include <fmt/format.h>

#include "crypto/box.h"
#include "daemon/engine/membership/roster_news.h"
#include "daemon/engine/self_check.h"
#include "daemon/engine/session/fingerprint_number.h"
#include "proto/limits.h"
#include "proto/link_message.h"

namespace fieldpost::engine {

namespace {

// A peer that breaks the protocol this often on one link loses it.
constexpr int offences_max = 8;
// A reachable peer has answered by now over the slowest link; the door is open for twice as long.
constexpr std::chrono::milliseconds greeting_patience = std::chrono::seconds{5};
// A peer that was shown our roster and still says nothing will never speak.
constexpr std::chrono::milliseconds longest_silence = std::chrono::seconds{30};

}  // namespace

// With less let through the same two would have settled sooner, so what is let through belongs to
// it: of what it takes, and of what each of us takes and gives over this link.
Hash PeerSession::settled_on(const Ledger& ledger, const Digest& own, const Digest& theirs) const {
    ByteWriter taken;
    taken.u8(theirs_->carries ? 1 : 0);
    taken.u32(theirs_->record_bytes_max);
    return crypto::hash("settled", ledger.network(),
                        {settled_on(ledger, own).view(), theirs.view(), taken.bytes()});
}

Hash PeerSession::settled_on(const Ledger& ledger, const Digest& own) const {
    ByteWriter let_through;
    let_through.u8(ledger.config().carries ? 1 : 0);
    let_through.u8(policy_.carries ? 1 : 0);
    return crypto::hash("settled-own", ledger.network(), {own.view(), let_through.bytes()});
}

void PeerSession::send(Consequences& out, const Frame& frame) {
    auto bytes = encode_frame(frame);
    if (is_data(frame)) {
        data_sent_ += bytes.size();
        flow_.sent(data_sent_, now_);
    } else {
        flow_.control_sent(bytes.size());
    }
    // Before it has greeted a peer may be one whose door takes single frames only.
    if (theirs_ && !is_cautious_ && !out.send.empty() && out.send.back().link == link_ &&
        join_frame(out.send.back().bytes, bytes)) {
        pace_out_.spend_joined(bytes.size());
        return;
    }
    pace_out_.spend_frame(bytes.size());
    out.send.push_back({link_, std::move(bytes)});
}

void PeerSession::close(Consequences& out, std::string reason, bool is_dead) {
    out.notify.emplace_back(CloseLink{link_, std::move(reason), is_dead});
}

void PeerSession::offend(Ledger& ledger, Now now, Consequences& out, const std::string& how) {
    ++offences_;
    if (offences_ == 1) {
        ledger.note(What::offender, {.office = peer_, .via = via(), .detail = how}, now,
                    out.notify);
    }
    if (offences_ >= offences_max) {
        close(out, how);
    }
}

Result<void> PeerSession::greet(Ledger& ledger, Now now, Consequences& out) {
    greeted_at_ = now.steady;
    Hello hello;
    hello.roster_version = ledger.roster().version();
    hello.roster_head = short_hash(ledger.roster().head());
    hello.digest = ledger.digest();
    const auto& remembered = ledger.peer(peer_);
    hello.fingerprint_number = remembered.fingerprint_number;
    greeted_digest_ = hello.digest;
    digest_told_ = hello.digest;
    has_sent_fingerprints_ = remembered.settled_own != settled_on(ledger, hello.digest);
    if (has_sent_fingerprints_) {
        add_fingerprints(ledger, hello);
    }
    greeted_numbers_ = hello.numbers_known;
    hello.credit_bytes = policy_.only_urgent ? 0 : credit_bytes;
    hello.clock = ledger.wall(now);
    hello.clock_doubtful = ledger.meta().doubtful;
    hello.carries = ledger.config().carries && policy_.carries;
    hello.life = ledger.config().life;
    hello.is_doubled = ledger.lives().is_doubled(peer_, now.steady);
    send(out, hello);
    return ok();
}

// The changes that come after `version`, in frames of about `frame_bytes`.
void PeerSession::send_roster_after(const Ledger& ledger, std::uint32_t version,
                                    std::size_t frame_bytes, Consequences& out) {
    for (const auto& news : roster_news(ledger, version, ledger.roster().version(), frame_bytes)) {
        send(out, news);
    }
}

// The changes that the peer does not have, and who could sign what comes after them.
void PeerSession::send_roster(const Ledger& ledger, Consequences& out) {
    send_roster_after(ledger, theirs_->roster_version, summary_frame_bytes(), out);
    theirs_->roster_version = std::max(theirs_->roster_version, ledger.roster().version());
}

std::optional<Instant> PeerSession::wake_at() const {
    if (theirs_) {
        std::optional<Instant> earliest;
        for (const auto at :
             {flow_.dead_at(), pace_out_.free_at(), pace_in_.free_at(), passes_on_at_}) {
            earliest = at && (!earliest || *at < *earliest) ? at : earliest;
        }
        const auto looks_again = [&](Instant at) {
            earliest = std::min(earliest.value_or(at), at);
        };
        if (!left_to_others_.empty()) {
            looks_again(now_ + std::chrono::seconds{ArrivalRate::window});
        }
        if (!put_off_.empty()) {
            looks_again(put_off_until_);
        }
        return earliest;
    }
    return greeted_at_ + (has_shown_roster_ ? longest_silence : greeting_patience);
}

bool PeerSession::is_dead(Now now) const {
    const auto at = theirs_             ? flow_.dead_at()
                    : has_shown_roster_ ? std::optional(greeted_at_ + longest_silence)
                                        : std::nullopt;
    return at && *at <= now.steady;
}

// A peer that says nothing may not know this office yet: its door takes a newer roster, and no more
// than so much of it.
void PeerSession::show_roster_to_the_silent(const Ledger& ledger, Now now, Consequences& out) {
    if (has_shown_roster_ || now.steady < greeted_at_ + greeting_patience) {
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
    send_roster_after(ledger, from, shown_frame_bytes, out);
}

Result<void> PeerSession::on(const Step& step, const Hello& hello) {
    const auto& [ledger, now, elsewhere, out] = step;
    if (theirs_) {
        offend(ledger, now, out, "greets twice");
        return ok();
    }
    if (hello.version_min > protocol_version || hello.version_max < protocol_version) {
        close(out, fmt::format("speaks versions {} to {}, not {}", hello.version_min,
                               hello.version_max, protocol_version));
        return ok();
    }
    theirs_ = hello;
    if (!hello.clock_doubtful) {
        ledger.hear_clock(peer_, hello.clock, now);
    }
    if (ledger.lives().came(peer_, hello.life, now.steady)) {
        ledger.note(What::copied, {.office = peer_, .via = via()}, now, out.notify);
    }
    if (hello.is_doubled && ledger.lives().told_by(peer_, now.steady)) {
        const auto* teller = ledger.roster().find(peer_);
        ledger.note(What::copied,
                    {.office = ledger.us(),
                     .via = via(),
                     .detail = fmt::format("{} says so", teller == nullptr ? "?" : teller->name)},
                    now, out.notify);
    }
    auto& remembered = ledger.edit_peer(peer_);
    remembered.heard = ledger.wall(now);
    remembered.met = ledger.wall(now);
    remembered.roster_version = hello.roster_version;
    remembered.fingerprint_number =
        later_fingerprint_number(remembered.fingerprint_number, hello.fingerprint_number);
    send_roster(ledger, out);
    custody_due_ = true;
    their_digest_ = hello.digest;
    // Both ends must come to the same, so each goes by what it said; what is new since is on its
    // way in any case.
    const bool they_remember = hello.leaf_fingerprints.empty() && hello.bucket_fingerprints.empty();
    // A peer that sends fingerprints does not remember; then our memory is worth nothing either.
    if (hello.digest == greeted_digest_ ||
        (!has_sent_fingerprints_ && they_remember &&
         remembered.settled == settled_on(ledger, greeted_digest_, hello.digest))) {
        is_in_step_ = true;
        return ok();
    }
    if (!they_remember) {
        answer_fingerprints(ledger, hello, out);
    } else if (!has_sent_fingerprints_) {
        tell_all(ledger, out);  // one of the two memories is gone
    }
    // Else it took its digest for settled, and answers ours.
    return ok();
}

}  // namespace fieldpost::engine
