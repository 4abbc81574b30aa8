// Goal: what headquarters export is what the offices wrote, in files that other programs read, and
// an export with a cursor tells every change, whatever is killed.
// Method: two real offices; files are read back by Python's own readers; the command and the daemon
// are killed.
#include <fmt/format.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <random>
#include <thread>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

struct Headquarters {
    Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");

    std::string deliver(const Words& words, const std::string& text) {
        return hyesan.deliver(words, text);
    }
    [[nodiscard]] std::filesystem::path file(const std::string& name) const {
        return network.folder() / name;
    }
};

// A reader that keeps everything. It knows for each report its newest text,
// state, correction and answers.
struct Reader {
    std::map<std::string, Json> reports;  // by hash
    std::set<std::pair<std::string, std::string>> answers;
    std::map<std::string, Json> reasons;  // of withdrawals
    std::set<std::string> forgotten;
    std::uint64_t changes = 0;

    void take(const std::string& text) {
        for (const auto& line : documents_in(text)) {
            ++changes;
            const auto hash = line["hash"].get<std::string>();
            if (line["op"] == "report") {
                reports[hash] = line;
            } else if (line["op"] == "replaced") {
                reports.at(hash)["replaced_by"] = line["replaced_by"];
            } else if (line["op"] == "withdrawn") {
                reports.at(hash)["withdrawn_at"] = line["at"];
                reasons[hash] = line["reason"];
            } else if (line["op"] == "forgotten") {
                forgotten.insert(hash);
            } else if (line["op"] == "answer") {
                answers.emplace(hash, line["answer_id"].get<std::string>());
            } else if (line["op"] == "state") {
                reports.at(hash)["recipient_states"][line["office"].get<std::string>()] =
                    line["state"];
            } else {
                FAIL_CHECK("an op that nobody knows: " << line["op"]);
            }
        }
    }
    // Nothing that `list --all-versions` shows is unknown, or known otherwise.
    void compare(const Office& office) const {
        for (const auto& entry : office.ask({"list", "--all-versions"})) {
            CAPTURE(entry["id"]);
            const auto known = reports.find(entry["hash"].get<std::string>());
            REQUIRE(known != reports.end());
            CHECK(known->second["replaced_by"] == entry["replaced_by"]);
            CHECK(known->second["withdrawn_at"] == entry["withdrawn_at"]);
            CHECK(forgotten.contains(known->first) == !entry["forgotten_at"].is_null());
            if (entry["box"] == "outbox") {
                CHECK(known->second["recipient_states"] == entry["recipient_states"]);
            }
        }
    }
};

Json python(const std::string& script, const std::filesystem::path& file) {
    const auto ran = run({.words = {"/usr/bin/python3", "-c", script, file.string()}});
    CAPTURE(ran);
    REQUIRE(ran.exit_code == 0);
    return Json::parse(ran.out);
}

constexpr auto read_csv =
    "import csv, json, sys\n"
    "rows = list(csv.reader(open(sys.argv[1], encoding='utf-8-sig', newline='')))\n"
    "print(json.dumps([dict(zip(rows[0], row)) for row in rows[1:]]))\n";
constexpr auto read_csv_with_semicolons =
    "import csv, json, sys\n"
    "rows = list(csv.reader(open(sys.argv[1], encoding='utf-8-sig', newline=''), delimiter=';'))\n"
    "print(json.dumps([dict(zip(rows[0], row)) for row in rows[1:]]))\n";
// openpyxl leaves numbers of characters as they are.
constexpr auto read_workbook =
    "import json, openpyxl, re, sys\n"
    "def plain(v):\n"
    "    return re.sub('_x([0-9A-F]{4})_', lambda m: chr(int(m[1], 16)), v)"
    " if isinstance(v, str) else v\n"
    "book = openpyxl.load_workbook(sys.argv[1])\n"
    "print(json.dumps({sheet.title: [[plain(v) for v in row] for row in"
    " sheet.iter_rows(values_only=True)]"
    " for sheet in book}))\n";

// A row of a sheet by the names of its columns.
Json row_of(const Json& sheet, std::size_t number) {
    Json row;
    for (std::size_t i = 0; i < sheet[0].size(); ++i) {
        row[sheet[0][i].get<std::string>()] = sheet[number][i];
    }
    return row;
}

}  // namespace

