#include "storage/migration.h"

#include <fmt/format.h>

#include "crypto/hash.h"
#include "proto/record.h"
#include "proto/register.h"
#include "storage/log_rows.h"
#include "storage/values.h"

namespace fieldpost::storage {

namespace {

// A store of schema 1. Its values have no version and no check.
class Schema1 {
public:
    static Result<Schema1> open(Tables& tables, const crypto::SealKey& seal_key) {
        Schema1 old(tables, seal_key);
        const auto meta = TRY(tables.get(Table::meta, as_bytes("office")));
        if (meta) {
            const auto page = TRY(decode_meta(*meta));
            old.us_ = page.office;
            old.network_ = page.network;
        }
        TRY(old.each(Table::registers, {}, [&](const TableEntry& entry) -> Result<void> {
            ByteReader in(entry.value);
            const auto one = TRY(read_register(in));
            const auto author = read_receipt_subject(one.key.subject);
            if (one.key.kind == static_cast<std::uint8_t>(RegisterKind::receipt) && author &&
                *author == old.us_) {
                old.receipts_.emplace(one.key.signer, TRY(decode_receipt(one.payload)));
            }
            return ok();
        }));
        TRY(old.each(Table::custody, {}, [&](const TableEntry& entry) -> Result<void> {
            ByteReader in(entry.value);
            old.custody_.push_back(TRY(read_custody(in)));
            return ok();
        }));
        return old;
    }

    // Calls `each` with every entry whose key begins with `prefix`. `each` may change the table
    // under these keys.
    template <class Each>
    Result<void> each(Table table, const Bytes& prefix, const Each& each) const {
        Bytes from = prefix;
        while (true) {
            const auto entry = TRY(tables_->at_or_after(table, from));
            if (!entry || entry->key.size() < prefix.size() ||
                !std::equal(prefix.begin(), prefix.end(), entry->key.begin())) {
                return ok();
            }
            from = entry->key;
            from.push_back(std::byte{0});
            TRY(each(*entry));
        }
    }

    // In schema 1 the key did not say what a record is to the report that it is filed with.
    Result<void> rename_answers(CheckedTables& tables) const {
        std::vector<Bytes> keys;
        TRY(each(Table::answers, {}, [&](const TableEntry& entry) -> Result<void> {
            keys.push_back(to_bytes(entry.key));
            return ok();
        }));
        for (const auto& key : keys) {
            const Arrival arrival{trailing_number(key)};
            const auto report = TRY(read_report_key(BytesView(key).first(key.size() - 8)));
            const bool is_answer = TRY(record_at(arrival)).log.record_class == RecordClass::reply;
            TRY(tables.erase(Table::answers, key));
            TRY(tables.put(
                Table::answers,
                filed_key(report, is_answer ? Filed::answer : Filed::correction, arrival),
                is_answer ? Bytes{} : Bytes(ReportHashPrefix::size)));
        }
        return ok();
    }

    // Takes enrolments out of their table. They will lie under their hashes.
    [[nodiscard]] Result<std::vector<std::pair<Bytes, Bytes>>> take_enrolments() const {
        std::vector<std::pair<Bytes, Bytes>> taken;
        TRY(each(Table::registers, {}, [&](const TableEntry& entry) -> Result<void> {
            ByteReader in(entry.value);
            const auto one = TRY(read_register(in));
            if (one.key.kind != static_cast<std::uint8_t>(RegisterKind::enrolment)) {
                return ok();
            }
            const auto hash = crypto::hash("register-id", network_, {signed_bytes(one)});
            taken.emplace_back(
                register_key(one.key.signer, one.key.kind, one.key.subject, short_hash(hash)),
                to_bytes(entry.value));
            return tables_->erase(Table::registers, entry.key);
        }));
        return taken;
    }

