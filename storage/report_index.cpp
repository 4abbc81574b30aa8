#include "storage/report_index.h"

#include <bit>

#include "storage/values.h"

namespace fieldpost::storage {

namespace {

constexpr std::size_t bitmap_bytes = arrivals_a_block / 8;
constexpr std::uint64_t word_bits = 64;

std::uint32_t block_of(Arrival arrival) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(
        static_cast<std::uint64_t>(arrival) / arrivals_a_block, UINT32_MAX));
}
std::size_t position_of(Arrival arrival) {
    return static_cast<std::uint64_t>(arrival) % arrivals_a_block;
}
Arrival arrival_at(std::uint32_t block, std::size_t position) {
    return Arrival{block * arrivals_a_block + position};
}

const Bytes counts_key = to_bytes(as_bytes("counts"));

Bytes encode(const ReportCounts& counts) {
    ByteWriter out;
    for (const auto& box : {counts.outbox, counts.inbox}) {
        for (const auto count : box) {
            out.varint(count);
        }
    }
    out.varint(counts.queued_bytes);
    return out.take();
}

Result<ReportCounts> decode_counts(BytesView value) {
    ByteReader in(value);
    ReportCounts counts;
    for (auto* box : {&counts.outbox, &counts.inbox}) {
        for (auto& count : *box) {
            count = TRY(in.read_varint());
        }
    }
    counts.queued_bytes = TRY(in.read_varint());
    TRY(in.expect_end("counts"));
    return counts;
}

// Adds a report to the counts, or takes it out. Unsigned numbers wrap, so `sign` may be -1.
void count(ReportCounts& counts, const ReportProgress& page, std::uint64_t sign) {
    const auto state = combined_state(page.recipients);
    const bool is_outbox = page.box == Box::outbox;
    // A corrected report of the outbox is still under way.
    const bool is_only_replaced =
        page.replaced_by && !page.withdrawn && page.forgotten_at == WallTime{};
    if (!page.is_current() && !(is_outbox && is_only_replaced)) {
        return;
    }
    (is_outbox ? counts.outbox : counts.inbox)[static_cast<std::size_t>(state)] += sign;
    if (is_outbox && state == State::queued) {
        counts.queued_bytes += sign * page.size_bytes;
    }
}

}  // namespace

State combined_state(const std::vector<Recipient>& recipients) {
    std::optional<State> least;
    State ended = State::queued;
    for (const auto& one : recipients) {
        if (one.state == State::expired || one.state == State::failed) {
            ended = std::max(ended, one.state);
        } else if (!least || one.state < *least) {
            least = one.state;
        }
    }
    return least.value_or(ended);
}

std::vector<Term> terms_of(const ReportKey& report, const ReportProgress& page) {
    std::vector<Term> terms;
    if (report.origin.record_class == RecordClass::reply) {
        return terms;
    }
    auto outcome = ReplyOutcome::none;
    for (const auto& one : page.recipients) {
        outcome = std::max(outcome, one.outcome);
        terms.push_back(term_of(Facet::to, one.office));
    }
    for (const auto office : page.addressed) {
        terms.push_back(term_of(Facet::to, office));
    }
    terms.push_back(term_of(Facet::box, page.box));
    terms.push_back(term_of(Facet::state, combined_state(page.recipients)));
    terms.push_back(term_of(Facet::priority, report.origin.record_class));
    terms.push_back(term_of(Facet::from, report.author));
    if (outcome != ReplyOutcome::none) {
        terms.push_back(term_of(Facet::outcome, outcome));
    }
    if (page.replaced_by) {
        terms.push_back(term_of(Facet::replaced, 1));
    }
    if (page.withdrawn) {
        terms.push_back(term_of(Facet::withdrawn, 1));
    }
    if (page.forgotten_at != WallTime{}) {
        terms.push_back(term_of(Facet::forgotten, 1));
    }
    if (page.type != no_type) {
        terms.push_back(term_of(Facet::type, page.type));
    }
    std::ranges::sort(terms);
    const auto repeated = std::ranges::unique(terms);
    terms.erase(repeated.begin(), repeated.end());
    return terms;
}