TEST_CASE("an export has what was written, in every format", "[end_to_end]") {
    Headquarters at;
    const auto text =
        std::string("주간 보고: \"석고\" 없음; =SUM(A1)\n둘째 줄, _x0041_ a\rb \xef\xbf\xbe\n");
    at.deliver(
        {"--to", "hq", "--type", "weekly", "--field", "week=2026-W46", "--field", "note=neuf",
         "--field", "count=12", "--field", "code=007", "--staff", "김은희", "--subject", "=cmd"},
        text);
    const auto first = at.deliver({"--to", "hq", "--type", "camp/day"}, "Plâtre : ");
    const auto second = at.deliver({"--to", "hq", "--type", "camp/day", "--replaces", first,
                                    "--field", "Count=3", "--field", "\"; drop=1"},
                                   "corrigé");
    REQUIRE(at.hq.run({"ack", second, "--outcome", "correct", "--note", "-3 manque"}).exit_code ==
            0);

    const auto csv = at.file("reports.csv");
    REQUIRE(at.hq.run({"export", "--output", csv.string()}).exit_code == 0);
    const auto rows = python(read_csv, csv);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0]["id"] == "hyesan-1");
    CHECK(rows[0]["text"] == text);
    CHECK(rows[0]["subject"] == "'=cmd");
    CHECK(rows[0]["staff"] == "김은희");
    CHECK(rows[0]["week"] == "2026-W46");
    CHECK(rows[0]["code"] == "007");
    CHECK(rows[0]["note"] == "");
    CHECK(rows[1]["note"] == "'-3 manque");
    CHECK(rows[1]["outcome"] == "correct");
    CHECK(rows[1]["replaces"] == first);
    CHECK(rows[1]["\"; drop"] == "1");
    CHECK(rows[0]["hash"] == at.hq.ask({"show", "hyesan-1"})["hash"]);
    const bool has_both_counts = rows[0].contains("count") && rows[1].size() == rows[0].size();
    CHECK(has_both_counts);

    const auto french = at.file("french.csv");
    REQUIRE(at.hq.run({"export", "--delimiter", ";", "--all-versions", "--output", french.string()})
                .exit_code == 0);
    const auto with_semicolons = python(read_csv_with_semicolons, french);
    REQUIRE(with_semicolons.size() == 3);
    CHECK(with_semicolons[0]["text"] == text);
    CHECK(with_semicolons[1]["replaced_by"] == second);

    const auto workbook = at.file("reports.xlsx");
    REQUIRE(at.hq.run({"export", "--format", "xlsx", "--output", workbook.string()}).exit_code ==
            0);
    const auto sheets = python(read_workbook, workbook);
    const auto weekly = row_of(sheets["weekly"], 1);
    // U+FFFE cannot stand in XML.
    CHECK(weekly["text"] ==
          "주간 보고: \"석고\" 없음; =SUM(A1)\n둘째 줄, _x0041_ a\rb \xef\xbf\xbd\n");
    CHECK(weekly["subject"] == "=cmd");
    CHECK(weekly["count"] == 12);
    CHECK(weekly["code"] == "007");
    CHECK(row_of(sheets["camp_day"], 1)["text"] == "corrigé");
    CHECK(sheets["camp_day"].size() == 2);
    CHECK(sheets.contains("about"));

    const auto printed = at.hq.run({"export", "--format", "jsonl", "--type", "weekly"});
    const auto lines = documents_in(printed.out);
    REQUIRE(lines.size() == 1);
    auto shown = at.hq.ask({"show", "hyesan-1"});
    for (const auto& [key, value] : shown.items()) {
        CAPTURE(key);
        CHECK(lines[0][key] == value);
    }
    CHECK(lines[0]["op"] == "report");
    CHECK(printed.err.find("1 reports, up to change ") != std::string::npos);
}

TEST_CASE("attachments lie under their sums, and under names for people", "[end_to_end]") {
    Headquarters at;
    const auto photo = random_bytes(2'500'000);
    write_file(at.file("사진.jpg"), photo);
    write_file(at.file("empty.txt"), "");
    at.deliver({"--to", "hq", "--attach", at.file("사진.jpg").string(), "--attach",
                at.file("empty.txt").string()},
               "사진");
    at.deliver({"--to", "hq", "--attach", at.file("사진.jpg").string()}, "또");
    const auto folder = at.file("attachments");
    std::filesystem::create_directory(folder);
    for (int i = 0; i < 2; ++i) {  // safe to repeat
        const auto ran =
            at.hq.run({"export", "--format", "jsonl", "--attachments", folder.string()});
        REQUIRE(ran.exit_code == 0);
        for (const auto& line : documents_in(ran.out)) {
            const auto sum = line["attachments"][0]["sha256"].get<std::string>();
            CHECK(read_file(folder / sum) == photo);
            CHECK(read_file(folder / line["id"].get<std::string>() / "사진.jpg") == photo);
        }
    }
    CHECK(read_file(folder / "hyesan-1" / "empty.txt").empty());
    // Two contents and two folders, and nothing that was begun.
    CHECK(std::distance(std::filesystem::directory_iterator(folder), {}) == 4);
}