    // Joins events of one kind that one office caused to a report. The first event stays and counts
    // the others.
    Result<void> join_events(CheckedTables& tables) const {
        TRY(each(Table::report_events, {}, [&](const TableEntry& entry) {
            return tables_->erase(Table::report_events, entry.key);
        }));
        return each(Table::events, {}, [&](const TableEntry& entry) -> Result<void> {
            const auto value = to_bytes(entry.value);
            const auto event = TRY(open_event(*seal_key_, trailing_number(entry.key), value));
            if (!event.report) {
                return tables.put(Table::events, entry.key, value);
            }
            const auto name = report_event_key(*event.report, event.what, event.office);
            const auto before = TRY(tables.get(Table::report_events, name));
            if (!before) {
                TRY(tables.put(Table::report_events, name, entry.key));
                return tables.put(Table::events, entry.key, value);
            }
            const auto first_seq = trailing_number(*before);
            const auto stored = TRY(tables.get(Table::events, number_key(first_seq)));
            if (!stored) {
                return fail(Errc::corrupt, "store: a report's event is not there");
            }
            auto first = TRY(open_event(*seal_key_, first_seq, *stored));
            first.last = event.at;
            ++first.count;
            TRY(tables.put(Table::events, number_key(first_seq), seal_event(*seal_key_, first)));
            return tables_->erase(Table::events, entry.key);
        });
    }

    [[nodiscard]] Result<ReportProgress> progress_of(const ReportKey& report,
                                                     Arrival arrival) const {
        ReportProgress progress;
        progress.arrival = arrival;
        const auto record = TRY(record_at(arrival));
        const auto header = TRY(decode_header(record.header));
        // Both are known once the engine has opened the report.
        progress.type = other_type;
        progress.size_bytes = header.body_bytes;
        if (report.author == us_) {
            progress.box = Box::outbox;
            for (const auto& stanza : header.stanzas) {
                progress.recipients.push_back({.office = stanza.recipient});
            }
            TRY(add_events(report, progress));
            TRY(add_statements(report, progress));
        } else {
            progress.recipients.push_back(
                {.office = us_, .state = State::delivered, .delivered_at = record.received});
        }
        TRY(add_answers(report, progress));
        return progress;
    }

private:
    Schema1(Tables& tables, const crypto::SealKey& seal_key)
        : tables_(&tables), seal_key_(&seal_key) {}

    [[nodiscard]] Result<StoredRecord> record_at(Arrival arrival) const {
        const auto entry = TRY(
            tables_->at_or_before(Table::records, number_key(static_cast<std::uint64_t>(arrival))));
        if (!entry) {
            return fail(Errc::corrupt, "store: a report without its record");
        }
        auto record = TRY(decode_record(entry->value, WithBody::no));
        record.arrival = Arrival{trailing_number(entry->key)};
        return record;
    }

    static Recipient* recipient(ReportProgress& progress, OfficeId office) {
        const auto found = std::ranges::find(progress.recipients, office, &Recipient::office);
        return found == progress.recipients.end() ? nullptr : &*found;
    }

    // Adds the events that this office noted when something was proved.
    Result<void> add_events(const ReportKey& report, ReportProgress& progress) const {
        return each(Table::report_events, report_key(report),
                    [&](const TableEntry& entry) -> Result<void> {
                        const auto seq = trailing_number(entry.key);
                        const auto value = TRY(tables_->get(Table::events, number_key(seq)));
                        if (!value) {
                            return ok();
                        }
                        const auto event = TRY(open_event(*seal_key_, seq, *value));
                        auto* one = recipient(progress, event.office);
                        for (auto& any : progress.recipients) {
                            if (event.what == What::carried && any.carried_at == WallTime{}) {
                                any.carried_at = event.at;
                                any.carried_by = event.office;
                            }
                            if (event.what == What::expired && any.state == State::queued) {
                                any.state = State::expired;
                            }
                        }
                        if (event.what == What::delivered && one != nullptr) {
                            one->state = State::delivered;
                            one->delivered_at = event.at;
                        }
                        return ok();
                    });
    }

    // Adds what the newest statements of other offices prove beyond the events, and the states that
    // no statement proves.
    Result<void> add_statements(const ReportKey& report, ReportProgress& progress) const {
        const auto log = log_of(report);
        const auto number = report.origin.number;
        const auto state = TRY(tables_->get(Table::logs, log_key(log)));
        const bool is_terminal =
            state && TRY(decode_log_of_1(*state)).is_terminal({number, number});
        const auto is_of_log = [&](const auto& entry) {
            return entry.incarnation == log.incarnation && entry.record_class == log.record_class;
        };
        const bool is_carried = std::ranges::any_of(custody_, [&](const Custody& custody) {
            return std::ranges::any_of(custody.logs, [&](const auto& entry) {
                return is_of_log(entry) && entry.held.contains(number);
            });
        });
        for (auto& one : progress.recipients) {
            const auto receipt = receipts_.find(one.office);
            if (receipt != receipts_.end() && one.state != State::delivered) {
                for (const auto& entry : receipt->second.logs) {
                    if (is_of_log(entry) && entry.received.contains(number)) {
                        one.state = State::delivered;
                    } else if (is_of_log(entry) && entry.unreadable.contains(number)) {
                        one.state = State::failed;
                        one.reason = FailReason::unreadable;
                    } else if (is_of_log(entry) && one.state == State::queued &&
                               std::ranges::any_of(entry.refused, [&](const auto& refused) {
                                   return refused.second.contains(number);
                               })) {
                        one.state = State::failed;
                        one.reason = FailReason::refused;
                    }
                }
            }
            if (one.state == State::queued) {
                one.state = is_terminal  ? State::expired
                            : is_carried ? State::carried
                                         : State::queued;
            }
            if (one.state == State::queued) {
                one.carried_at = {};
                one.carried_by = {};
            }
        }
        return ok();
    }

