#include "daemon/engine/queries.h"

#include <fmt/format.h>

#include <charconv>
#include <set>

#include "crypto/sealed_record.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/terminal.h"
#include "proto/typed.h"

namespace fieldpost::engine {

using storage::WithBody;

std::string_view name_of(State state) {
    constexpr std::array<std::string_view, 6> names = {"queued",       "carried", "delivered",
                                                       "acknowledged", "expired", "failed"};
    return names[static_cast<std::size_t>(state)];
}

std::string_view name_of(storage::FailReason reason) {
    constexpr std::array<std::string_view, 10> names = {
        "",        "unreadable", "revoked", "retired",   "refused",
        "damaged", "no_key",     "closed",  "withdrawn", "blocked"};
    return names[static_cast<std::size_t>(reason)];
}

std::string printed_name(const Ledger& ledger, OfficeId office) {
    if (is_group(office)) {
        return name_of_group(office)
            .transform([](std::string_view name) { return std::string(name); })
            .value_or(fmt::format("@group{}", value_of(office) - value_of(group_base)));
    }
    const auto* found = ledger.roster().find(office);
    return found == nullptr ? fmt::format("office{}", value_of(office)) : found->name;
}

namespace {

// The lives in which an author has pages here, of one ordinal. An honest office has one, unless two
// copies of its home went on at once.
Result<std::vector<Incarnation>> lives_of(const Ledger& ledger, OfficeId author,
                                          std::uint16_t ordinal) {
    constexpr std::size_t lives_max = 64;
    std::vector<Incarnation> lives;
    Incarnation next{ordinal, 0};
    while (lives.size() < lives_max) {
        const auto first = TRY(ledger.store().report_from({author, {next, RecordClass::reply, 0}}));
        if (!first || first->author != author || first->origin.incarnation.ordinal != ordinal) {
            break;
        }
        next = first->origin.incarnation;
        lives.push_back(next);
        if (next.random++ == UINT32_MAX) {
            break;
        }
    }
    return lives;
}

// The last hex digits of an incarnation's random part, in an ID where two copies used the number.
constexpr std::size_t life_digits = 4;
// All of them, where the last four are equal. Authors choose them, so an enemy can make that.
constexpr std::size_t all_life_digits = 8;

std::string name_of_life(Incarnation life, std::size_t digits) {
    return fmt::format("{:08x}", life.random).substr(all_life_digits - digits);
}

// The digits that tell this report from those of other copies of the author's home, as far as its
// logs are kept. 0: no other copy used the number.
std::size_t digits_needed(const Ledger& ledger, const storage::ReportKey& key) {
    const auto& [incarnation, record_class, number] = key.origin;
    std::size_t digits = 0;
    for (const auto& [log, state] : ledger.logs_of(key.author)) {
        const bool is_namesake =
            log.record_class == record_class && log.incarnation.ordinal == incarnation.ordinal &&
            log.incarnation != incarnation &&
            (state.receipted.contains(number) || state.unreadable.contains(number) ||
             state.held.contains(number) || (key.author == ledger.us() && number < state.next));
        if (is_namesake) {
            digits = std::max(digits, name_of_life(log.incarnation, life_digits) ==
                                              name_of_life(incarnation, life_digits)
                                          ? all_life_digits
                                          : life_digits);
        }
    }
    return digits;
}

std::string print(const Ledger& ledger, const storage::ReportKey& key, std::size_t digits) {
    constexpr std::array<std::string_view, record_classes> letters = {"r", "u", "", "b"};
    const auto ordinal = key.origin.incarnation.ordinal;
    return fmt::format("{}{}-{}{}{}", printed_name(ledger, key.author),
                       ordinal == 1 ? "" : fmt::format(".{}", ordinal),
                       letters[static_cast<std::size_t>(key.origin.record_class)],
                       key.origin.number,
                       digits == 0 ? "" : "~" + name_of_life(key.origin.incarnation, digits));
}

}  // namespace

std::string printed_id(const Ledger& ledger, const storage::ReportKey& key) {
    return print(ledger, key, digits_needed(ledger, key));
}

namespace {

template <class Number>
std::optional<Number> number_of(std::string_view digits) {
    Number number{};
    const auto* end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end || number == 0) {
        return std::nullopt;
    }
    return number;
}

}  // namespace

namespace {

struct ParsedId {
    std::string office;
    std::uint16_t ordinal = 1;
    RecordClass record_class = RecordClass::normal;
    Number number = 0;
    std::optional<Number> last;  // of a run, as lists of what is carried print it
    std::string life;            // if it is given: two lives used this number

