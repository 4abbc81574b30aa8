// Goal: a list is true: it never shows more than was asked for, never hides that there is more, and
// shows answers and corrections where people look.
// Method: two real offices; reports that travelled as one record, and the command on pipes and on a
// terminal.
#include <catch2/catch.hpp>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

struct Pair {
    Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");

    void deliver(const std::string& id) {
        REQUIRE(hyesan.run({"wait", id, "--for", "delivered", "--timeout", "30s"}).exit_code == 0);
    }
    void deliver_answers(const std::string& id) {
        REQUIRE(hyesan.run({"wait", id, "--for", "acknowledged", "--timeout", "30s"}).exit_code ==
                0);
    }
    void hear_answer(const std::string& id, const std::string& outcome) {
        const auto has_come = [&] {
            return hyesan.ask({"trace", id})["recipients"][0]["outcome"] == outcome;
        };
        REQUIRE(eventually(has_come));
    }
};

}  // namespace

TEST_CASE("a limit is a number of reports, whatever record they travelled in", "[lists]") {
    Pair at;
    at.hq.stop();
    for (int i = 0; i < 16; ++i) {
        at.hyesan.queue({"--to", "hq", "--subject", "주간 보고"}, "물리치료 20명");
    }
    at.hq.start();
    at.deliver("hyesan-16");
    for (const auto* box : {"--inbox", "--outbox"}) {
        auto& office = std::string(box) == "--inbox" ? at.hq : at.hyesan;
        CHECK(office.ask({"list", box, "--limit", "1"}).size() == 1);
        CHECK(ids_of(office.ask({"list", box, "--limit", "1"})).front() == "hyesan-16");
        CHECK(office.ask({"list", box, "--limit", "6"}).size() == 6);
        CHECK(office.ask({"list", box, "--limit", "0"}).size() == 16);
        // From page to page each comes once.
        std::vector<std::string> seen;
        for (Words page = {"list", box, "--limit", "5"};;) {
            auto ids = ids_of(office.ask(page));
            if (ids.empty()) {
                break;
            }
            page = {"list", box, "--limit", "5", "--before", ids.front()};
            seen.insert(seen.begin(), ids.begin(), ids.end());
        }
        CHECK(seen == ids_of(office.ask({"list", box})));
    }
    const auto whole = at.hq.show({"list", "--limit", "6"});
    CHECK(std::ranges::count(whole.out, '\n') == 7);
    CHECK(whole.err.find("6 of 16, newest last") != std::string::npos);
    const auto filtered = at.hq.show({"list", "--state", "delivered", "--limit", "6"});
    CHECK(filtered.err.find("6 of 16, newest last") != std::string::npos);
    const auto searched = at.hq.show({"list", "--grep", "20", "--limit", "6"});
    CHECK(searched.err.find("The last 6; there are more") != std::string::npos);
    CHECK(filtered.err.find("--before hyesan-11") != std::string::npos);
    CHECK(at.hq.show({"list", "--state", "delivered", "--limit", "16"}).err.empty());
    // The list of carried records has pages, too.
    auto& relay = at.network.add(at.hq, "pyongyang", "relay");
    at.hq.stop();
    const auto first = at.hyesan.queue({"--to", "hq"}, "하나");
    at.hyesan.queue({"--to", "hq", "--priority", "bulk"}, "둘");
    const auto carries_both = [&] { return relay.ask({"list", "--carried"}).size() == 2; };
    REQUIRE(eventually(carries_both));
    const auto newest = ids_of(relay.ask({"list", "--carried", "--limit", "1"}));
    REQUIRE(newest.size() == 1);
    CHECK(relay.ask({"list", "--carried", "--before", newest.front()}).size() == 1);
    // And the carrier can say for whom a record is, since when it has it, and what comes next.
    const auto trace = relay.ask({"trace", first});
    CHECK(trace["state"] == "carried");
    CHECK(trace["recipients"][0]["office"] == "hq");
    CHECK(trace["recipients"][0]["state"] == "carried");
    CHECK(trace["recipients"][0]["carried_at"].is_string());
    CHECK(trace["events"].size() == 1);
    const auto traced = relay.run({"trace", first});
    CHECK(traced.out.find("held here; no receipt of hq") != std::string::npos);
    CHECK(traced.out.find("Next: this office meets hq") != std::string::npos);
}