TEST_CASE("an export with a cursor tells every change once", "[end_to_end]") {
    Headquarters at;
    const auto output = at.file("feed.jsonl").string();
    const auto cursor = at.file("cursor.json").string();
    const Words words = {"export", "--format", "jsonl", "--output", output, "--cursor", cursor};
    Reader reader;
    const auto read = [&] {
        REQUIRE(at.hq.run(words).exit_code == 0);
        reader.take(read_file(output));
        reader.compare(at.hq);
    };
    read();
    CHECK(reader.changes == 0);
    const auto first = at.deliver({"--to", "hq"}, "하나");
    read();
    CHECK(reader.changes == 1);
    const auto second = at.deliver({"--to", "hq", "--replaces", first}, "하나, 고침");
    REQUIRE(at.hq.run({"ack", second}).exit_code == 0);
    const auto own = at.hq.queue({"--to", "hyesan"}, "지시");
    REQUIRE(at.hq.run({"wait", own, "--for", "delivered", "--timeout", "30s"}).exit_code == 0);
    read();
    // Two reports, a correction, an answer, a state: carried and delivered are one change by now,
    // or two.
    CHECK(reader.changes >= 6);
    const auto before = reader.changes;
    read();
    CHECK(reader.changes == before);
    // The author's office tells of the answer too.
    Reader author;
    const auto has_heard = [&] {
        return at.hyesan.ask({"trace", second})["state"] == "acknowledged";
    };
    REQUIRE(eventually(has_heard));
    const auto other = at.file("other.json").string();
    REQUIRE(at.hyesan.run({"export", "--format", "jsonl", "--output", output, "--cursor", other})
                .exit_code == 0);
    author.take(read_file(output));
    author.compare(at.hyesan);
    CHECK(author.answers.size() == 1);
}

TEST_CASE("a cursor or a use that does not fit is one clear error", "[end_to_end]") {
    Headquarters at;
    const auto output = at.file("feed.jsonl").string();
    const auto cursor = at.file("cursor.json").string();
    const auto exit_of = [&](Words words) {
        words.insert(words.begin(), "export");
        const auto ran = at.hq.run(words);
        CAPTURE(ran);
        CHECK((ran.exit_code == 0 || std::ranges::count(ran.err, '\n') == 1));
        return ran.exit_code;
    };
    CHECK(exit_of({"--cursor", cursor, "--output", output}) == 2);
    CHECK(exit_of({"--cursor", cursor, "--format", "jsonl"}) == 2);
    CHECK(exit_of({"--format", "xlsx"}) == 2);
    CHECK(exit_of({"--delimiter", ";;"}) == 2);
    CHECK(exit_of({"--attachments", "/nonexistent"}) == 4);
    CHECK(exit_of({"--from", "nobody"}) == 4);
    CHECK(exit_of({"--format", "jsonl", "--cursor", cursor, "--output", output, "--unanswered"}) ==
          2);
    CHECK(exit_of({"--format", "jsonl", "--cursor", cursor, "--output", output}) == 0);
    CHECK(exit_of({"--format", "jsonl", "--cursor", cursor, "--output", output, "--inbox"}) == 6);
    write_file(cursor, "{");
    CHECK(exit_of({"--format", "jsonl", "--cursor", cursor, "--output", output}) == 6);
    write_file(cursor, R"({"place": "00", "filter": {}})");
    CHECK(exit_of({"--format", "jsonl", "--cursor", cursor, "--output", output}) == 6);
    CHECK(exit_of({"--format", "jsonl", "--cursor", cursor, "--output", "-"}) == 2);
    CHECK(exit_of({"--format", "jsonl", "--cursor", output, "--output", output}) == 2);
    CHECK(exit_of({"--output", at.network.folder().string()}) == 6);
    CHECK(exit_of({"--output", "/dev/null"}) == 6);
    // A folder that is gone, and a file that cannot be replaced.
    CHECK(exit_of({"--output", "/nonexistent/reports.csv"}) != 0);
}