    [[nodiscard]] bool fits(Incarnation incarnation) const {
        return incarnation.ordinal == ordinal &&
               (life.empty() || life == name_of_life(incarnation, life.size()));
    }
};

std::optional<ParsedId> parse_id(std::string_view id) {
    auto plain = plain_typed(id);
    ParsedId parsed;
    if (const auto tilde = plain.find('~'); tilde != std::string::npos) {
        parsed.life = plain.substr(tilde + 1);
        plain.resize(tilde);
        if ((parsed.life.size() != life_digits && parsed.life.size() != all_life_digits) ||
            parsed.life.find_first_not_of("0123456789abcdef") != std::string::npos) {
            return std::nullopt;
        }
    }
    const auto dash = plain.rfind('-');
    if (dash == std::string::npos) {
        return std::nullopt;
    }
    parsed.office = plain.substr(0, dash);
    auto tail = std::string_view(plain).substr(dash + 1);
    if (const auto dot = parsed.office.find('.'); dot != std::string::npos) {
        const auto ordinal =
            number_of<std::uint16_t>(std::string_view(parsed.office).substr(dot + 1));
        if (!ordinal) {
            return std::nullopt;
        }
        parsed.ordinal = *ordinal;
        parsed.office.resize(dot);
    }
    if (!tail.empty() && tail[0] >= 'a') {
        const auto letter = std::string_view("ru b").find(tail[0]);
        if (letter == std::string_view::npos) {
            return std::nullopt;
        }
        parsed.record_class = static_cast<RecordClass>(letter);
        tail.remove_prefix(1);
    }
    if (const auto dots = tail.find(".."); dots != std::string_view::npos) {
        parsed.last = number_of<Number>(tail.substr(dots + 2));
        tail = tail.substr(0, dots);
        if (!parsed.last) {
            return std::nullopt;
        }
    }
    const auto number = number_of<Number>(tail);
    if (!number || (parsed.last && *parsed.last <= *number) || !is_office_name(parsed.office)) {
        return std::nullopt;
    }
    parsed.number = *number;
    return parsed;
}

}  // namespace

bool is_id(std::string_view id) {
    return parse_id(id).has_value();
}

namespace {

// The pages of this number, one for each life that fits. Pages stay when their logs are not kept
// any more: their author was cut off, say.
Result<std::set<storage::ReportKey>> pages_of(const Ledger& ledger, const ParsedId& id) {
    std::set<storage::ReportKey> pages;
    for (const auto* author : ledger.roster().offices_named(id.office)) {
        for (const auto life : TRY(lives_of(ledger, author->index, id.ordinal))) {
            const storage::ReportKey key{author->index, {life, id.record_class, id.number}};
            if (id.fits(life) && TRY(ledger.store().report(key))) {
                pages.insert(key);
            }
        }
    }
    return pages;
}

// The report, or the carried run, that this number stands for in a log.
Result<std::optional<storage::ReportKey>> find_in_log(const Ledger& ledger, const LogKey& log,
                                                      const ParsedId& id) {
    const storage::ReportKey key{log.author, {log.incarnation, log.record_class, id.number}};
    // A number under which a report was written again stands for that report.
    const auto report = TRY(report_under(ledger, log, id.number));
    const bool has_page = TRY(ledger.store().report(report)).has_value();
    if (id.last) {
        // A run has a name only where nobody can look into it.
        const auto record =
            has_page ? std::nullopt : TRY(ledger.store().record(log, id.number, WithBody::no));
        return record && record->run == Interval{id.number, *id.last} ? std::optional(key)
                                                                      : std::nullopt;
    }
    if (has_page) {
        return std::optional(report);
    }
    return ledger.log(log).held.contains(id.number) ? std::optional(key) : std::nullopt;
}

}  // namespace

Result<std::optional<storage::ReportKey>> find_id(const Ledger& ledger, std::string_view id) {
    const auto parsed = parse_id(id);
    if (!parsed) {
        return std::optional<storage::ReportKey>{};
    }
    auto found = parsed->last ? std::set<storage::ReportKey>{} : TRY(pages_of(ledger, *parsed));
    // Several indexes may have had the name; the ordinal tells their stores apart.
    for (const auto* author : ledger.roster().offices_named(parsed->office)) {
        for (const auto& [log, state] : ledger.logs_of(author->index)) {
            if (log.record_class == parsed->record_class && parsed->fits(log.incarnation)) {
                if (const auto one = TRY(find_in_log(ledger, log, *parsed))) {
                    found.insert(*one);
                }
            }
        }
    }
    if (found.size() > 1 && parsed->life.empty()) {
        // A list may print one of them so, if it knows nothing of the others' logs any more.
        const auto is_printed_so = [&](const auto& key) {
            return printed_id(ledger, key) == plain_typed(id);
        };
        if (std::ranges::count_if(found, is_printed_so) == 1) {
            return std::optional(*std::ranges::find_if(found, is_printed_so));
        }
    }
    if (found.size() > 1) {
        std::set<std::string> names;
        for (const auto digits : {life_digits, all_life_digits}) {
            if (names.size() < found.size()) {
                names.clear();
                for (const auto& key : found) {
                    names.insert(print(ledger, key, digits));
                }
            }
        }
        return fail(Errc::malformed,
                    fmt::format("two machines gave the ID {} to different reports: {}", id,
                                fmt::join(names, ", ")));
    }
    return found.empty() ? std::nullopt : std::optional(*found.begin());
}