bool fits(const ReportFilter& filter, const std::vector<Term>& terms) {
    const auto is_true = [&](const Term& term) { return std::ranges::binary_search(terms, term); };
    return std::ranges::all_of(filter.all,
                               [&](const std::vector<Term>& any_of) {
                                   return std::ranges::any_of(any_of, is_true);
                               }) &&
           std::ranges::none_of(filter.none, is_true);
}

bool Bitmap::is_empty() const {
    return std::ranges::all_of(words_, [](std::uint64_t word) { return word == 0; });
}

std::size_t Bitmap::count() const {
    std::size_t count = 0;
    for (const auto word : words_) {
        count += static_cast<std::size_t>(std::popcount(word));
    }
    return count;
}

std::optional<std::size_t> Bitmap::next(std::size_t from) const {
    for (auto at = from / word_bits; at < words_.size(); ++at) {
        const auto low = at == from / word_bits ? from % word_bits : 0;
        if (const auto word = words_[at] >> low; word != 0) {
            return at * word_bits + low + static_cast<std::size_t>(std::countr_zero(word));
        }
    }
    return std::nullopt;
}

std::optional<std::size_t> Bitmap::previous(std::size_t to) const {
    for (auto at = to / word_bits + 1; at-- > 0;) {
        const auto high = at == to / word_bits ? word_bits - 1 - to % word_bits : 0;
        if (const auto word = words_[at] << high; word != 0) {
            return at * word_bits + word_bits - 1 - high -
                   static_cast<std::size_t>(std::countl_zero(word));
        }
    }
    return std::nullopt;
}

Bitmap& Bitmap::operator|=(const Bitmap& other) {
    std::ranges::transform(words_, other.words_, words_.begin(), std::bit_or{});
    return *this;
}

Bitmap& Bitmap::operator&=(const Bitmap& other) {
    std::ranges::transform(words_, other.words_, words_.begin(), std::bit_and{});
    return *this;
}

Bitmap& Bitmap::remove(const Bitmap& other) {
    std::ranges::transform(words_, other.words_, words_.begin(),
                           [](std::uint64_t a, std::uint64_t b) { return a & ~b; });
    return *this;
}

// The shorter one of two forms: the list of positions, or all bits.
Bytes Bitmap::encode() const {
    ByteWriter out;
    if (count() * 2 < bitmap_bytes) {
        for (auto at = next(0); at; at = next(*at + 1)) {
            out.u16(static_cast<std::uint16_t>(*at));
        }
    } else {
        for (const auto word : words_) {
            out.u64(word);
        }
    }
    return out.take();
}

Result<Bitmap> Bitmap::decode(BytesView value) {
    Bitmap bitmap;
    ByteReader in(value);
    if (value.size() == bitmap_bytes) {
        for (auto& word : bitmap.words_) {
            word = TRY(in.read_u64());
        }
        return bitmap;
    }
    while (!in.at_end()) {
        const auto position = TRY(in.read_u16());
        if (position >= arrivals_a_block) {
            return fail(Errc::corrupt, "store: a position outside its block");
        }
        bitmap.set(position);
    }
    return bitmap;
}

Result<void> ReportIndex::put(Arrival arrival, const Term& term, bool is_set) {
    const std::pair name{block_of(arrival), term};
    auto found = changed_.find(name);
    if (found == changed_.end()) {
        found = changed_.emplace(name, TRY(bitmap(name.first, term))).first;
    }
    is_set ? found->second.set(position_of(arrival)) : found->second.reset(position_of(arrival));
    return ok();
}

Result<void> ReportIndex::change(const ReportKey& report, const ReportProgress* before,
                                 const ReportProgress* after) {
    const auto old_terms = before == nullptr ? std::vector<Term>{} : terms_of(report, *before);
    const auto new_terms = after == nullptr ? std::vector<Term>{} : terms_of(report, *after);
    const bool has_moved =
        before != nullptr && after != nullptr && before->arrival != after->arrival;
    for (const auto& term : old_terms) {
        if (has_moved || !std::ranges::binary_search(new_terms, term)) {
            TRY(put(before->arrival, term, false));
        }
    }
    for (const auto& term : new_terms) {
        if (has_moved || !std::ranges::binary_search(old_terms, term)) {
            TRY(put(after->arrival, term, true));
        }
    }
    if (old_terms.empty() && new_terms.empty()) {
        return ok();
    }
    if (!changed_counts_) {
        changed_counts_ = TRY(counts());
    }
    if (before != nullptr) {
        count(*changed_counts_, *before, UINT64_MAX);
    }
    if (after != nullptr) {
        count(*changed_counts_, *after, 1);
    }
    return ok();
}