TEST_CASE("an export that is killed leaves the old file and the old place", "[end_to_end]") {
    Headquarters at;
    at.hq.stop();
    for (int i = 0; i < 60; ++i) {
        at.hyesan.queue({"--to", "hq", "--subject", fmt::format("{}", i)}, std::string(2000, 'x'));
    }
    at.hq.start();
    REQUIRE(
        at.hyesan.run({"wait", "hyesan-60", "--for", "delivered", "--timeout", "30s"}).exit_code ==
        0);
    const auto output = at.file("feed.jsonl");
    const auto cursor = at.file("cursor.json");
    const Words words = {"export",        "--format", "jsonl",        "--output",
                         output.string(), "--cursor", cursor.string()};
    Reader reader;
    std::mt19937 dice(5);
    // FIELDPOST_KILLS=1000 goes on for longer.
    const auto* wanted = std::getenv("FIELDPOST_KILLS");
    const int kills = wanted == nullptr ? 50 : std::atoi(wanted);
    for (int i = 0; i < kills; ++i) {
        const auto old_place = std::filesystem::exists(cursor) ? read_file(cursor) : "";
        Program running(at.hq.command(words));
        std::this_thread::sleep_for(std::chrono::microseconds(dice() % 40'000));
        running.signal(SIGKILL);
        running.finish();
        const auto place = std::filesystem::exists(cursor) ? read_file(cursor) : "";
        // The place never goes ahead of what is on the disk.
        if (place != old_place) {
            reader.take(read_file(output));
        }
        if (i % 10 == 9) {
            const auto id = at.deliver({"--to", "hq"}, fmt::format("{}", i));
            if (i % 20 == 9) {
                REQUIRE(at.hyesan.run({"withdraw", id, "--reason", "오류"}).exit_code == 0);
            } else {
                REQUIRE(at.hq.run({"forget", id}).exit_code == 0);
            }
        }
    }
    REQUIRE(at.hq.run(words).exit_code == 0);
    reader.take(read_file(output));
    reader.compare(at.hq);
    CHECK(reader.reports.size() == static_cast<std::size_t>(60 + kills / 10));
    CHECK(reader.forgotten.size() == static_cast<std::size_t>(kills / 20));
    // The reason may come after the news of a withdrawal; then it was told once more.
    for (const auto& [hash, reason] : reader.reasons) {
        CHECK(reason == "오류");
    }
    for (const auto& entry : std::filesystem::directory_iterator(at.network.folder())) {
        CAPTURE(entry.path());
        CHECK(entry.path().extension() != ".part");
    }
}

TEST_CASE("a store that is put back tells all changes again", "[end_to_end]") {
    Headquarters at;
    at.deliver({"--to", "hq"}, "하나");
    const auto output = at.file("feed.jsonl").string();
    const auto cursor = at.file("cursor.json").string();
    const Words words = {"export", "--format", "jsonl", "--output", output, "--cursor", cursor};
    at.hq.stop();
    std::filesystem::copy(at.hq.home(), at.file("copy"), std::filesystem::copy_options::recursive);
    at.hq.start();
    at.deliver({"--to", "hq"}, "둘");
    REQUIRE(at.hq.run(words).exit_code == 0);
    CHECK(documents_in(read_file(output)).size() == 2);
    at.hyesan.stop();
    at.hq.stop();
    // The whole home, the marker too: nothing here can notice it.
    std::filesystem::remove_all(at.hq.home());
    std::filesystem::copy(at.file("copy"), at.hq.home(), std::filesystem::copy_options::recursive);
    at.hq.start();
    const auto again = at.hq.run(words);
    REQUIRE(again.exit_code == 0);
    CHECK(again.err.find("all changes come again") != std::string::npos);
    CHECK(documents_in(read_file(output)).size() == 1);
    // Another report gets the number of the change that was lost.
    at.hyesan.start();
    at.hyesan.queue({"--to", "hq"}, "셋");
    const auto has_come = [&] { return at.hq.ask({"list"}).size() == 2; };
    REQUIRE(eventually(has_come));
    // When the loss was noticed meanwhile, everything comes a third time.
    Reader reader;
    REQUIRE(at.hq.run(words).exit_code == 0);
    reader.take(read_file(output));
    CHECK(documents_in(read_file(output)).back()["text"] == "셋");
}
