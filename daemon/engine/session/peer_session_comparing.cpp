// The comparing half of a session: what each end lacks, found in as few bytes and flights as it
// takes (daemon/DESIGN.md "A session", WIRE.md 6).
#include <fmt/format.h>

#include <bitset>

#include "crypto/box.h"
#include "daemon/engine/queries.h"
#include "daemon/engine/self_check.h"
#include "daemon/engine/session/peer_session.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

constexpr std::size_t summary_frame_bytes_max = limits::control_frame_bytes_max / 2;
constexpr std::size_t summary_frame_bytes_min = 4096;
// Memory for the summaries of one link, at most.
constexpr std::size_t remembered_bytes_max = 16U << 20;
// So few leaves are told at once, by both ends; of more, fingerprints go first, one way.
constexpr std::size_t few_leaves = 16;

std::size_t bucket_of(OfficeId office) {
    return value_of(office) % bucket_count;
}

// Secret from authors, known to both ends: nobody can prepare two leaves that look alike.
class Fingerprints {
public:
    Fingerprints(Ledger& ledger, OfficeId peer, std::uint32_t number)
        : ledger_(ledger), number_(number) {
        if (const auto* office = ledger.roster().find(peer)) {
            auto shared = crypto::shared_secret(ledger.config().machine->link.secret, office->link);
            if (shared) {
                shared_.emplace(std::move(*shared));
            }
        }
    }

    template <class Print>
    [[nodiscard]] Print of_leaf(const Hash& leaf) const {
        return print<Print>("leaf-fingerprint", leaf.view());
    }
    [[nodiscard]] std::vector<LeafFingerprint> of_buckets() const {
        std::vector<ByteWriter> contents(bucket_count);
        for (const auto& [office, leaf] : ledger_.leaves()) {
            contents[bucket_of(office)].u16(value_of(office));
            contents[bucket_of(office)].raw(leaf.view());
        }
        std::vector<LeafFingerprint> all;
        for (const auto& content : contents) {
            all.push_back(print<LeafFingerprint>("bucket-fingerprint", content.bytes()));
        }
        return all;
    }

private:
    template <class Print>
    [[nodiscard]] Print print(std::string_view label, BytesView content) const {
        Print result;
        if (shared_) {
            ByteWriter salt;
            salt.u32(number_);
            const auto digest = crypto::keyed_hash(shared_->view(), label, ledger_.network(),
                                                   {salt.bytes(), content});
            std::ranges::copy(digest.first(Print::size), result.bytes.begin());
        }
        return result;
    }

    Ledger& ledger_;
    std::uint32_t number_;
    std::optional<crypto::SharedSecret> shared_;
};

bool is_newer(const RegisterSummary& one, const RegisterSummary& other) {
    return one.version > other.version || (one.version == other.version && one.hash > other.hash);
}

}  // namespace

void PeerSession::add_fingerprints(Ledger& ledger, Hello& hello) const {
    const Fingerprints ours(ledger, peer_, hello.fingerprint_number);
    const auto& leaves = ledger.leaves();
    if (leaves.size() > bucket_count) {
        hello.bucket_fingerprints = ours.of_buckets();
        hello.numbers_known = ledger.numbers_known();
        return;
    }
    for (const auto& [office, leaf] : leaves) {
        hello.leaf_fingerprints.resize(value_of(office));
        hello.leaf_fingerprints.push_back(ours.of_leaf<LeafFingerprint>(leaf));
    }
}

void PeerSession::answer_fingerprints(Ledger& ledger, const Hello& hello, Consequences& out) {
    const auto number = ledger.peer(peer_).fingerprint_number;
    const bool is_by_buckets = !hello.bucket_fingerprints.empty();
    const bool has_same_roster = hello.roster_version == ledger.roster().version() &&
                                 hello.roster_head == short_hash(ledger.roster().head());
    if (number != hello.fingerprint_number || (is_by_buckets && !has_same_roster)) {
        tell_all(ledger, out);
        return;
    }
    const Fingerprints prints(ledger, peer_, number);
    const auto buckets = is_by_buckets ? prints.of_buckets() : std::vector<LeafFingerprint>{};
    std::bitset<bucket_count> differing_buckets;
    std::vector<OfficeId> differing;
    for (const auto& [office, leaf] : ledger.leaves()) {
        const auto index = is_by_buckets ? bucket_of(office) : value_of(office);
        const auto& all = is_by_buckets ? hello.bucket_fingerprints : hello.leaf_fingerprints;
        const auto theirs = index < all.size() ? all[index] : LeafFingerprint{};
        if (theirs != (is_by_buckets ? buckets[index] : prints.of_leaf<LeafFingerprint>(leaf))) {
            differing.push_back(office);
            differing_buckets.set(bucket_of(office));
        }
    }
    if (differing.empty()) {
        // Something differs that looks the same: by other fingerprints it will not.
        ++ledger.edit_peer(peer_).fingerprint_number;
        tell_all(ledger, out);
        return;
    }
    if (!is_by_buckets || differing.size() <= few_leaves) {
        tell_leaves(ledger, differing, Detail::newest, out);
        return;
    }
    // An office that lacks nothing need not answer. The later an office joined, the less it has
    // that the other lacks.
    if (has_sent_fingerprints_ &&
        std::pair(hello.numbers_known, ledger.us()) < std::pair(greeted_numbers_, peer_)) {
        return;  // it begins
    }
    if (differing_buckets.all()) {
        tell_leaves(ledger, differing, Detail::hash, out);
        return;
    }
    LeafFingerprints told{differing_buckets.to_ullong(), {}};
    for (const auto office : differing) {
        told.fingerprints.push_back(prints.of_leaf<ShortFingerprint>(ledger.leaves().at(office)));
    }
    send(out, told);
}

