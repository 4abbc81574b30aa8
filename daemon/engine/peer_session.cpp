#include "daemon/engine/peer_session.h"

#include <fmt/format.h>

#include "crypto/box.h"
#include "daemon/engine/self_check.h"

namespace fieldpost::engine {

namespace {

constexpr std::size_t summary_frame_bytes_max = limits::control_frame_bytes_max / 2;
constexpr std::size_t summary_frame_bytes_min = 4096;
// A peer that breaks the protocol this often on one link loses it.
constexpr int offences_max = 8;
// A reachable peer has answered by now over the slowest link; the door is open for twice as long.
constexpr std::chrono::milliseconds patience = std::chrono::seconds{5};
// Who has been shown our roster and still says nothing will not.
constexpr std::chrono::milliseconds longest_silence = std::chrono::seconds{30};
// At 9.6 kbit/s each comes within the time that the door gives for the next.
constexpr std::size_t shown_frame_bytes = 4096;
// Up to this many offices, fingerprints of all leaves go into HELLO.
constexpr std::size_t inline_offices_max = 64;

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

void PeerSession::send(Outcome& out, const Frame& frame) {
    auto bytes = encode_frame(frame);
    if (is_data(frame)) {
        data_sent_ += bytes.size();
        flow_.sent(data_sent_, now_);
    } else {
        flow_.control_sent(bytes.size());
    }
    pace_out_.spend_frame(bytes.size());
    out.send.push_back({link_, std::move(bytes)});
}

std::size_t PeerSession::summary_frame_bytes() const {
    return std::clamp<std::size_t>(pace_out_.frame_max(), summary_frame_bytes_min,
                                   summary_frame_bytes_max);
}

void PeerSession::close(Outcome& out, std::string reason, bool is_dead) {
    out.notify.emplace_back(CloseLink{link_, std::move(reason), is_dead});
}

void PeerSession::offend(Ledger& ledger, Now now, Outcome& out, const std::string& how) {
    ++offences_;
    if (offences_ == 1) {
        storage::Event event;
        event.at = ledger.wall(now);
        event.what = static_cast<std::uint8_t>(What::offender);
        event.how = static_cast<std::uint8_t>(How::link);
        event.office = peer_;
        event.detail = how;
        ledger.note(std::move(event), out.notify);
    }
    if (offences_ >= offences_max) {
        close(out, how);
    }
}

LeafFingerprint PeerSession::fingerprint(Ledger& ledger, OfficeId office, std::uint32_t number) {
    LeafFingerprint result;
    const auto* peer = ledger.roster().find(peer_);
    const auto& leaves = ledger.leaves();
    const auto leaf = leaves.find(office);
    if (peer == nullptr || leaf == leaves.end()) {
        return result;
    }
    // Secret from authors, known to both ends: nobody can prepare two leaves that look alike.
    const auto shared = crypto::shared_secret(ledger.config().machine->link.secret, peer->link);
    if (!shared) {
        return result;
    }
    ByteWriter salt;
    salt.u32(number);
    const auto digest = crypto::keyed_hash(shared->view(), "leaf-fingerprint", ledger.network(),
                                           {salt.bytes(), leaf->second.view()});
    std::ranges::copy(digest.first(LeafFingerprint::size), result.bytes.begin());
    return result;
}

Result<void> PeerSession::greet(Ledger& ledger, Now now, Outcome& out) {
    greeted_at_ = now.steady;
    Hello hello;
    hello.roster_version = ledger.roster().version();
    hello.roster_head = short_hash(ledger.roster().head());
    hello.digest = ledger.digest();
    const auto& remembered = ledger.peer(peer_);
    hello.fingerprint_number = remembered.fingerprint_number;
    const auto& leaves = ledger.leaves();
    const bool is_remembered = remembered.settled_own == settled_on(ledger, hello.digest);
    if (!is_remembered && leaves.size() <= inline_offices_max) {
        for (const auto& [office, leaf] : leaves) {
            hello.leaf_fingerprints.resize(value_of(office));
            hello.leaf_fingerprints.push_back(
                fingerprint(ledger, office, hello.fingerprint_number));
        }
    }
    hello.credit_bytes = policy_.only_urgent ? 0 : credit_bytes;
    hello.clock = ledger.wall(now);
    hello.clock_doubtful = ledger.meta().doubtful;
    hello.carries = ledger.config().carries && policy_.carries;
    send(out, hello);
    return ok();
}

void PeerSession::tell_leaves(Ledger& ledger, const std::vector<OfficeId>& offices, bool whole,
                              Outcome& out) {
    Summary summary;
    std::size_t size = 0;
    const auto flush = [&] {
        send(out, summary);
        summary.leaves.clear();
        size = 0;
    };
    for (const auto office : offices) {
        auto leaf = ledger.summary_of(office);
        const auto leaf_size = encode_frame(Summary{false, {leaf}}).size();
        if (size + leaf_size > summary_frame_bytes()) {
            flush();
        }
        size += leaf_size;
        summary.leaves.push_back(std::move(leaf));
        told_.insert(office);
    }
    // Only the last frame can say that all was said.
    summary.whole = whole;
    if (whole || !summary.leaves.empty()) {
        flush();
    }
    told_whole_ = told_whole_ || whole;
}

// The changes that come after `version`, in frames of about `frame_bytes`.
void PeerSession::send_roster_after(const Ledger& ledger, std::uint32_t version,
                                    std::size_t frame_bytes, Outcome& out) {
    RosterNews news;
    std::size_t size = 0;
    for (auto i = version; i < ledger.roster().version(); ++i) {
        news.changes.push_back(ledger.roster_changes()[i]);
        size += encode_roster_change(news.changes.back()).size();
        if (size > frame_bytes) {
            send(out, std::exchange(news, {}));
            size = 0;
        }
    }
    if (!news.changes.empty()) {
        send(out, news);
    }
}

// The changes that the peer does not have, and who could sign what comes after them.
void PeerSession::send_roster(const Ledger& ledger, Outcome& out) {
    send_roster_after(ledger, theirs_->roster_version, summary_frame_bytes(), out);
    theirs_->roster_version = std::max(theirs_->roster_version, ledger.roster().version());
}

std::optional<Instant> PeerSession::wake_at() const {
    if (theirs_) {
        std::optional<Instant> earliest;
        for (const auto at : {flow_.dead_at(), pace_out_.free_at(), pace_in_.free_at()}) {
            earliest = at && (!earliest || *at < *earliest) ? at : earliest;
        }
        return earliest;
    }
    return greeted_at_ + (has_shown_roster_ ? longest_silence : patience);
}

bool PeerSession::is_dead(Now now) const {
    const auto at = theirs_             ? flow_.dead_at()
                    : has_shown_roster_ ? std::optional(greeted_at_ + longest_silence)
                                        : std::nullopt;
    return at && *at <= now.steady;
}

// A peer that says nothing may not know this office yet: its door takes a newer roster, and no more
// than so much of it.
void PeerSession::show_roster_to_the_silent(const Ledger& ledger, Now now, Outcome& out) {
    if (has_shown_roster_ || now.steady < greeted_at_ + patience) {
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

Result<void> PeerSession::on(Ledger& ledger, const Hello& hello, Now now, Outcome& out) {
    if (hello.version_min > protocol_version || hello.version_max < protocol_version) {
        close(out, fmt::format("speaks versions {} to {}, not {}", hello.version_min,
                               hello.version_max, protocol_version));
        return ok();
    }
    theirs_ = hello;
    if (!hello.clock_doubtful) {
        ledger.hear_clock(peer_, hello.clock, now);
    }
    auto& remembered = ledger.edit_peer(peer_);
    remembered.heard = ledger.wall(now);
    remembered.met = ledger.wall(now);
    remembered.roster_version = hello.roster_version;
    remembered.fingerprint_number =
        std::max(remembered.fingerprint_number, hello.fingerprint_number);
    send_roster(ledger, out);
    custody_due_ = true;
    const auto digest = ledger.digest();
    their_digest_ = hello.digest;
    const bool we_remember = remembered.settled_own == settled_on(ledger, digest);
    // A peer that sends fingerprints does not remember; then our memory is worth nothing either.
    if (hello.digest == digest ||
        (we_remember && hello.leaf_fingerprints.empty() &&
         remembered.settled == settled_on(ledger, digest, hello.digest))) {
        is_in_step_ = true;
        return ok();
    }
    if (hello.leaf_fingerprints.empty()) {
        // It took its digest for settled. If we sent fingerprints it will answer them; if we did
        // not, one of the two memories is gone.
        if (we_remember || ledger.leaves().size() > inline_offices_max) {
            std::vector<OfficeId> all;
            for (const auto& [office, leaf] : ledger.leaves()) {
                all.push_back(office);
            }
            tell_leaves(ledger, all, true, out);
        }
        return ok();
    }
    const bool is_comparable = hello.fingerprint_number == remembered.fingerprint_number;
    std::vector<OfficeId> differing;
    const auto offices = ledger.leaves();
    for (const auto& [office, leaf] : offices) {
        const auto index = value_of(office);
        const auto theirs = index < hello.leaf_fingerprints.size() ? hello.leaf_fingerprints[index]
                                                                   : LeafFingerprint{};
        if (!is_comparable || theirs != fingerprint(ledger, office, hello.fingerprint_number)) {
            differing.push_back(office);
        }
    }
    tell_leaves(ledger, differing, false, out);
    return ok();
}

void PeerSession::compare(Ledger& ledger, const LeafSummary& leaf, Outcome& out) {
    std::map<LogKey, const LogSummary*> theirs;
    for (const auto& log : leaf.logs) {
        const LogKey key{leaf.office, log.incarnation, log.record_class};
        theirs.emplace(key, &log);
        their_partials_[key] = log.partials;
        they_have_[key] = log.not_wanted;
        if (const auto prove = unknown_number(ledger, key, log.not_wanted)) {
            is_in_question_ = true;
            send(out, *prove);
        }
    }
    for (auto at = ledger.logs().lower_bound(LogKey{leaf.office, {}, {}});
         at != ledger.logs().end() && at->first.author == leaf.office; ++at) {
        const auto found = theirs.find(at->first);
        auto lacking = at->second.held;
        if (found != theirs.end()) {
            lacking.remove(found->second->not_wanted);
        }
        large_.erase(at->first);
        // What is on its way need not be sent again, unless they have forgotten it since.
        for (const auto& [stream, outgoing] : outgoing_) {
            if (outgoing.log == at->first) {
                lacking.remove(outgoing.record.run);
            }
        }
        for (const auto& sent : unacknowledged_) {
            if (sent.log == at->first) {
                lacking.remove(sent.run);
            }
        }
        if (lacking.empty()) {
            to_send_.erase(at->first);
        } else {
            to_send_[at->first] = std::move(lacking);
        }
    }
    std::map<RegisterKey, const RegisterSummary*> known;
    for (const auto& entry : leaf.registers) {
        const bool is_of_authority =
            entry.kind == static_cast<std::uint8_t>(RegisterKind::epoch_slots);
        known.emplace(RegisterKey{is_of_authority ? authority_signer : leaf.office, entry.kind,
                                  entry.subject},
                      &entry);
    }
    for (const auto* entry : ledger.registers_in_leaf(leaf.office)) {
        const auto found = known.find(entry->key);
        const bool is_newer = found == known.end() || entry->version > found->second->version ||
                              (entry->version == found->second->version &&
                               ledger.register_hash(entry->key) > found->second->hash);
        if (is_newer) {
            registers_to_send_.insert(entry->key);
        } else {
            registers_to_send_.erase(entry->key);
        }
    }
}

Result<void> PeerSession::on(Ledger& ledger, const Summary& summary, Outcome& out) {
    if (!theirs_) {
        return ok();
    }
    has_summary_ = true;
    is_in_step_ = false;
    std::set<OfficeId> named;
    std::vector<OfficeId> untold;
    const auto heard_of = [&](const LeafSummary& leaf) {
        if (ledger.roster().find(leaf.office) == nullptr) {
            return;
        }
        compare(ledger, leaf, out);
        if (leaf.office == peer_) {
            // We differ about its own records. If it is because it lost some, this shows it.
            custody_due_ = custody_repeated_ = true;
        }
        if (!told_.contains(leaf.office)) {
            untold.push_back(leaf.office);
        }
    };
    for (const auto& leaf : summary.leaves) {
        named.insert(leaf.office);
        heard_of(leaf);
    }
    if (summary.whole) {
        for (const auto& [office, entry] : ledger.roster().offices()) {
            if (!named.contains(office)) {
                heard_of(LeafSummary{office, {}, {}});
            }
        }
    }
    tell_leaves(ledger, untold, false, out);
    return ok();
}

}  // namespace fieldpost::engine
