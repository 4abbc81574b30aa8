#include "sink/feeder.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/attachments.h"
#include "cli/export/attachment_files.h"
#include "cli/json.h"
#include "cli/reports.h"
#include "cli/text.h"
#include "cli/words.h"
#include "proto/bytes.h"
#include "proto/control.pb.h"
#include "proto/typed.h"

namespace fieldpost::sink {

namespace fs = std::filesystem;

namespace {

constexpr int tries_max = 2;  // each waits for half a minute; whoever stops this waits too
constexpr std::size_t reason_bytes_max = 500;

// PostgreSQL takes no NUL in a text. No report of ours has one, and a member may write its own.
std::string clean(const std::string& text) {
    std::string out;
    for (const char c : text) {
        if (c == '\0') {
            out += "\xef\xbf\xbd";
        } else {
            out.push_back(c);
        }
    }
    return out;
}

Value text_or_null(const std::string& text) {
    return text.empty() ? Value() : Value(clean(text));
}

Value time_or_null(std::int64_t unix_seconds) {
    return unix_seconds == 0 ? Value() : Value(cli::rfc3339(unix_seconds));
}

Value number(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

std::string fields_of(const wire::Entry& entry) {
    auto fields = nlohmann::ordered_json::object();
    for (const auto& field : entry.fields()) {
        fields[clean(field.key())] = clean(field.value());
    }
    return cli::json_text(fields);
}

std::string json_of(const std::set<std::string>& texts) {
    return nlohmann::json(texts).dump();
}

// True if the entry has words that the database may keep.
bool has_words(const wire::Entry& entry) {
    return entry.is_open() && entry.forgotten_unix_s() == 0;
}

}  // namespace

Done<std::string> Feeder::begin() {
    if (auto loaded = forms_.load(); !loaded) {
        return std::unexpected(loaded.error());
    }
    show_views();
    const auto rows =
        database_->ask("SELECT place FROM progress WHERE source = $1", {number(identity_.source)});
    if (!rows) {
        return std::unexpected(rows.error());
    }
    if (rows->empty()) {
        return std::string();
    }
    const auto place = from_hex(rows->front()[0]);
    return place ? std::string(as_text(*place)) : std::string();
}

cli::Outcome<void> Feeder::take(const wire::Feed& feed) {
    const auto items = items_of(feed);
    if (!items) {
        return std::unexpected(items.error());
    }
    Done<void> done;
    for (int tries = 0; tries < tries_max; ++tries) {
        done = take_together(feed, *items);
        if (!done && done.error().kind == Trouble::Kind::row) {
            done = take_one_by_one(feed, *items);
        }
        if (done || done.error().kind != Trouble::Kind::again) {
            break;
        }
    }
    if (!done) {
        return std::unexpected(failure_of(done.error()));
    }
    taken_ += items->size();
    show_views();
    return {};
}

void Feeder::show_views() {
    const auto shown = forms_.show();
    views_trouble_ = shown ? "" : shown.error().what;
}

// The hash of a report that the office cannot open any more is the one that the database knows.
// Empty: nobody knows one.
Done<std::string> Feeder::hash_of(const wire::Entry& entry) {
    if (!entry.hash().empty()) {
        return to_hex(as_bytes(entry.hash()));
    }
    const auto known = database_->ask(
        "SELECT hash FROM report WHERE author = $1 AND number = $2 AND incarnation = $3 AND class "
        "= $4",
        {number(entry.author()), number(entry.number()), number(entry.incarnation()),
         cli::word_of(entry.priority())});
    if (!known) {
        return std::unexpected(known.error());
    }
    return known->size() == 1 ? known->front()[0] : std::string();
}

Done<bool> Feeder::is_forgotten(const std::string& hash) {
    const auto known =
        database_->ask("SELECT 1 FROM report WHERE hash = $1 AND forgotten_at IS NOT NULL", {hash});
    return known ? Done<bool>(!known->empty()) : std::unexpected(known.error());
}

// The office is asked before a transaction begins: nobody waits for its files.
cli::Outcome<std::vector<Feeder::Item>> Feeder::items_of(const wire::Feed& feed) {
    std::vector<Item> items;
    for (const auto& change : feed.changes()) {
        const auto& entry = change.entry();
        const auto hash = hash_of(entry);
        if (!hash) {
            return std::unexpected(failure_of(hash.error()));
        }
        if (hash->empty()) {
            continue;  // a report that was never read here
        }
        Item item{&change, *hash};
        const bool has_files = change.op() == "report" && entry.attachments_size() > 0;
        const auto forgotten = has_files ? is_forgotten(*hash) : Done<bool>(false);
        if (!forgotten) {
            return std::unexpected(failure_of(forgotten.error()));
        }
        if (has_files && !*forgotten) {
            auto sums = attachments_.empty() ? cli::sums_of(*common_, entry)
                                             : cli::save_attachments(*common_, attachments_, entry);
            if (sums) {
                item.sums = std::move(*sums);
            } else if (sums.error().code != cli::unreadable_attachment &&
                       sums.error().exit != exit_not_found) {
                return std::unexpected(sums.error());
            }
        }
        items.push_back(std::move(item));
    }
    return items;
}

Done<void> Feeder::roll_back(Trouble trouble) {
    database_->run("ROLLBACK");
    (void)database_->flush();
    (void)forms_.load();
    return std::unexpected(std::move(trouble));
}

Done<void> Feeder::take_together(const wire::Feed& feed, const std::vector<Item>& items) {
    sink::begin(*database_);
    auto done = give_names(items);
    Touched touched;
    for (const auto& item : items) {
        if (done) {
            done = write(item, touched);
        }
    }
    if (done) {
        move_on(feed);
        derive(touched);
        done = remove_files(touched);
    }
    if (done) {
        database_->run("COMMIT");
        done = database_->flush();
    }
    return done ? done : roll_back(std::move(done.error()));
}

// After one row was refused: that one is noted, and all others are taken in.
Done<void> Feeder::take_one_by_one(const wire::Feed& feed, const std::vector<Item>& items) {
    sink::begin(*database_);
    move_on(feed);
    auto done = give_names(items);
    Touched all;
    std::uint64_t rejected = 0;
    for (const auto& item : items) {
        if (!done) {
            break;
        }
        database_->run("SAVEPOINT one");
        Touched touched;
        done = write(item, touched);
        if (done) {
            derive(touched);
            done = database_->flush();
        }
        if (done) {
            all.files.merge(touched.files);
            all.ids.merge(touched.ids);
        }
        if (!done && done.error().kind == Trouble::Kind::row) {
            database_->run("ROLLBACK TO SAVEPOINT one");
            database_->run(
                "INSERT INTO rejected (hash, source, change, reason) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (source, change) DO UPDATE SET hash = excluded.hash, reason = "
                "excluded.reason",
                {item.hash, number(identity_.source), number(item.change->number()),
                 clean(std::string(cut_text(done.error().what, reason_bytes_max)))});
            ++rejected;
            done = database_->flush();
        }
        database_->run("RELEASE SAVEPOINT one");
    }
    done = done ? remove_files(all) : done;
    if (done) {
        database_->run("COMMIT");
        done = database_->flush();
    }
    if (!done) {
        return roll_back(std::move(done.error()));
    }
    rejected_ += rejected;
    return {};
}

Done<void> Feeder::give_names(const std::vector<Item>& items) {
    std::map<std::string, std::vector<std::string>> wanted;
    for (const auto& item : items) {
        const auto& entry = item.change->entry();
        if (item.change->op() != "report" || entry.type().empty()) {
            continue;
        }
        std::vector<std::string> fields;  // in the order of the form
        for (const auto& field : entry.fields()) {
            fields.push_back(clean(field.key()));
        }
        if (!forms_.has(clean(entry.type()), fields)) {
            auto& of_type = wanted[clean(entry.type())];
            of_type.insert(of_type.end(), fields.begin(), fields.end());
        }
    }
    return wanted.empty() ? Done<void>{} : forms_.give(wanted);
}

Done<void> Feeder::write(const Item& item, Touched& touched) {
    const auto& change = *item.change;
    const auto& entry = change.entry();
    touched.all.insert(item.hash);
    if (change.op() == "report") {
        write_report(item, touched);
        write_attachments(item);
    } else {
        const bool is_replaced = change.op() == "replaced";
        if (is_replaced) {
            touched.versions.insert(item.hash);
            database_->run(
                "UPDATE seen SET replaced_by = $1 WHERE hash = $2 AND source = $3",
                {text_or_null(entry.replaced_by()), item.hash, number(identity_.source)});
        }
        database_->run(
            "UPDATE seen SET change = $1, state = $2 WHERE hash = $3 AND source = $4",
            {number(change.number()), entry.state(), item.hash, number(identity_.source)});
    }
    if (change.op() == "answer") {
        write_answer(item);
    }
    const bool is_withdrawn = change.op() == "withdrawn" || entry.withdrawn_unix_s() != 0;
    if (is_withdrawn) {
        const auto is_op = change.op() == "withdrawn";
        const auto at = time_or_null(is_op ? change.at_unix_s() : entry.withdrawn_unix_s());
        const auto& reason = is_op ? change.reason() : entry.withdrawal_reason();
        // The withdrawal itself, which has the reason, knows the time better than a statement.
        database_->run(reason.empty()
                           ? "UPDATE report SET withdrawn_at = COALESCE(withdrawn_at, $1) WHERE "
                             "hash = $2"
                           : "UPDATE report SET withdrawn_at = $1, withdrawal_reason = CASE WHEN "
                             "forgotten_at IS NULL THEN $3 END WHERE hash = $2",
                       reason.empty() ? std::vector<Value>{at, item.hash}
                                      : std::vector<Value>{at, item.hash, clean(reason)});
        // The version that it replaced may count again.
        touched.versions.insert(item.hash);
    }
    if (change.op() == "forgotten" || entry.forgotten_unix_s() != 0) {
        return forget(item, touched);
    }
    return {};
}

// The content of a report is written once. Where one office could not read it and another can, the
// words come later.
void Feeder::write_report(const Item& item, Touched& touched) {
    const auto& entry = item.change->entry();
    const bool is_open = has_words(entry);
    const auto words = [&](const std::string& text) {
        return is_open ? Value(clean(text)) : Value();
    };
    const auto received = time_or_null(entry.received_unix_s());
    database_->run(
        "INSERT INTO report (hash, network, id, author, incarnation, class, number, box, type, "
        "form_version, office, recipients, subject, text, staff, priority, created_at, utc_offset, "
        "clock_doubtful, fields, reply_to, replaces, first_received_at) VALUES ($1, $2, $3, $4, "
        "$5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23) "
        "ON CONFLICT (hash) DO UPDATE SET type = excluded.type, form_version = "
        "excluded.form_version, subject = excluded.subject, text = excluded.text, staff = "
        "excluded.staff, utc_offset = excluded.utc_offset, fields = excluded.fields, reply_to = "
        "excluded.reply_to, replaces = excluded.replaces WHERE report.text IS NULL AND "
        "excluded.text IS NOT NULL AND report.forgotten_at IS NULL",
        {item.hash,
         identity_.network_id,
         entry.id(),
         number(entry.author()),
         number(entry.incarnation()),
         cli::word_of(entry.priority()),
         number(entry.number()),
         cli::word_of(entry.box()),
         text_or_null(entry.type()),
         entry.form_version() == 0 ? Value() : number(entry.form_version()),
         entry.from(),
         fmt::format("{}", fmt::join(entry.to(), ", ")),
         words(entry.subject()),
         words(entry.text()),
         is_open ? text_or_null(entry.staff()) : Value(),
         cli::word_of(entry.priority()),
         time_or_null(entry.created_unix_s()),
         entry.has_utc_offset_min() ? Value(cli::offset_text(entry.utc_offset_min())) : Value(),
         entry.clock_doubtful(),
         is_open ? Value(fields_of(entry)) : Value(),
         text_or_null(entry.reply_to()),
         text_or_null(entry.replaces()),
         received});
    database_->run(
        "INSERT INTO seen (hash, source, change, received_at, state, box, replaced_by) VALUES "
        "($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hash, source) DO UPDATE SET change = "
        "excluded.change, received_at = excluded.received_at, state = excluded.state, box = "
        "excluded.box, replaced_by = excluded.replaced_by",
        {item.hash, number(identity_.source), number(item.change->number()), received,
         entry.state(), cli::word_of(entry.box()), text_or_null(entry.replaced_by())});
    if (!entry.replaced_by().empty() || !entry.replaces().empty()) {
        touched.versions.insert(item.hash);
    }
}

void Feeder::write_attachments(const Item& item) {
    const auto& entry = item.change->entry();
    if (!has_words(entry)) {
        return;
    }
    for (int i = 0; i < entry.attachments_size(); ++i) {
        const auto& file = entry.attachments(i);
        const auto place = static_cast<std::size_t>(i);
        const auto sum = place < item.sums.size() ? item.sums[place] : "";
        const auto path = sum.empty() || attachments_.empty() ? "" : (attachments_ / sum).string();
        database_->run(
            "INSERT INTO attachment (hash, n, name, size_bytes, media_type, sha256, path) SELECT "
            "$1, CAST($2 AS bigint), $3, CAST($4 AS bigint), $5, $6, $7 WHERE NOT EXISTS (SELECT 1 "
            "FROM report WHERE hash = $1 AND forgotten_at IS NOT NULL) ON CONFLICT (hash, n) DO "
            "UPDATE SET sha256 = "
            "COALESCE(attachment.sha256, excluded.sha256), path = COALESCE(attachment.path, "
            "excluded.path) WHERE attachment.name IS NOT NULL",
            {item.hash, number(static_cast<std::uint64_t>(i)), clean(file.name()),
             number(file.size_bytes()), text_or_null(cli::media_type_of(file.name())),
             text_or_null(sum), text_or_null(path)});
    }
}

void Feeder::write_answer(const Item& item) {
    const auto& change = *item.change;
    database_->run(
        "INSERT INTO answer (hash, answer_id, office, outcome, note, staff, at, source, author) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (hash, answer_id) DO UPDATE SET "
        "note = COALESCE(answer.note, excluded.note), staff = COALESCE(answer.staff, "
        "excluded.staff)",
        {item.hash, change.answer_id(), change.office(),
         text_or_null(cli::word_of(change.outcome())), text_or_null(change.note()),
         text_or_null(change.staff()), time_or_null(change.at_unix_s()), number(identity_.source),
         number(change.office_index())});
    database_->run(
        "UPDATE answer SET note = NULL, staff = NULL WHERE hash = $1 AND EXISTS (SELECT 1 FROM "
        "report WHERE hash = $1 AND forgotten_at IS NOT NULL)",
        {item.hash});
}

Done<void> Feeder::forget(const Item& item, Touched& touched) {
    const auto at = item.change->op() == "forgotten" ? item.change->at_unix_s()
                                                     : item.change->entry().forgotten_unix_s();
    database_->run(
        "UPDATE report SET forgotten_at = COALESCE(forgotten_at, $1), subject = NULL, text = NULL, "
        "staff = NULL, fields = NULL, withdrawal_reason = NULL WHERE hash = $2",
        {time_or_null(at), item.hash});
    database_->run("UPDATE answer SET note = NULL, staff = NULL WHERE hash = $1", {item.hash});
    const auto files =
        database_->ask("SELECT path FROM attachment WHERE hash = $1 AND path = $2 || '/' || sha256",
                       {item.hash, attachments_.string()});
    if (!files) {
        return std::unexpected(files.error());
    }
    for (const auto& row : *files) {
        touched.files.insert(row[0]);
    }
    touched.ids.insert(item.change->entry().id());
    // A file that lies elsewhere is not this program's to remove: its path stays, for people.
    database_->run(
        "UPDATE attachment SET name = NULL, media_type = NULL, path = CASE WHEN path = $2 || '/' "
        "|| sha256 THEN NULL ELSE path END, sha256 = NULL WHERE hash = $1",
        {item.hash, attachments_.string()});
    return {};
}

// Removes the files of forgotten reports before the commit: if this ends in between, the change
// comes again. A content that another report has too stays.
Done<void> Feeder::remove_files(const Touched& touched) {
    for (const auto& path : touched.files) {
        const auto others =
            database_->ask("SELECT 1 FROM attachment WHERE path = $1 LIMIT 1", {path});
        if (!others) {
            return std::unexpected(others.error());
        }
        std::error_code error;
        if (others->empty() && !fs::remove(path, error) && error) {
            fmt::print(stderr, "fieldpost-sink: {} cannot be removed: {}\n", cli::safe_line(path),
                       error.message());
        }
    }
    for (const auto& id : touched.ids) {
        if (!attachments_.empty() && !id.empty() && !id.contains('/') && !id.starts_with('.')) {
            std::error_code ignored;
            fs::remove_all(attachments_ / id, ignored);
        }
    }
    return database_->flush();
}

// Derives from the rows, whoever brought them and in whatever order, which version counts and which
// reports wait for an answer.
void Feeder::derive(const Touched& touched) {
    const std::string texts = database_->dialect().texts;
    const auto derive_waiting = [&](const std::string& selected, const std::string& hashes) {
        database_->run(fmt::format("DELETE FROM waiting WHERE hash IN ({})", selected), {hashes});
        database_->run(
            fmt::format(
                "INSERT INTO waiting (hash, created_at) SELECT r.hash, r.created_at FROM report r "
                "WHERE r.hash IN ({}) AND r.replaced_by IS NULL AND r.withdrawn_at IS NULL AND "
                "r.forgotten_at IS NULL AND r.text IS NOT NULL AND EXISTS (SELECT 1 FROM seen s "
                "WHERE s.hash = r.hash AND s.box = 'inbox' AND s.state = 'delivered') AND NOT "
                "EXISTS (SELECT 1 FROM seen s WHERE s.hash = r.hash AND s.box = 'inbox' AND "
                "s.state = 'acknowledged') AND NOT EXISTS (SELECT 1 FROM answer a JOIN progress p "
                "ON "
                "p.source = a.author WHERE a.hash = r.hash) ON CONFLICT DO NOTHING",
                selected),
            {hashes});
    };
    if (!touched.versions.empty()) {
        // With the reports that the touched ones replace: a version that was withdrawn replaces
        // none.
        const auto selected = fmt::format(
            "{0} UNION SELECT s.hash FROM seen s JOIN report n ON n.id = s.replaced_by WHERE "
            "n.hash IN ({0})",
            texts);
        const auto versions = json_of(touched.versions);
        database_->run(
            fmt::format(
                "UPDATE report SET replaced_by = (SELECT s.replaced_by FROM seen s LEFT JOIN "
                "report n ON n.id = s.replaced_by WHERE s.hash = report.hash AND s.replaced_by IS "
                "NOT NULL AND n.withdrawn_at IS NULL ORDER BY n.created_at IS NULL, n.created_at "
                "DESC, "
                "s.replaced_by DESC LIMIT 1) WHERE hash IN ({})",
                selected),
            {versions});
        derive_waiting(selected, versions);
    }
    derive_waiting(texts, json_of(touched.all));
}

void Feeder::move_on(const wire::Feed& feed) {
    const auto change =
        feed.changes_size() > 0 ? feed.changes(feed.changes_size() - 1).number() : feed.newest();
    database_->run(
        "INSERT INTO progress (network, source, feed_id, change, place, office, at) VALUES ($1, "
        "$2, $3, $4, $5, $6, $7) ON CONFLICT (source) DO UPDATE SET feed_id = excluded.feed_id, "
        "change "
        "= excluded.change, place = excluded.place, office = excluded.office, at = excluded.at",
        {identity_.network_id, number(identity_.source), to_hex(as_bytes(feed.feed_id())),
         number(change), to_hex(as_bytes(feed.place())), identity_.office,
         cli::rfc3339(cli::unix_now())});
}

}  // namespace fieldpost::sink