void PeerSession::answer_fingerprints(Ledger& ledger, const LeafFingerprints& told,
                                      Consequences& out) {
    if (!theirs_ || std::exchange(has_answered_, true)) {
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
        tell_all(ledger, out);  // one of us has a newer roster
        return;
    }
    const Fingerprints prints(ledger, peer_, ledger.peer(peer_).fingerprint_number);
    std::vector<OfficeId> differing;
    for (std::size_t i = 0; i < named.size(); ++i) {
        const auto& leaf = ledger.leaves().at(named[i]);
        if (prints.of_leaf<ShortFingerprint>(leaf) != told.fingerprints[i]) {
            differing.push_back(named[i]);
        }
    }
    // Also if there are none: it waits for an answer.
    send_leaves(ledger, differing, differing.size() > few_leaves ? Detail::hash : Detail::newest,
                Telling::some, out);
}

std::size_t PeerSession::summary_frame_bytes() const {
    return std::clamp<std::size_t>(pace_out_.frame_max(), summary_frame_bytes_min,
                                   summary_frame_bytes_max);
}

void PeerSession::tell_leaves(Ledger& ledger, const std::vector<OfficeId>& offices, Detail detail,
                              Consequences& out) {
    if (!offices.empty()) {
        send_leaves(ledger, offices, detail, Telling::some, out);
    }
}

void PeerSession::tell_all(Ledger& ledger, Consequences& out) {
    std::vector<OfficeId> all;
    for (const auto& [office, leaf] : ledger.leaves()) {
        all.push_back(office);
    }
    send_leaves(ledger, all, all.size() > few_leaves ? Detail::hash : Detail::newest, Telling::all,
                out);
}

