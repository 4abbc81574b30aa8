#include "daemon/engine/bundle_knowledge.h"

namespace fieldpost::engine {

namespace {

constexpr std::size_t summary_frame_bytes = 60'000;

struct Kept {
    BundleHead head;
    std::vector<Summary> summaries;
};

// As keep_bundled wrote it; nothing if another release did.
std::optional<Kept> read_kept(BytesView bytes) {
    ByteReader in(bytes);
    std::optional<Kept> kept;
    while (!in.at_end()) {
        const auto sized = in.read_sized(limits::frame_bytes_max);
        const auto frame = sized ? decode_frame(*sized) : std::unexpected(sized.error());
        if (!frame) {
            return std::nullopt;
        }
        if (const auto* head = std::get_if<BundleHead>(&*frame)) {
            kept.emplace(Kept{*head, {}});
        } else if (const auto* summary = std::get_if<Summary>(&*frame);
                   summary != nullptr && kept) {
            kept->summaries.push_back(*summary);
        }
    }
    return kept;
}

}  // namespace

void keep_bundled(Ledger& ledger, const BundleHead& head, BytesView summary) {
    const auto old = ledger.store().bundled(head.writer);
    if (old && *old) {
        const auto kept = read_kept(**old);
        if (kept && head.version <= kept->head.version) {
            return;
        }
    }
    ByteWriter out;
    out.sized(encode_frame(head));
    out.raw(summary);
    ledger.write(storage::PutBundled{head.writer, out.take()});
}

Result<BundleKnowledge> BundleKnowledge::of(const Ledger& ledger, OfficeId office) {
    BundleKnowledge known;
    known.office_ = office;
    if (const auto* statement = ledger.statement(office)) {
        known.roster_version_ = statement->roster_version;
        known.carries_ = statement->carries;
    }
    const auto bytes = TRY(ledger.store().bundled(office));
    auto kept = bytes ? read_kept(*bytes) : std::nullopt;
    if (!kept) {
        return known;
    }
    known.carries_ = kept->head.carries;
    known.roster_version_ = std::max(known.roster_version_, kept->head.roster_version);
    for (auto& summary : kept->summaries) {
        for (auto& leaf : summary.leaves) {
            for (auto& log : leaf.logs) {
                const LogKey key{leaf.office, log.incarnation, log.record_class};
                known.logs_.insert_or_assign(key, std::move(log));
            }
            leaf.logs.clear();
            known.leaves_.insert_or_assign(leaf.office, std::move(leaf));
        }
    }
    return known;
}

bool BundleKnowledge::takes(const Header& header) const {
    return header.is_addressed_to(office_) || header.log.author == office_ || carries_;
}

IntervalSet BundleKnowledge::lacks(const LogKey& log, const IntervalSet& held) const {
    const auto found = logs_.find(log);
    return found == logs_.end() ? held : without(held, found->second.not_wanted);
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

bool BundleKnowledge::lacks_register(const Ledger& ledger, const Register& entry) const {
    const auto office = Ledger::leaf_of_register(entry.key);
    const auto leaf = leaves_.find(office);
    if (leaf == leaves_.end()) {
        return true;
    }
    const auto& told = leaf->second;
    const auto theirs = std::ranges::find_if(told.registers, [&](const RegisterSummary& one) {
        return one.kind == entry.key.kind && one.subject == entry.key.subject;
    });
    if (theirs != told.registers.end()) {
        const auto ours = ledger.register_hash(entry.key);
        return entry.version > theirs->version ||
               (entry.version == theirs->version && ours > theirs->hash);
    }
    return !told.all_registers ||
           *told.all_registers != ledger.registers_hash(ledger.register_list(office));
}

Bytes bundled_summary(const Ledger& ledger) {
    ByteWriter out;
    Summary summary;
    std::size_t size = 0;
    bool is_whole = true;
    for (const auto& [office, entry] : ledger.roster().offices()) {
        auto leaf = ledger.summary_of(office, Detail::newest);
        if (leaf.logs.empty() && leaf.registers.empty() && !leaf.all_registers) {
            continue;
        }
        const auto leaf_size = encode_frame(Summary{false, {leaf}}).size();
        if (leaf_size > limits::frame_bytes_max) {
            is_whole = false;  // and so not kept: the next bundle here brings more than it had to
            continue;
        }
        if (size + leaf_size > summary_frame_bytes && !summary.leaves.empty()) {
            summary.more = true;
            out.sized(encode_frame(std::exchange(summary, {})));
            size = 0;
        }
        size += leaf_size;
        summary.leaves.push_back(std::move(leaf));
    }
    summary.whole = is_whole;
    out.sized(encode_frame(summary));
    return out.take();
}

}  // namespace fieldpost::engine