TEST_CASE("the name that a list gives to a carried run is an ID for other commands", "[lists]") {
    Pair at;
    auto& relay = at.network.add(at.hq, "pyongyang", "relay");
    relay.stop();
    at.hq.stop();
    for (int i = 0; i < 12; ++i) {
        at.hyesan.queue({"--to", "hq"}, "석고 12kg");
    }
    relay.start();
    const auto carries_all = [&] {
        std::uint64_t count = 0;
        for (const auto& entry : relay.ask({"list", "--carried"})) {
            count += entry["count"].get<std::uint64_t>();
        }
        return count == 12;
    };
    REQUIRE(eventually(carries_all));
    const auto listed = relay.run({"list", "--carried"}).out;
    const auto dots = listed.find("..");
    REQUIRE(dots != std::string::npos);
    const auto begin = listed.rfind('\n', dots) + 1;
    const auto run = listed.substr(begin, listed.find(' ', dots) - begin);
    const auto traced = relay.run({"trace", run});
    CHECK(traced.exit_code == 0);
    CHECK(traced.out.starts_with(run + ": carried."));
    CHECK(relay.run({"show", run}).exit_code == 0);
    CHECK(relay.run({"trace", run + "9"}).exit_code == 4);
    // An office that can read the run must name each report.
    CHECK(at.hyesan.run({"trace", "hyesan-1..12"}).exit_code == 4);
}

TEST_CASE("the longest names fit 80 columns, and no ID is cut", "[lists]") {
    const std::string name = "north-hamgyong-rehabilitation-ct";
    Network network;
    auto& hq = network.found();
    auto& office = network.add(hq, name, "field");
    const auto id =
        office.queue({"--to", "hq", "--subject", "stock of the week", "--priority", "bulk"}, "1");
    REQUIRE(office.run({"wait", id, "--for", "delivered", "--timeout", "30s"}).exit_code == 0);
    REQUIRE(hq.run({"ack", id, "--outcome", "correct", "--note", "count again"}).exit_code == 0);
    const auto has_come = [&] { return office.ask({"attention"}).size() >= 1; };
    REQUIRE(eventually(has_come));
    const auto check_width = [&](const Ran& ran, std::size_t limit) {
        INFO(ran.out);
        CHECK(ran.exit_code == 0);
        std::istringstream lines(ran.out);
        for (std::string line; std::getline(lines, line);) {
            CHECK(line.size() <= limit);
        }
    };
    for (const auto& words :
         std::vector<Words>{{"list"}, {"trace", id}, {"status"}, {"peers"}, {"attention"}}) {
        check_width(hq.run(words), 80);
        check_width(office.run(words), 80);
    }
    const auto listed = hq.run({"list"}).out;
    CHECK(listed.find(id) != std::string::npos);
    CHECK(listed.find("stock of the week") != std::string::npos);
    CHECK(office.run({"attention"}).out.find(id) != std::string::npos);
    CHECK(office.run({"trace", id}).out.find("count again") != std::string::npos);
    // A line of watch may be longer: it is cut nowhere.
    const auto watched = run({.words = {"/usr/bin/timeout", "2", FIELDPOST_BIN, "--home",
                                        office.home().string(), "watch", "--after", "0"}});
    INFO(watched.out << watched.err);
    CHECK(watched.out.find(id) != std::string::npos);
}

TEST_CASE("of two offices that answer differently both answers are kept, shown and told",
          "[lists]") {
    Pair at;
    auto& wonsan = at.network.add(at.hq, "wonsan", "hq");
    const auto id = at.hyesan.queue({"--to", "hq", "--to", "wonsan"}, "석고 12kg");
    REQUIRE(at.hyesan.run({"wait", id, "--for", "delivered", "--timeout", "30s"}).exit_code == 0);
    REQUIRE(at.hq.run({"ack", id, "--staff", "박철수"}).exit_code == 0);
    REQUIRE(wonsan.run({"ack", id, "--outcome", "refused", "--note", "재고 없음"}).exit_code == 0);
    at.deliver_answers(id);
    std::map<std::string, Json> outcomes;
    const auto trace = at.hyesan.ask({"trace", id});
    for (const auto& one : trace["recipients"]) {
        outcomes[one["office"].get<std::string>()] = one["outcome"];
    }
    CHECK(outcomes == std::map<std::string, Json>{{"hq", "accepted"}, {"wonsan", "refused"}});
    // In a list the answer counts that needs the author.
    CHECK(entry_of(at.hyesan.ask({"list"}), id)["outcome"] == "refused");
    const auto shown = at.hyesan.run({"show", id}).out;
    CHECK(shown.find("accepted by 박철수") != std::string::npos);
    CHECK(shown.find("재고 없음") != std::string::npos);
    const auto output = (at.network.folder() / "feed.jsonl").string();
    REQUIRE(at.hyesan
                .run({"export", "--format", "jsonl", "--output", output, "--cursor",
                      output + ".cursor"})
                .exit_code == 0);
    std::istringstream lines(read_file(output));
    std::set<std::string> told;
    for (std::string line; std::getline(lines, line);) {
        const auto change = Json::parse(line);
        if (change["op"] == "answer") {
            told.insert(change["office"].get<std::string>());
        }
    }
    CHECK(told == std::set<std::string>{"hq", "wonsan"});
}

