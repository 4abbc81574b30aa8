#include "daemon/engine/bundle/bundle_knowledge.h"

#include "crypto/register_seal.h"
#include "daemon/engine/leaves.h"
#include "daemon/engine/record/addressees.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

constexpr std::size_t summary_frame_bytes = 60'000;
// Up to this many registers, all are listed, 24 bytes each. A reader cannot ask which registers a
// hash stands for.
constexpr std::size_t listed_registers_max = 1000;

// As many runs of one log as a leaf may have.
constexpr std::size_t runs_a_frame = limits::log_runs_max;

struct Said {
    BundleHead head;
    Bytes summary;  // frames, each sized
    std::vector<LeafSummary> leaves{};
};

// Reads the bytes made by said_of(). Nothing if another release wrote them in another form.
std::optional<Said> read_said(BytesView bytes) {
    ByteReader in(bytes);
    std::optional<Said> said;
    SummaryReader reader;
    while (!in.at_end()) {
        const auto sized = in.read_sized(limits::frame_bytes_max);
        const auto frame = sized ? decode_frame(*sized) : std::unexpected(sized.error());
        if (!frame) {
            return std::nullopt;
        }
        if (const auto* head = std::get_if<BundleHead>(&*frame)) {
            said.emplace(Said{*head, to_bytes(in.rest())});
        } else if (const auto* summary = std::get_if<Summary>(&*frame);
                   summary != nullptr && said) {
            std::ranges::move(reader.take(*summary).leaves, std::back_inserter(said->leaves));
        }
    }
    return said;
}

}  // namespace

const RegistersHash& RegisterHashes::of_leaf(OfficeId office) {
    const auto found = leaves_.find(office);
    return found != leaves_.end()
               ? found->second
               : leaves_
                     .emplace(office,
                              registers_hash(ledger_.network(), register_list(ledger_, office)))
                     .first->second;
}

void BundleKnowledge::learn(BytesView bytes) {
    auto said = read_said(bytes);
    if (!said) {
        return;
    }
    head_ = said->head;
    carries_ = said->head.carries;
    roster_version_ = std::max(roster_version_, said->head.roster_version);
    for (auto& leaf : said->leaves) {
        closed_below_.emplace(leaf.office, closed_below(leaf));
        for (auto& log : leaf.logs) {
            const LogKey key{leaf.office, log.incarnation, log.record_class};
            logs_.insert_or_assign(key, std::move(log));
        }
        leaf.logs.clear();
        leaves_.insert_or_assign(leaf.office, std::move(leaf));
    }
}

Bytes said_of(const BundleHead& head, BytesView summary) {
    ByteWriter out;
    out.sized(encode_frame(head));
    out.raw(summary);
    return out.take();
}

bool is_said_by_us(const Ledger& ledger, BytesView bytes) {
    const auto said = read_said(bytes);
    return said && said->head.writer == ledger.us() &&
           said->head.version.incarnation == ledger.meta().incarnation &&
           crypto::hash("bundle-summary", ledger.network(), {said->summary}) ==
               said->head.summary &&
           crypto::verify_bundle_head(ledger.config().machine->identity.public_key(),
                                      ledger.network(), said->head);
}

Bytes encode_runs(const RunsByLog& runs) {
    ByteWriter out;
    for (const auto& [log, held] : runs) {
        const auto& all = held.intervals();
        for (std::size_t at = 0; at < all.size(); at += runs_a_frame) {
            IntervalSet some;
            for (std::size_t i = at; i < std::min(all.size(), at + runs_a_frame); ++i) {
                some.add(all[i]);
            }
            LeafSummary leaf;
            leaf.office = log.author;
            leaf.logs = {{log.incarnation, log.record_class, std::move(some), {}}};
            out.sized(encode_frame(Summary{false, {std::move(leaf)}}));
        }
    }
    return out.take();
}

void add_runs(RunsByLog& runs, BytesView encoded) {
    ByteReader in(encoded);
    while (!in.at_end()) {
        const auto sized = in.read_sized(encoded.size());
        if (!sized) {
            break;
        }
        const auto frame = decode_frame(*sized);
        const auto* summary = frame ? std::get_if<Summary>(&*frame) : nullptr;
        for (const auto& leaf : summary == nullptr ? std::vector<LeafSummary>{} : summary->leaves) {
            for (const auto& log : leaf.logs) {
                runs[{leaf.office, log.incarnation, log.record_class}].add(log.not_wanted);
            }
        }
    }
}