Result<void> ReportIndex::clear() {
    forget();
    while (const auto entry = TRY(tables_->raw().at_or_after(Table::report_index, {}))) {
        TRY(tables_->erase(Table::report_index, Bytes(entry->key)));
    }
    return tables_->erase(Table::meta, counts_key);
}

Result<void> ReportIndex::flush() {
    for (const auto& [name, bitmap] : std::exchange(changed_, {})) {
        const auto key = index_key(name.first, name.second);
        TRY(bitmap.is_empty() ? tables_->erase(Table::report_index, key)
                              : tables_->put(Table::report_index, key, bitmap.encode()));
    }
    if (changed_counts_) {
        TRY(tables_->put(Table::meta, counts_key, encode(*std::exchange(changed_counts_, {}))));
    }
    return ok();
}

void ReportIndex::forget() {
    changed_.clear();
    changed_counts_.reset();
}

Result<ReportCounts> ReportIndex::counts() const {
    const auto value = TRY(tables_->get(Table::meta, counts_key));
    return value ? or_corrupt(decode_counts(*value)) : Result<ReportCounts>(ReportCounts{});
}

Result<Bitmap> ReportIndex::bitmap(std::uint32_t block, const Term& term) const {
    const auto value = TRY(tables_->get(Table::report_index, index_key(block, term)));
    return value ? or_corrupt(Bitmap::decode(*value)) : Result<Bitmap>(Bitmap{});
}

Result<std::optional<std::uint32_t>> ReportIndex::block_from(std::uint32_t from) const {
    const auto entry = TRY(tables_->at_or_after(Table::report_index, index_key(from, {})));
    return entry ? std::optional(TRY(read_index_block(entry->key))) : std::nullopt;
}

Result<std::optional<std::uint32_t>> ReportIndex::block_until(std::uint32_t to) const {
    const auto last = index_key(to, {Facet{UINT8_MAX}, UINT32_MAX});
    const auto entry = TRY(tables_->at_or_before(Table::report_index, last));
    return entry ? std::optional(TRY(read_index_block(entry->key))) : std::nullopt;
}

Result<const Bitmap*> Selection::matches(std::uint32_t block) {
    if (block_ == block) {
        return &matches_;
    }
    block_.reset();
    matches_ = {};
    bool is_first = true;
    for (const auto& any_of : filter_.all) {
        Bitmap fits;
        for (const auto& term : any_of) {
            fits |= TRY(index_->bitmap(block, term));
        }
        is_first ? matches_ = fits : matches_ &= fits;
        is_first = false;
    }
    for (const auto& term : filter_.none) {
        matches_.remove(TRY(index_->bitmap(block, term)));
    }
    block_ = block;
    return &matches_;
}

Result<std::optional<Arrival>> Selection::from(Arrival from) {
    auto block = TRY(index_->block_from(block_of(from)));
    while (block) {
        const auto first = *block == block_of(from) ? position_of(from) : 0;
        if (const auto found = TRY(matches(*block))->next(first)) {
            return arrival_at(*block, *found);
        }
        block = TRY(index_->block_from(*block + 1));
    }
    return std::optional<Arrival>{};
}

Result<std::optional<Arrival>> Selection::until(Arrival to) {
    auto block = TRY(index_->block_until(block_of(to)));
    while (block) {
        const auto last = *block == block_of(to) ? position_of(to) : arrivals_a_block - 1;
        if (const auto found = TRY(matches(*block))->previous(last)) {
            return arrival_at(*block, *found);
        }
        if (*block == 0) {
            break;
        }
        block = TRY(index_->block_until(*block - 1));
    }
    return std::optional<Arrival>{};
}

Result<std::uint64_t> Selection::count() {
    std::uint64_t count = 0;
    for (auto block = TRY(index_->block_from(0)); block;
         block = TRY(index_->block_from(*block + 1))) {
        count += TRY(matches(*block))->count();
    }
    return count;
}

}  // namespace fieldpost::storage