Result<std::optional<storage::ReportKey>> named_by(const Ledger& ledger, OfficeId author,
                                                   std::string_view id) {
    if (const auto found = TRY(find_id(ledger, id)); found && found->author == author) {
        return found;
    }
    const auto parsed = parse_id(id);
    const auto* office = ledger.roster().find(author);
    std::optional<storage::ReportKey> named;
    if (!parsed || parsed->last || office == nullptr || office->name != parsed->office) {
        return named;
    }
    // Its life may be known by reports of another class alone, or by what it signed besides
    // reports.
    std::set<Incarnation> lives;
    for (const auto& [log, state] : ledger.logs_of(author)) {
        lives.insert(log.incarnation);
    }
    for (const auto* entry : ledger.registers_of(author)) {
        lives.insert(entry->version.incarnation);
    }
    for (const auto life : lives) {
        if (!parsed->fits(life)) {
            continue;
        }
        if (named) {
            return fail(Errc::malformed,
                        fmt::format("two machines wrote reports under IDs like {}: say which one "
                                    "with ~{} or ~{} behind it",
                                    id, name_of_life(named->origin.incarnation, all_life_digits),
                                    name_of_life(life, all_life_digits)));
        }
        named = {author, {life, parsed->record_class, parsed->number}};
    }
    return named;
}

namespace {

// The header of a carried record names its recipients, and their receipts say who has it.
void add_known_of_carried(const Ledger& ledger, ReportView& view) {
    view.state = State::carried;
    all_of_addressees(ledger.roster(), view.header, [&](OfficeId recipient) {
        storage::Recipient one{.office = recipient,
                               .state = State::carried,
                               .carried_at = view.record.received,
                               .carried_by = ledger.us()};
        const auto* office = ledger.roster().find(one.office);
        if (office != nullptr && !office->is_member()) {
            one.state = State::failed;
            one.reason = office->state == crypto::OfficeState::revoked
                             ? storage::FailReason::revoked
                             : storage::FailReason::retired;
        } else if (is_served(ledger, view.header, one.office, view.key.origin.number)) {
            one.state = State::delivered;
        }
        view.recipients.push_back({one, {}, {}});
        return true;
    });
}

// Adds the state of a report, from its page.
Result<void> add_state(const Ledger& ledger, ReportView& view) {
    const auto progress = TRY(ledger.store().report(view.key));
    if (!view.entry) {
        add_known_of_carried(ledger, view);
        return ok();
    }
    if (!progress) {
        const bool is_unreadable = view.entry->form == storage::ArchiveEntry::Form::unreadable;
        view.state = is_unreadable ? State::failed : State::delivered;
        view.reason = is_unreadable ? name_of(storage::FailReason::unreadable) : "";
        return ok();
    }
    view.state = storage::combined_state(progress->recipients);
    view.replaced_by = progress->replaced_by;
    view.withdrawn = progress->withdrawn;
    view.forgotten_at = progress->forgotten_at;
    view.change = progress->change;
    for (const auto& one : progress->recipients) {
        if (view.state == State::failed && one.state == State::failed) {
            view.reason = name_of(one.reason);
        }
        view.recipients.push_back({one, {}, {}});
    }
    return ok();
}

}  // namespace

Result<void> add_words(const Ledger& ledger, ReportView& view) {
    for (auto& one : view.recipients) {
        const auto page = one.proved.answer
                              ? TRY(ledger.store().report({one.proved.office, *one.proved.answer}))
                              : std::nullopt;
        if (const auto answer = page ? TRY(archived_at(ledger, page->arrival)) : std::nullopt) {
            one.proved.outcome = answer->report.outcome;
            one.staff = answer->report.staff;
            one.note = answer->report.text;
        }
    }
    if (view.withdrawn && view.withdrawn->by) {
        const auto page = TRY(ledger.store().report({view.key.author, *view.withdrawn->by}));
        const auto words = page ? TRY(archived_at(ledger, page->arrival)) : std::nullopt;
        view.withdrawal_reason = words ? words->report.text : "";
    }
    return ok();
}