TEST_CASE("an answer other than accepted is seen by its author, and by who gave it", "[lists]") {
    Pair at;
    const auto id = at.hyesan.queue({"--to", "hq", "--subject", "재고"}, "석고 12kg");
    const auto other = at.hyesan.queue({"--to", "hq"}, "둘째 보고의 첫 줄\n그리고 다음 줄");
    at.deliver(other);
    CHECK(at.hq.ask({"list", "--unanswered"}).size() == 2);
    at.hq.run({"ack", id, "--outcome", "correct", "--note", "날짜?", "--staff", "박철수"});
    at.hear_answer(id, "correct");
    CHECK(at.hq.ask({"list", "--unanswered"}).size() == 1);
    // The author: in lists, in attention.
    CHECK(entry_of(at.hyesan.ask({"list"}), id)["outcome"] == "correct");
    CHECK(at.hyesan.run({"list"}).out.find("acknowledged, correct") != std::string::npos);
    CHECK(ids_of(at.hyesan.ask({"list", "--outcome", "correct"})) == std::vector{id});
    const auto items = [&] { return at.hyesan.ask({"attention"}); };
    const auto has_item = [&](const std::string& what) {
        return std::ranges::any_of(items(), [&](const Json& item) {
            return item["what"] == what && item["id"] == id && item["office"] == "hq";
        });
    };
    CHECK(has_item("correct"));
    // The office that answered sees its own answer. A second answer names the first, which it
    // replaces.
    const auto own = at.hq.ask({"trace", id})["recipients"];
    REQUIRE(own.size() == 1);
    CHECK(own[0]["office"] == "hq");
    CHECK(own[0]["outcome"] == "correct");
    CHECK(own[0]["note"] == "날짜?");
    CHECK(at.hq.run({"show", id}).out.find("correct by 박철수, \"날짜?\"") != std::string::npos);
    const auto repeated =
        at.hq.run({"ack", id, "--outcome", "correct", "--note", "날짜?", "--staff", "박철수"});
    CHECK(repeated.exit_code == 0);
    CHECK(repeated.err.empty());
    const auto second = at.hq.run({"ack", id, "--outcome", "refused"});
    CHECK(second.err.find(id + " was answered before: correct by 박철수") != std::string::npos);
    at.hear_answer(id, "refused");
    CHECK(at.hyesan.ask({"trace", id})["recipients"][0]["answer_id"] == "hq-r2");
    CHECK_FALSE(has_item("correct"));
    CHECK(has_item("declined"));
    // A correction settles it; lists show the newest alone.
    const auto correction = at.hyesan.queue({"--replaces", id, "--subject", "재고"}, "석고 11kg");
    CHECK_FALSE(has_item("declined"));
    at.deliver(correction);
    for (const auto* office : {&at.hq, &at.hyesan}) {
        CHECK(ids_of(office->ask({"list"})) == std::vector{other, correction});
        CHECK(office->ask({"list", "--all-versions"}).size() == 3);
        CHECK(entry_of(office->ask({"list", "--all-versions"}), id)["replaced_by"] == correction);
    }
    const auto again = at.hyesan.run({"queue", "--replaces", id}, "석고 10kg");
    CHECK(again.exit_code == 6);
    CHECK(again.err.find("--replaces " + correction) != std::string::npos);
    // The first line stands for a missing subject.
    CHECK(entry_of(at.hq.ask({"list"}), other)["preview"] == "둘째 보고의 첫 줄");
    const auto reply = at.hq.queue({"--reply-to", correction}, "고맙습니다");
    CHECK(entry_of(at.hq.ask({"list"}), reply)["preview"] == "re: 재고");
    CHECK(ids_of(at.hq.ask({"list", "--grep", "11KG"})) == std::vector{correction});
    CHECK(at.hq.ask({"list", "--grep", "없는 말"}).empty());
    // A full-width bracket begins with the byte that a byte-order mark begins with.
    const auto bracket = at.hyesan.queue({"--to", "hq"}, "（주간）보고");
    CHECK(entry_of(at.hyesan.ask({"list"}), bracket)["preview"] == "（주간）보고");
    const auto marked = at.hyesan.queue({"--to", "hq"}, "\xef\xbb\xbf메모장");
    CHECK(entry_of(at.hyesan.ask({"list"}), marked)["preview"] == "메모장");
    const auto windows = at.hyesan.queue({"--to", "hq"}, "\xef\xbb\xbf주간\r\n환자 12명\r\n");
    CHECK(at.hyesan.show({"show", windows}).out.ends_with("\n주간\n환자 12명\n"));
    CHECK(at.hyesan.run({"show", windows, "--raw"}).out == "\xef\xbb\xbf주간\r\n환자 12명\r\n");
    const auto planned = at.hyesan.run({"doctor", windows});
    CHECK(planned.exit_code == 2);
    CHECK(planned.err.find("doctor is not in this release") != std::string::npos);
    // A key finds the report that was queued under it, though a second report has corrected it
    // since.
    const Words keyed = {"queue", "--key", "k1", "--replaces", marked};
    const auto once = at.hyesan.run(keyed, "둘째 판");
    CHECK(once.exit_code == 0);
    CHECK(at.hyesan.run(keyed, "둘째 판").out == once.out);
}