    Result<void> add_answers(const ReportKey& report, ReportProgress& progress) const {
        return each(
            Table::answers, report_key(report), [&](const TableEntry& entry) -> Result<void> {
                const Arrival arrival{trailing_number(entry.key)};
                const auto record = TRY(record_at(arrival));
                const auto key = report_in(
                    record.log,
                    static_cast<Number>(record.run.first + static_cast<std::uint64_t>(arrival) -
                                        static_cast<std::uint64_t>(record.arrival)));
                if (TRY(decode_header(record.header)).kind ==
                    static_cast<std::uint8_t>(RecordKind::report)) {
                    progress.replaced_by = key;
                } else if (auto* one = recipient(progress, record.log.author)) {
                    one->state = State::acknowledged;
                    one->acknowledged_at = record.received;
                    one->answer = key.origin;
                }
                return ok();
            });
    }

    Tables* tables_;
    const crypto::SealKey* seal_key_;
    OfficeId us_{};
    NetworkId network_;
    std::map<OfficeId, Receipt> receipts_;
    std::vector<Custody> custody_;
};

}  // namespace

Result<void> migrate_from_1(CheckedTables& tables, const crypto::SealKey& seal_key) {
    auto& raw = tables.raw();
    const auto old = TRY(Schema1::open(raw, seal_key));
    // Reports first, while the rows from which they are derived still lie unchanged.
    TRY(old.each(Table::reports, {}, [&](const TableEntry& entry) -> Result<void> {
        const auto report = TRY(read_report_key(entry.key));
        const auto progress = TRY(old.progress_of(report, Arrival{trailing_number(entry.value)}));
        return tables.put(Table::reports, entry.key, encode(progress));
    }));
    // In schema 1 this table held the origins of the reports that were shown. The pages of reports
    // say that now.
    TRY(old.each(Table::log_pages, {}, [&](const TableEntry& entry) -> Result<void> {
        return tables.erase(Table::log_pages, entry.key);
    }));
    TRY(old.rename_answers(tables));
    const auto enrolments = TRY(old.take_enrolments());
    for (std::size_t i = 0; i < table_count; ++i) {
        const auto table = static_cast<Table>(i);
        // Parts of bodies are checked by their own hashes, and are nearly all of a store. If one
        // transaction wrote them again, the old and the new parts together would not fit.
        if (table == Table::reports || table == Table::parts || table == Table::log_pages ||
            table == Table::events || table == Table::report_events ||
            table == Table::waiting_for_keys || table == Table::answers) {
            continue;
        }
        TRY(old.each(table, {}, [&](const TableEntry& entry) -> Result<void> {
            if (table == Table::logs) {
                const auto log = TRY(read_log_key(entry.key));
                return write_log(tables, log, TRY(decode_log_of_1(entry.value)));
            }
            if (table == Table::partials) {
                return tables.put(table, entry.key, encode(TRY(decode_partial_of_1(entry.value))));
            }
            if (table == Table::archive) {
                const auto one = TRY(decode_archive_of_1(entry.value));
                if (one.waits_for_keys()) {
                    TRY(tables.put(Table::waiting_for_keys, entry.key, {}));
                }
                return tables.put(table, entry.key, encode(one));
            }
            const bool is_bare =
                table == Table::meta && std::ranges::equal(entry.key, as_bytes("schema"));
            return is_bare ? ok() : tables.put(table, entry.key, to_bytes(entry.value));
        }));
    }
    for (const auto& [key, value] : enrolments) {
        TRY(tables.put(Table::registers, key, value));
    }
    return old.join_events(tables);
}

}  // namespace fieldpost::storage