Result<std::vector<ReportView>> views_of(const Ledger& ledger,
                                         const storage::StoredRecord& record) {
    ReportView base;
    base.record = record;
    base.arrival = record.arrival;
    base.header = TRY(decode_header(record.header));
    base.entry = TRY(ledger.store().archive(record.arrival));
    base.key = {record.log.author,
                {record.log.incarnation, record.log.record_class, record.run.first}};
    std::vector<ReportView> views;
    const auto opened = base.entry ? open_archived(ledger, record, *base.entry, Opening::reports)
                                   : fail(Errc::untrusted, "only carried");
    base.record.body.clear();  // each report of a pack would have a copy
    if (!opened) {
        views.push_back(std::move(base));
        TRY(add_state(ledger, views.back()));
        return views;
    }
    std::uint64_t attachments_from = 0;
    for (std::size_t i = 0; i < opened->units.size(); ++i) {
        auto view = base;
        view.attachments_from = attachments_from;
        attachments_from += opened->reports[i].attachment_bytes();
        view.arrival = storage::Arrival{static_cast<std::uint64_t>(record.arrival) + i};
        // Shown once: a reissue of what came before is not in the box again.
        const auto key = TRY(key_at(ledger, view.arrival));
        const auto progress = key ? TRY(ledger.store().report(*key)) : std::nullopt;
        if (!progress || progress->arrival != view.arrival) {
            continue;
        }
        view.key = *key;
        if (!opened->units[i].report.empty()) {
            view.report = opened->reports[i];
        }
        view.hash = opened->hashes[i];
        TRY(add_state(ledger, view));
        views.push_back(std::move(view));
    }
    return views;
}

Result<std::optional<RecordPlace>> count_waiting(const Ledger& ledger, RecordPlace from,
                                                 const IsSpent& is_spent,
                                                 std::map<OfficeId, Waiting>& waiting) {
    bool has_looked = false;  // at one record at least, so that the count comes to an end
    for (auto at = ledger.logs().lower_bound(from.first); at != ledger.logs().end(); ++at) {
        const auto& [log, state] = *at;
        auto number = state.held.next(log == from.first ? std::max<Number>(from.second, 1) : 1);
        while (number) {
            if (std::exchange(has_looked, true) && is_spent()) {
                return RecordPlace{log, *number};
            }
            const auto record = TRY(ledger.store().record(log, *number, WithBody::no));
            if (!record) {
                return fail(Errc::corrupt, "store: a held number without its record");
            }
            const auto header = TRY(decode_header(record->header));
            all_of_addressees(ledger.roster(), header, [&](OfficeId recipient) {
                if (!is_served(ledger, header, recipient, *number)) {
                    ++waiting[recipient].records;
                    waiting[recipient].bytes += header.body_bytes;
                }
                return true;
            });
            number = state.held.after(record->run.last);
        }
    }
    return std::optional<RecordPlace>{};
}

namespace {

Result<ReportView> view_without_words(const Ledger& ledger, const storage::ReportKey& key) {
    const auto progress = TRY(ledger.store().report(key));
    const auto record =
        progress ? TRY(ledger.store().record_until(progress->arrival, WithBody::yes))
                 : TRY(ledger.store().record(log_of(key), key.origin.number, WithBody::yes));
    if (record) {
        for (auto& view : TRY(views_of(ledger, *record))) {
            if (view.key == key || !progress) {
                return std::move(view);
            }
        }
    }
    if (!progress || key.author != ledger.us()) {
        return fail(Errc::not_found, "no such record here");
    }
    // The disk lost it (lost_records.h): its page says how far it has come.
    ReportView view;
    view.key = key;
    view.arrival = progress->arrival;
    view.header.log = log_of(key);
    view.entry.emplace().box = Box::outbox;
    TRY(add_state(ledger, view));
    return view;
}

}  // namespace

Result<ReportView> view_of(const Ledger& ledger, const storage::ReportKey& key) {
    auto view = TRY(view_without_words(ledger, key));
    TRY(add_words(ledger, view));
    return view;
}

Result<Bytes> attachment_part(const Ledger& ledger, const storage::ReportKey& key,
                              std::size_t attachment, std::uint64_t offset, std::size_t size) {
    const auto view = TRY(view_without_words(ledger, key));
    if (!view.report || attachment >= view.report->attachments.size()) {
        return fail(Errc::not_found, "no such attachment here");
    }
    auto from = view.attachments_from + offset;
    for (std::size_t i = 0; i < attachment; ++i) {
        from += view.report->attachments[i].size;
    }
    const auto whole = view.report->attachments[attachment].size;
    const auto left = whole - std::min<std::uint64_t>(whole, offset);
    const auto record = TRY(ledger.store().record(view.record.arrival, WithBody::yes));
    if (!record) {
        return fail(Errc::not_found, "no such record here");
    }
    return attachment_bytes(ledger, *record, *view.entry, from,
                            static_cast<std::size_t>(std::min<std::uint64_t>(left, size)));
}

}  // namespace fieldpost::engine
