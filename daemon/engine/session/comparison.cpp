#include "daemon/engine/session/comparison.h"

#include <fmt/format.h>

#include <bitset>

#include "daemon/engine/queries.h"
#include "daemon/engine/self_check.h"
#include "daemon/engine/session/leaf_fingerprints.h"

namespace fieldpost::engine {

namespace {

// Memory for the summaries of one link, at most.
constexpr std::size_t remembered_bytes_max = 16U << 20;
// So few leaves are told at once, by both ends; of more, fingerprints go first, one way.
constexpr std::size_t few_leaves = 16;

bool is_newer(const RegisterSummary& one, const RegisterSummary& other) {
    if (one.kind == static_cast<std::uint8_t>(RegisterKind::fork)) {
        // Only the content of two proofs tells which one counts, so each end shows its own.
        return one.hash != other.hash;
    }
    return one.version > other.version || (one.version == other.version && one.hash > other.hash);
}

Hash settled_on(const Step& step, const Digest& own) {
    ByteWriter let_through;
    let_through.u8(step.ledger.config().carries ? 1 : 0);
    let_through.u8(step.frames.policy().carries ? 1 : 0);
    return crypto::hash("settled-own", step.ledger.network(), {own.view(), let_through.bytes()});
}

// The hash that a pair remembers once it has settled: over both digests, and over the limits of
// each. Two offices that let less through settle sooner, so the memory holds only under the same
// limits.
Hash settled_on(const Step& step, const Digest& own, const Digest& theirs, const Hello& hello) {
    ByteWriter taken;
    taken.u8(hello.carries ? 1 : 0);
    taken.u32(hello.record_bytes_max);
    return crypto::hash("settled", step.ledger.network(),
                        {settled_on(step, own).view(), theirs.view(), taken.bytes()});
}

void add_fingerprints(const Step& step, Hello& hello) {
    auto& ledger = step.ledger;
    const LeafFingerprinter ours(ledger, step.peer, hello.fingerprint_number);
    const auto& leaves = ledger.leaves();
    if (leaves.size() > bucket_count) {
        hello.bucket_fingerprints = ours.of_buckets();
        hello.numbers_known = ledger.numbers_known();
        return;
    }
    for (const auto& [office, leaf] : leaves) {
        hello.leaf_fingerprints.resize(value_of(office));
        hello.leaf_fingerprints.push_back(ours.of_leaf(leaf));
    }
}

}  // namespace

void Comparison::greet(const Step& step, Hello& hello) {
    auto& ledger = step.ledger;
    const auto& remembered = ledger.peer(step.peer);
    hello.digest = ledger.digest();
    hello.fingerprint_number = remembered.fingerprint_number;
    greeted_digest_ = hello.digest;
    digest_told_ = hello.digest;
    has_sent_fingerprints_ = remembered.settled_own != settled_on(step, hello.digest);
    if (has_sent_fingerprints_) {
        add_fingerprints(step, hello);
    }
    greeted_numbers_ = hello.numbers_known;
}

void Comparison::answer(const Step& step, const Hello& theirs) {
    their_digest_ = theirs.digest;
    // Both ends must come to the same, so each goes by what it said; what is new since is on its
    // way in any case.
    const bool they_remember =
        theirs.leaf_fingerprints.empty() && theirs.bucket_fingerprints.empty();
    // A peer that sends fingerprints does not remember; then our memory is worth nothing either.
    if (theirs.digest == greeted_digest_ ||
        (!has_sent_fingerprints_ && they_remember &&
         step.ledger.peer(step.peer).settled ==
             settled_on(step, greeted_digest_, theirs.digest, theirs))) {
        is_in_step_ = true;
        return;
    }
    if (!they_remember) {
        answer_fingerprints(step, theirs);
    } else if (!has_sent_fingerprints_) {
        tell_all(step);  // one of the two memories is gone
    }
    // Else it took its digest for settled, and answers ours.
}

void Comparison::answer_fingerprints(const Step& step, const Hello& hello) {
    auto& ledger = step.ledger;
    const auto number = ledger.peer(step.peer).fingerprint_number;
    const bool is_by_buckets = !hello.bucket_fingerprints.empty();
    const bool has_same_roster = hello.roster_version == ledger.roster().version() &&
                                 hello.roster_head == short_hash(ledger.roster().head());
    if (number != hello.fingerprint_number || (is_by_buckets && !has_same_roster)) {
        tell_all(step);
        return;
    }
    const LeafFingerprinter prints(ledger, step.peer, number);
    const auto buckets = is_by_buckets ? prints.of_buckets() : std::vector<LeafFingerprint>{};
    std::bitset<bucket_count> differing_buckets;
    std::vector<OfficeId> differing;
    for (const auto& [office, leaf] : ledger.leaves()) {
        const auto index = is_by_buckets ? bucket_of(office) : value_of(office);
        const auto& all = is_by_buckets ? hello.bucket_fingerprints : hello.leaf_fingerprints;
        const auto theirs = index < all.size() ? all[index] : LeafFingerprint{};
        if (theirs != (is_by_buckets ? buckets[index] : prints.of_leaf(leaf))) {
            differing.push_back(office);
            differing_buckets.set(bucket_of(office));
        }
    }
    if (!is_by_buckets) {
        // Nothing is here of an office that only its newer roster has. The roster comes before
        // whatever it answers.
        std::vector<OfficeId> unknown;
        for (auto index = ledger.leaves().size(); index < hello.leaf_fingerprints.size(); ++index) {
            const OfficeId office{static_cast<std::uint16_t>(index)};
            if (hello.leaf_fingerprints[index] != LeafFingerprint{} &&
                !ledger.leaves().contains(office)) {
                unknown.push_back(office);
            }
        }
        if (unknown.size() > few_leaves) {
            tell_all(step);
            return;
        }
        differing.insert(differing.end(), unknown.begin(), unknown.end());
    }
    if (differing.empty()) {
        // Something differs that looks the same: by other fingerprints it will not.
        ++ledger.edit_peer(step.peer).fingerprint_number;
        tell_all(step);
        return;
    }
    if (!is_by_buckets || differing.size() <= few_leaves) {
        tell_leaves(step, differing, Detail::newest);
        return;
    }
    // An office that lacks nothing need not answer. The later an office joined, the less it has
    // that the other lacks.
    if (has_sent_fingerprints_ &&
        std::pair(hello.numbers_known, ledger.us()) < std::pair(greeted_numbers_, step.peer)) {
        return;  // it begins
    }
    if (differing_buckets.all()) {
        tell_leaves(step, differing, Detail::hash);
        return;
    }
    LeafFingerprints told{differing_buckets.to_ullong(), {}};
    for (const auto office : differing) {
        told.fingerprints.push_back(prints.short_of_leaf(ledger.leaves().at(office)));
    }
    step.send(told);
}

void Comparison::hear(const Step& step, const LeafFingerprints& told) {
    auto& ledger = step.ledger;
    if (std::exchange(has_answered_, true)) {
        return;
    }
    const std::bitset<bucket_count> buckets(told.buckets);
    std::vector<OfficeId> named;
    for (const auto& [office, leaf] : ledger.leaves()) {
        if (buckets.test(bucket_of(office))) {
            named.push_back(office);
        }
    }
    if (named.size() != told.fingerprints.size()) {
        tell_all(step);  // one of us has a newer roster
        return;
    }
    const LeafFingerprinter prints(ledger, step.peer, ledger.peer(step.peer).fingerprint_number);
    std::vector<OfficeId> differing;
    for (std::size_t i = 0; i < named.size(); ++i) {
        const auto& leaf = ledger.leaves().at(named[i]);
        if (prints.short_of_leaf(leaf) != told.fingerprints[i]) {
            differing.push_back(named[i]);
        }
    }
    // Also if there are none: it waits for an answer.
    send_leaves(step, differing, differing.size() > few_leaves ? Detail::hash : Detail::newest,
                Telling::some);
}

void Comparison::tell_leaves(const Step& step, const std::vector<OfficeId>& offices,
                             Detail detail) {
    if (!offices.empty()) {
        send_leaves(step, offices, detail, Telling::some);
    }
}

void Comparison::tell_all(const Step& step) {
    std::vector<OfficeId> all;
    for (const auto& [office, leaf] : step.ledger.leaves()) {
        all.push_back(office);
    }
    send_leaves(step, all, all.size() > few_leaves ? Detail::hash : Detail::newest, Telling::all);
}

void Comparison::send_leaves(const Step& step, std::vector<OfficeId> offices, Detail detail,
                             Telling telling) {
    auto& ledger = step.ledger;
    step.frames.acknowledge(step.out);  // or it would take what we tell for older than what it sent
    std::ranges::sort(offices);         // it may have asked for them in any order
    SummaryWriter summary(step.frames.summary_frame_bytes(),
                          [&](const Summary& frame) { step.send(frame); });
    for (const auto office : offices) {
        auto leaf = summary_of(ledger, office, detail, step.peer);
        has_told_peers_own_leaf_ = has_told_peers_own_leaf_ || office == step.peer;
        auto& told = told_[office];
        told.detail = std::max(told.detail, leaf.all_registers ? detail : Detail::all);
        told.registers = leaf.all_registers
                             ? *leaf.all_registers
                             : registers_hash(ledger.network(), register_list(ledger, office));
        large_leaves_.erase(office);
        summary.add(std::move(leaf));
    }
    // All that is said of an office that is not named in the same breath is that it is empty, so
    // there none is put off.
    if (telling == Telling::some) {
        for (const auto office : summary.put_off_large()) {
            told_.erase(office);
            large_leaves_[office] = detail;
        }
    }
    summary.end(telling == Telling::all);
    has_told_ = true;
    they_settled_ = false;  // whatever it said before, it said without knowing this
}

void Comparison::send_large_leaves(const Step& step) {
    const bool is_answered = has_summary_ || is_in_step_;
    if (large_leaves_.empty() || !is_answered) {
        return;
    }
    std::map<Detail, std::vector<OfficeId>> by_detail;
    for (const auto& [office, detail] : large_leaves_) {
        by_detail[detail].push_back(office);
    }
    for (const auto& [detail, offices] : by_detail) {
        send_leaves(step, offices, detail, Telling::large);
    }
}

bool Comparison::compare_logs(const Step& step, const LeafSummary& leaf) {
    const auto& ledger = step.ledger;
    bool has_more = false;
    for (const auto& log : leaf.logs) {
        const LogKey key{leaf.office, log.incarnation, log.record_class};
        const auto ours = ledger.logs().find(key);
        has_more = has_more || (ours == ledger.logs().end()
                                    ? ledger.keeps(key)
                                    : !without(log.not_wanted, ours->second.known).empty());
        if (const auto prove = unknown_number(ledger, key, log.not_wanted)) {
            is_in_question_ = true;
            step.send(*prove);
        }
    }
    return has_more;
}

bool Comparison::compare_registers(const Ledger& ledger, const LeafSummary& leaf,
                                   RegisterQueue& queue) {
    if (ledger.is_closed(leaf.office)) {
        // A peer that does not know yet is shown the proofs. Its leaf may be closed by a cut-off
        // alone.
        const bool is_closed_whole =
            leaf.is_closed && leaf.logs.empty() && leaf.registers.empty() && !leaf.all_registers;
        for (const auto* entry : ledger.registers_of(leaf.office)) {
            const auto is_listed = std::ranges::any_of(leaf.registers, [&](const auto& one) {
                return one.kind == entry->key.kind && one.subject == entry->key.subject &&
                       one.hash == ledger.register_hash(entry->key);
            });
            if (!is_closed_whole && !is_listed) {
                queue.want(entry->key);
            }
        }
        return false;
    }
    const auto* office = ledger.roster().find(leaf.office);
    if (leaf.is_closed && !(office != nullptr && office->cut_off)) {
        unclear_.erase(leaf.office);
        return true;  // ours shows that we have not seen the proofs, or the roster
    }
    std::map<RegisterName, RegisterSummary> theirs;
    std::map<RegisterName, RegisterSummary> merged;
    std::optional<RegisterVersion> oldest;
    for (const auto& entry : leaf.registers) {
        theirs.emplace(name_of(leaf.office, entry), entry);
        oldest = std::min(oldest.value_or(entry.version), entry.version);
    }
    for (auto& entry : register_list(ledger, leaf.office)) {
        const auto name = name_of(leaf.office, entry);
        const auto found = theirs.find(name);
        // It lacks those registers that it would have listed and did not.
        const bool would_list = !leaf.all_registers || (oldest && entry.version > *oldest);
        if (found == theirs.end() ? would_list : is_newer(entry, found->second)) {
            queue.want(name);
        } else if (found != theirs.end()) {
            queue.drop(name);
        }
        merged.emplace(name, std::move(entry));
    }
    bool has_more = false;
    for (const auto& [name, entry] : theirs) {
        const auto [ours, is_new] = merged.try_emplace(name, entry);
        if (is_new || is_newer(entry, ours->second)) {
            ours->second = entry;
            has_more = true;
        }
    }
    unclear_.erase(leaf.office);
    if (leaf.all_registers) {
        const auto entries = merged | std::views::values;
        std::vector<RegisterSummary> list(entries.begin(), entries.end());
        // Registers of the authority stand between those of the office.
        std::ranges::sort(list, {}, [](const RegisterSummary& entry) {
            return std::tie(entry.kind, entry.subject, entry.hash);
        });
        if (registers_hash(ledger.network(), list) != *leaf.all_registers) {
            unclear_.emplace(leaf.office, Unclear{*leaf.all_registers});
            has_more = true;
        }
    }
    return has_more;
}

void Comparison::hear_leaf(const Step& step, const LeafSummary& leaf, const Queues& queues) {
    auto& ledger = step.ledger;
    // Told twice it says nothing more.
    if (ledger.roster().find(leaf.office) == nullptr || !heard_.named.insert(leaf.office).second) {
        return;
    }
    // The peer is told of its own leaf in any case: if it lost some records, this shows it.
    const bool has_records = compare_logs(step, leaf) || leaf.office == step.peer;
    queues.records.compare(ledger, leaf);
    const bool has_registers = compare_registers(ledger, leaf, queues.registers);
    const auto told = told_.find(leaf.office);
    if (told == told_.end()) {
        // If it has nothing for us, it need not know what we have.
        if (has_records || has_registers) {
            heard_.untold.push_back(leaf.office);
        }
    } else if (has_registers) {
        // A leaf that it told whole is answered whole.
        const auto detail = leaf.all_registers ? Detail::newest : Detail::all;
        if (told->second.detail < detail) {
            heard_.told_too_little[detail].push_back(leaf.office);
        }
    }
}

void Comparison::hear(const Step& step, const Summary& summary, const Queues& queues) {
    auto& ledger = step.ledger;
    if (std::exchange(is_in_step_, false)) {
        // To one that is in step nothing was said, but the peer has forgotten that it settled.
        settled_told_.reset();
    }
    const auto told = summary_reader_.take(summary);
    for (const auto office : told.damaged) {
        // Its other leaves count, and this one is asked for by the next link.
        has_lost_leaf_ = true;
        step.offend(fmt::format("what it says of {} breaks a rule", printed_name(ledger, office)));
    }
    for (const auto& leaf : told.leaves) {
        hear_leaf(step, leaf, queues);
    }
    if (queues.records.remembered_bytes() > remembered_bytes_max) {
        step.close_link("its summaries name more than an honest office has");
        return;
    }
    if (summary.more) {
        return;
    }
    if (summary.whole) {
        for (const auto& [office, entry] : ledger.roster().offices()) {
            hear_leaf(step, LeafSummary{office, {}, {}}, queues);
        }
    }
    has_summary_ = true;
    settled_told_.reset();  // it waits for our word again
    const auto heard = std::exchange(heard_, {});
    if (!heard.untold.empty() || !has_told_) {
        answer_leaves(step, heard.untold,
                      heard.untold.size() > few_leaves ? Detail::hash : Detail::newest);
    }
    for (const auto& [detail, offices] : heard.told_too_little) {
        answer_leaves(step, offices, detail);
    }
}

void Comparison::answer_leaves(const Step& step, const std::vector<OfficeId>& offices,
                               Detail detail) {
    send_leaves(step, offices, detail, Telling::some);
    for (const auto office : offices) {
        if (const auto found = unclear_.find(office); found != unclear_.end()) {
            found->second.is_answered = true;
        }
    }
}

void Comparison::tell_registers_again(const Step& step) {
    const auto& ledger = step.ledger;
    std::vector<OfficeId> changed;
    for (auto& [office, told] : told_) {
        if (told.detail != Detail::all && !told.is_again &&
            told.registers != registers_hash(ledger.network(), register_list(ledger, office))) {
            told.is_again = true;
            changed.push_back(office);
        }
    }
    tell_leaves(step, changed, Detail::hash);
}

bool Comparison::clear_up(const Step& step, const Digest& digest) {
    const auto& ledger = step.ledger;
    std::erase_if(unclear_, [&](const auto& entry) {
        return their_digest_ == digest ||
               registers_hash(ledger.network(), register_list(ledger, entry.first)) ==
                   entry.second.registers;
    });
    std::vector<OfficeId> differing;
    for (const auto& [office, unclear] : unclear_) {
        const auto told = told_.find(office);
        const bool is_told = told != told_.end() && told->second.detail == Detail::all;
        // If our leaf has just answered theirs, we wait for their answer to it.
        if (!is_told && !unclear.is_answered) {
            differing.push_back(office);
        }
    }
    tell_leaves(step, differing, Detail::all);
    return !differing.empty();
}

void Comparison::settle(const Step& step, const Hello& theirs, const Rest& rest) {
    auto& ledger = step.ledger;
    const bool is_anything_kept_back = rest.is_anything_kept_back || has_lost_leaf_;
    is_settled_ = false;
    if (is_anything_kept_back && ledger.peer(step.peer).settled != Hash{}) {
        ledger.edit_peer(step.peer).settled = {};
        ledger.edit_peer(step.peer).settled_own = {};
    }
    if (!rest.is_nothing_left || (!is_in_step_ && !has_summary_) || is_anything_kept_back ||
        is_in_question_) {
        return;
    }
    const auto digest = ledger.digest();
    if (settled_told_ != digest) {
        settled_told_ = digest;
        // If both were in step at the greeting, nothing need be said until our digest changes. Even
        // if it became equal to theirs, they do not know that.
        if (their_digest_ != digest || !is_in_step_ || digest != digest_told_) {
            tell_registers_again(step);
            if (!large_leaves_.empty()) {
                settled_told_.reset();  // it would be said before they are told
                return;
            }
            digest_told_ = digest;
            step.send(Settled{digest});
        }
    }
    // Both must have nothing left: one that still waits, to be admitted say, has not settled.
    const bool both = they_settled_ || their_digest_ == digest;
    if (both && their_digest_ && step.frames.is_all_acknowledged() && !clear_up(step, digest)) {
        is_settled_ = true;
        // Differences that are not cleared up are looked at again by the next link.
        if (!unclear_.empty()) {
            return;
        }
        const auto pair = settled_on(step, digest, *their_digest_, theirs);
        const auto own = settled_on(step, digest);
        const auto& remembered = ledger.peer(step.peer);
        if (remembered.settled != pair || remembered.settled_own != own) {
            ledger.edit_peer(step.peer).settled = pair;
            ledger.edit_peer(step.peer).settled_own = own;
        }
    }
}

void Comparison::hear(const Settled& settled) {
    their_digest_ = settled.digest;
    they_settled_ = true;
}

}  // namespace fieldpost::engine