void PeerSession::send_leaves(Ledger& ledger, std::vector<OfficeId> offices, Detail detail,
                              Telling telling, Consequences& out) {
    acknowledge(out);            // or it would take what we tell for older than what it sent
    std::ranges::sort(offices);  // it may have asked for them in any order
    SummaryWriter summary(summary_frame_bytes(), [&](const Summary& frame) { send(out, frame); });
    for (const auto office : offices) {
        auto leaf = summary_of(ledger, office, detail, peer_);
        // If we differ about its own records because it lost some, what we hold shows it.
        custody_due_ = custody_due_ || office == peer_;
        custody_repeated_ = custody_repeated_ || office == peer_;
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

// Once it has answered those that came before, which showed what is urgent, and that is sent.
void PeerSession::send_large_leaves(Ledger& ledger, Consequences& out) {
    const bool is_answered = has_summary_ || is_in_step_;
    const bool has_urgent = std::ranges::any_of(to_send_, [](const auto& entry) {
        return entry.first.record_class == RecordClass::urgent && !entry.second.empty();
    });
    if (large_leaves_.empty() || !is_answered || has_urgent) {
        return;
    }
    std::map<Detail, std::vector<OfficeId>> by_detail;
    for (const auto& [office, detail] : large_leaves_) {
        by_detail[detail].push_back(office);
    }
    for (const auto& [detail, offices] : by_detail) {
        send_leaves(ledger, offices, detail, Telling::large, out);
    }
}

bool PeerSession::compare_logs(Ledger& ledger, const LeafSummary& leaf, Consequences& out) {
    bool has_more = false;
    std::map<LogKey, const LogSummary*> theirs;
    // It says all there is of that office: what stood here before is void.
    const auto of_office = [&](const auto& entry) { return entry.first.author == leaf.office; };
    std::erase_if(their_partials_, of_office);
    std::erase_if(they_have_, of_office);
    std::erase_if(kept_back_, of_office);
    for (const auto& log : leaf.logs) {
        const LogKey key{leaf.office, log.incarnation, log.record_class};
        theirs.emplace(key, &log);
        their_partials_[key] = log.partials;
        they_have_[key] = log.not_wanted;
        const auto ours = ledger.logs().find(key);
        has_more = has_more || (ours == ledger.logs().end()
                                    ? ledger.keeps(key)
                                    : !without(log.not_wanted, ours->second.known).empty());
        if (const auto prove = unknown_number(ledger, key, log.not_wanted)) {
            is_in_question_ = true;
            send(out, *prove);
        }
    }
    for (auto at = ledger.logs().lower_bound(LogKey{leaf.office, {}, {}});
         at != ledger.logs().end() && at->first.author == leaf.office; ++at) {
        const auto found = theirs.find(at->first);
        const bool is_closed_there = found == theirs.end() && at->first < closed_below(leaf);
        auto lacking = is_closed_there ? IntervalSet{} : at->second.held;
        if (found != theirs.end()) {
            lacking.remove(found->second->not_wanted);
        }
        large_.erase(at->first);
        // Records on their way need not be sent again, unless the peer has forgotten them since.
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
    return has_more;
}

bool PeerSession::compare_registers(Ledger& ledger, const LeafSummary& leaf) {
    if (ledger.is_closed(leaf.office)) {
        // A peer that does not know yet is shown the proofs.
        for (const auto* entry : ledger.registers_of(leaf.office)) {
            const auto is_listed = std::ranges::any_of(leaf.registers, [&](const auto& one) {
                return one.kind == entry->key.kind && one.subject == entry->key.subject &&
                       one.hash == ledger.register_hash(entry->key);
            });
            if (!leaf.is_closed && !is_listed) {
                registers_to_send_.insert(entry->key);
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
            registers_to_send_.insert(name);
        } else if (found != theirs.end()) {
            registers_to_send_.erase(name);
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
        std::vector<RegisterSummary> list;
        for (const auto& [name, entry] : merged) {
            list.push_back(entry);
        }
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

void PeerSession::hear_leaf(Ledger& ledger, const LeafSummary& leaf, Consequences& out) {
    // Told twice it says nothing more.
    if (ledger.roster().find(leaf.office) == nullptr || !heard_.named.insert(leaf.office).second) {
        return;
    }
    // The peer is told of its own leaf in any case: if it lost some records, this shows it.
    const bool has_records = compare_logs(ledger, leaf, out) || leaf.office == peer_;
    const bool has_registers = compare_registers(ledger, leaf);
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

Result<void> PeerSession::on(const Step& step, const Summary& summary) {
    const auto& [ledger, now, elsewhere, out] = step;
    if (!theirs_) {
        return ok();
    }
    if (std::exchange(is_in_step_, false)) {
        // To one that is in step nothing was said, but the peer has forgotten that it settled.
        settled_told_.reset();
    }
    const auto told = summary_reader_.take(summary);
    for (const auto office : told.damaged) {
        // Its other leaves count, and this one is asked for by the next link.
        has_lost_leaf_ = true;
        offend(ledger, now, out,
               fmt::format("what it says of {} breaks a rule", printed_name(ledger, office)));
    }
    for (const auto& leaf : told.leaves) {
        hear_leaf(ledger, leaf, out);
    }
    if (remembered_bytes() > remembered_bytes_max) {
        close(out, "its summaries name more than an honest office has");
        return ok();
    }
    if (summary.more) {
        return ok();
    }
    if (summary.whole) {
        for (const auto& [office, entry] : ledger.roster().offices()) {
            hear_leaf(ledger, LeafSummary{office, {}, {}}, out);
        }
    }
    has_summary_ = true;
    settled_told_.reset();  // it waits for our word again
    const auto heard = std::exchange(heard_, {});
    if (!heard.untold.empty() || !has_told_) {
        answer(ledger, heard.untold,
               heard.untold.size() > few_leaves ? Detail::hash : Detail::newest, out);
    }
    for (const auto& [detail, offices] : heard.told_too_little) {
        answer(ledger, offices, detail, out);
    }
    return ok();
}

std::size_t PeerSession::remembered_bytes() const {
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

void PeerSession::answer(Ledger& ledger, const std::vector<OfficeId>& offices, Detail detail,
                         Consequences& out) {
    send_leaves(ledger, offices, detail, Telling::some, out);
    for (const auto office : offices) {
        if (const auto found = unclear_.find(office); found != unclear_.end()) {
            found->second.is_answered = true;
        }
    }
}

void PeerSession::tell_registers_again(Ledger& ledger, Consequences& out) {
    std::vector<OfficeId> changed;
    for (auto& [office, told] : told_) {
        if (told.detail != Detail::all && !told.is_again &&
            told.registers != registers_hash(ledger.network(), register_list(ledger, office))) {
            told.is_again = true;
            changed.push_back(office);
        }
    }
    tell_leaves(ledger, changed, Detail::hash, out);
}

bool PeerSession::clear_up(Ledger& ledger, const Digest& digest, Consequences& out) {
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
    tell_leaves(ledger, differing, Detail::all, out);
    return !differing.empty();
}

}  // namespace fieldpost::engine
