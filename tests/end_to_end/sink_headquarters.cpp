#include "tests/end_to_end/sink_headquarters.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

namespace fieldpost::end_to_end {

namespace fs = std::filesystem;

Command sink_command(const Office& office, const std::string& dsn, Words more) {
    Words words{FIELDPOST_SINK_BIN, dsn, "--home", office.home().string()};
    words.insert(words.end(), more.begin(), more.end());
    return {.words = std::move(words)};
}

void feed(const Office& office, const std::string& dsn, const Words& more) {
    const auto ran = run(sink_command(office, dsn, more));
    INFO(ran);
    REQUIRE(ran.exit_code == 0);
}

bool is_sqlite(const std::string& dsn) {
    return dsn.starts_with("sqlite:");
}

namespace {

std::string text_of(const Json& value) {
    return value.is_null() ? "" : value.get<std::string>();
}

std::set<sink::Row> set_of(std::vector<sink::Row> rows) {
    std::set<sink::Row> all(rows.begin(), rows.end());
    CHECK(all.size() == rows.size());
    return all;
}

// A time as `show` writes it.
std::string time_in(const std::string& dsn, const std::string& column) {
    return is_sqlite(dsn)
               ? column
               : fmt::format("to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
                             column);
}

}  // namespace

Expected expected_of(const Office& office) {
    Expected expected;
    Words ids = {"--json", "show"};
    Words traced = {"--json", "trace"};
    std::set<std::string> forgotten;
    for (const auto& entry : office.ask({"list", "--limit", "0", "--all-versions"})) {
        traced.push_back(entry["id"]);
        if (entry["forgotten_at"].is_null()) {
            ids.push_back(entry["id"]);
        } else {
            forgotten.insert(entry["hash"]);
            expected.reports.insert({entry["id"], entry["hash"], "", "", "", "{}", "",
                                     text_of(entry["withdrawn_at"]), "forgotten"});
        }
    }
    for (const auto& entry : documents_in(office.run(ids).out)) {
        expected.reports.insert({entry["id"], entry["hash"], text_of(entry["subject"]),
                                 entry["text"], text_of(entry["staff"]), entry["fields"].dump(),
                                 text_of(entry["replaced_by"]), text_of(entry["withdrawn_at"]),
                                 ""});
        for (const auto& file : entry["attachments"]) {
            expected.attachments.insert(
                {entry["hash"], file["name"], file["sha256"], file["size_bytes"].dump()});
        }
    }
    for (const auto& entry : office.ask({"list", "--limit", "0", "--unanswered"})) {
        expected.unanswered.insert(entry["id"]);
    }
    for (const auto& trace : documents_in(office.run(traced).out)) {
        const std::string hash = trace["hash"];
        for (const auto& one : trace["recipients"]) {
            if (!one["outcome"].is_null()) {
                const bool is_forgotten = forgotten.contains(hash);
                expected.answers.insert({hash, one["office"], one["outcome"],
                                         is_forgotten ? "" : text_of(one["note"]),
                                         is_forgotten ? "" : text_of(one["staff"])});
            }
        }
    }
    return expected;
}

std::set<sink::Row> reports_in(const std::string& dsn) {
    auto found = rows(
        dsn, fmt::format("SELECT id, hash, subject, text, staff, fields, replaced_by, {}, CASE "
                         "WHEN forgotten_at IS NULL THEN '' ELSE 'forgotten' END FROM report",
                         time_in(dsn, "withdrawn_at")));
    for (auto& row : found) {
        row[5] = row[5].empty() ? "{}" : Json::parse(row[5]).dump();
        if (!row[8].empty()) {
            row[6].clear();  // `list` does not say what replaced a report that was forgotten
        }
    }
    return set_of(std::move(found));
}

void check_equal(const Office& office, const std::string& dsn, const fs::path& attachments) {
    auto expected = expected_of(office);
    CHECK(reports_in(dsn) == expected.reports);
    CHECK(set_of(rows(dsn,
                      "SELECT hash, name, sha256, size_bytes FROM attachment WHERE name IS "
                      "NOT NULL")) == expected.attachments);
    std::set<std::string> waiting;
    for (const auto& row : rows(dsn, "SELECT id FROM waiting_for_answer")) {
        CHECK(waiting.insert(row[0]).second);
    }
    CHECK(waiting == expected.unanswered);
    CHECK(set_of(rows(dsn, "SELECT hash, office, outcome, note, staff FROM answer")) ==
          expected.answers);
    for (const auto& form : rows(dsn, "SELECT type, view FROM sink_form")) {
        const auto current =
            rows(dsn, "SELECT id FROM report_current WHERE type = " + sink::quoted(form[0]));
        const auto shown = rows(dsn, "SELECT id FROM " + sink::quoted_name(form[1]));
        CHECK(set_of(shown) == set_of(current));
    }
    for (const auto& row : rows(dsn,
                                "SELECT sha256, size_bytes, path FROM attachment WHERE name "
                                "IS NOT NULL")) {
        if (!attachments.empty()) {
            CHECK(fs::path(row[2]) == attachments / row[0]);
            CHECK(std::to_string(fs::file_size(row[2])) == row[1]);
        }
    }
    CHECK(rows(dsn, "SELECT * FROM rejected").empty());
}

void Headquarters::live(unsigned round) const {
    const auto number = std::to_string(round);
    const auto photo = network.folder() / ("사진 " + number + ".jpg");
    write_file(photo, random_bytes(3000 + round));
    const auto a = deliver({"--to", "hq", "--type", "stock", "--field", "plaster=" + number,
                            "--field", "note=\"; drop", "--subject", "재고 " + number},
                           "석고 " + number);
    const auto b =
        deliver({"--to", "hq", "--type", round % 2 == 0 ? "stock" : "weekly", "--field",
                 "week " + number + "=x", "--attach", photo.string(), "--staff", "김은희"},
                "b");
    REQUIRE(hq.run({"ack", a, "--outcome", "correct", "--note", "몇 개? " + number, "--staff",
                    "박철수"})
                .exit_code == 0);
    const auto c = deliver({"--replaces", a, "--type", "stock", "--field", "plaster=0.5"},
                           "correction " + number);
    if (round % 3 == 0) {
        REQUIRE(hyesan.run({"withdraw", c, "--reason", "오류"}).exit_code == 0);
        REQUIRE(eventually([&] { return !hq.ask({"show", c})["withdrawal_reason"].is_null(); }));
    } else if (round % 3 == 1) {
        REQUIRE(hq.run({"forget", b}).exit_code == 0);
    }
    hq.queue({"--to", "hyesan"}, "answer " + number);
}

}  // namespace fieldpost::end_to_end