void BundleKnowledge::keep(Ledger& ledger, const BundleHead& head, BytesView summary) {
    auto said = said_of(head, summary);
    if (const auto old = ledger.store().bundled(head.writer); old && *old) {
        const auto before = read_said(**old);
        if (before && head.version <= before->head.version) {
            return;
        }
        const auto now = BundleKnowledge::after(said);
        const auto then = BundleKnowledge::after(**old);
        if (now.carries_ && !then.carries_) {
            ledger.note_less(head.writer);
        }
        for (const auto& log : now.with_less_than(then)) {
            if (ledger.logs().contains(log)) {
                ledger.note_less(head.writer, log);
            }
        }
    }
    ledger.write(storage::PutBundled{head.writer, std::move(said)});
}

Result<BundleKnowledge> BundleKnowledge::of(const Ledger& ledger, OfficeId office) {
    BundleKnowledge known;
    known.office_ = office;
    if (const auto* statement = ledger.statement(office)) {
        known.roster_version_ = statement->roster_version;
        known.carries_ = statement->carries;
    }
    const auto bytes = TRY(ledger.store().bundled(office));
    if (bytes) {
        known.learn(*bytes);
    }
    return known;
}

BundleKnowledge BundleKnowledge::after(BytesView said) {
    BundleKnowledge known;
    known.learn(said);
    return known;
}

std::vector<LogKey> BundleKnowledge::with_less_than(const BundleKnowledge& before) const {
    std::vector<LogKey> all;
    for (const auto& [key, log] : before.logs_) {
        if (!lacks(key, log.not_wanted).empty()) {
            all.push_back(key);
        }
    }
    return all;
}

bool BundleKnowledge::takes(const crypto::Roster& roster, const Header& header) const {
    return is_addressed_to(roster, header, office_) || header.log.author == office_ || carries_;
}

IntervalSet BundleKnowledge::lacks(const LogKey& log, const IntervalSet& held) const {
    if (const auto found = logs_.find(log); found != logs_.end()) {
        return without(held, found->second.not_wanted);
    }
    const auto closed = closed_below_.find(log.author);
    return closed != closed_below_.end() && log < closed->second ? IntervalSet{} : held;
}

const PartialSummary* BundleKnowledge::partial(const LogKey& log, Number number,
                                               const RecordId& id) const {
    const auto found = logs_.find(log);
    if (found == logs_.end()) {
        return nullptr;
    }
    const auto one = std::ranges::find_if(found->second.partials, [&](const auto& partial) {
        return partial.number == number && partial.id == short_hash(id);
    });
    return one == found->second.partials.end() ? nullptr : &*one;
}

bool BundleKnowledge::lacks_register(const Register& entry, RegisterHashes& ours) const {
    const auto office = Ledger::leaf_of_register(entry.key);
    const auto leaf = leaves_.find(office);
    if (leaf == leaves_.end()) {
        return true;
    }
    const auto& told = leaf->second;
    const auto name = ours.name_of(entry);
    const auto theirs = std::ranges::find_if(told.registers, [&](const RegisterSummary& one) {
        return one.kind == entry.key.kind && one.subject == entry.key.subject &&
               (name.enrolment == ShortHash{} || name.enrolment == one.hash);
    });
    if (theirs != told.registers.end()) {
        return entry.version > theirs->version ||
               (entry.version == theirs->version && ours.of(name) > theirs->hash);
    }
    return !told.all_registers || *told.all_registers != ours.of_leaf(office);
}

Bytes bundled_summary(Ledger& ledger) {
    ByteWriter out;
    SummaryWriter summary(summary_frame_bytes,
                          [&](const Summary& frame) { out.sized(encode_frame(frame)); });
    const auto detail =
        ledger.registers().size() <= listed_registers_max ? Detail::all : Detail::newest;
    for (const auto& [office, entry] : ledger.roster().offices()) {
        auto leaf = summary_of(ledger, office, detail);
        if (!leaf.logs.empty() || !leaf.registers.empty() || leaf.all_registers || leaf.is_closed) {
            summary.add(std::move(leaf));
        }
    }
    summary.end(true);
    return out.take();
}

}  // namespace fieldpost::engine
