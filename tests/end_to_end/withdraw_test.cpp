// Goal: what people take back or forget is gone where they expect it to be gone, and everybody who
// has read it is told. Method: two real offices; the command as people and programs use it.
#include <catch2/catch.hpp>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

struct TwoOffices {
    Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");

    std::string deliver(const Words& words, const std::string& text) {
        return hyesan.deliver(words, text);
    }
    void hear_withdrawal(const std::string& id) {
        const auto has_come = [&] { return !hq.ask({"show", id})["withdrawal_reason"].is_null(); };
        REQUIRE(eventually(has_come));
    }
};

}  // namespace

TEST_CASE("a report that was read is taken back with a reason, and lists leave it out",
          "[withdraw]") {
    TwoOffices at;
    const auto wrong = at.deliver({"--to", "hq", "--subject", "환자 기록"}, "다른 환자의 기록");
    const auto right = at.deliver({"--to", "hq", "--subject", "주간 보고"}, "물리치료 20명");
    const auto asked_for = at.hq.queue({"--to", "hyesan"}, "자료 요청");
    REQUIRE(eventually([&] { return at.hyesan.run({"ack", asked_for}).exit_code == 0; }));
    const auto not_ours = at.hq.run({"withdraw", wrong, "--reason", "x"});
    CHECK(not_ours.exit_code == 5);
    CHECK(at.hyesan.run({"withdraw", wrong}).exit_code == 2);
    CHECK(at.hyesan.run({"withdraw", wrong, "--reason", ""}).exit_code == 6);
    CHECK(at.hyesan.run({"withdraw", wrong, "--reason", std::string(4097, 'r')}).exit_code == 6);
    // One bad ID, and nothing is done.
    CHECK(at.hyesan.run({"withdraw", right, "hyesan-99", "--reason", "x"}).exit_code == 4);
    const auto answer = at.hyesan.run({"withdraw", right, "hyesan-r1", "--reason", "x"});
    CHECK(answer.exit_code == 5);
    CHECK(answer.err.find("is no report") != std::string::npos);
    CHECK(at.hyesan.ask({"show", right})["withdrawn_at"].is_null());

    const auto done = at.hyesan.run({"withdraw", wrong, "--reason", "다른 환자"});
    CHECK(done.exit_code == 0);
    CHECK(done.out.find("1 of 1 recipients has it") != std::string::npos);
    const auto again = at.hyesan.run({"withdraw", wrong, "--reason", "다시"});
    CHECK(again.exit_code == 0);
    CHECK(again.out.find("already") != std::string::npos);
    const auto json = at.hyesan.run({"--json", "withdraw", wrong, "--reason", "다시"});
    CHECK(Json::parse(json.out) == Json{{"id", wrong}, {"state", "delivered"}});
    at.hear_withdrawal(wrong);
    for (auto* office : {&at.hq, &at.hyesan}) {
        CHECK(ids_of(office->ask({"list", "--from", "hyesan"})) == std::vector{right});
        const auto entry = entry_of(office->ask({"list", "--all-versions"}), wrong);
        CHECK(entry["withdrawn_at"].is_string());
        CHECK(entry["state"] == "delivered");
        CHECK(office->ask({"trace", wrong})["withdrawal_id"] == "hyesan-r2");
        const auto shown = office->ask({"show", wrong});
        CHECK(shown["withdrawal_reason"] == "다른 환자");
        CHECK(shown["text"] == "다른 환자의 기록");
        CHECK(office->show({"trace", wrong}).out.find("다른 환자") != std::string::npos);
    }
    CHECK(at.hq.ask({"list", "--unanswered"}).size() == 1);
    CHECK(at.hq.ask({"status"})["inbox"]["unacknowledged"] == 1);
    const auto attention = at.hq.ask({"attention"});
    const auto item =
        std::ranges::find_if(attention, [](const Json& one) { return one["what"] == "withdrawn"; });
    REQUIRE(item != attention.end());
    CHECK((*item)["id"] == wrong);
    CHECK(at.hq.show({"attention"}).out.find("다른 환자") == std::string::npos);
    CHECK(at.hyesan.run({"queue", "--replaces", wrong}, "고침").exit_code == 6);
    // Nobody will answer it any more.
    CHECK(at.hyesan.run({"wait", wrong, "--for", "acknowledged", "--timeout", "30s"}).exit_code ==
          9);
}

TEST_CASE("whoever takes back a correction is told which version counts again", "[withdraw]") {
    TwoOffices at;
    const auto first = at.deliver({"--to", "hq"}, "석고 10kg");
    const auto second = at.deliver({"--replaces", first}, "석고 11kg");
    const auto third = at.deliver({"--replaces", second}, "석고 12kg");
    CHECK(entry_of(at.hq.ask({"list", "--all-versions"}), first)["replaced_by"] == third);
    const auto done = at.hyesan.run({"withdraw", third, "--reason", "x"});
    CHECK(done.err.find(second + " counts now") != std::string::npos);
    const auto wrong = at.hyesan.run({"queue", "--replaces", third}, "석고 13kg");
    CHECK(wrong.exit_code == 6);
    CHECK(wrong.err.find("--replaces " + second) != std::string::npos);
    at.hear_withdrawal(third);
    CHECK(ids_of(at.hq.ask({"list"})) == std::vector{second});
    const auto rest = at.hyesan.run({"withdraw", first, second, "--reason", "x"});
    CHECK(rest.exit_code == 0);
    at.hear_withdrawal(second);
    at.hear_withdrawal(first);
    CHECK(at.hq.ask({"list"}).empty());
    CHECK(at.hq.run({"export", "--format", "jsonl"}).out.empty());
}

TEST_CASE("a report that has not left yet never leaves", "[withdraw]") {
    TwoOffices at;
    at.hq.stop();
    const auto wrong = at.hyesan.queue({"--to", "hq"}, "잘못된 보고");
    const auto right = at.hyesan.queue({"--to", "hq"}, "맞는 보고");
    const auto done = at.hyesan.run({"withdraw", wrong, "--reason", "잘못"});
    CHECK(done.out.find("never left") != std::string::npos);
    const auto waited = at.hyesan.run({"wait", wrong, "--for", "delivered", "--timeout", "5s"});
    CHECK(waited.exit_code == 9);
    at.hq.start();
    REQUIRE(at.hyesan.run({"wait", right, "--for", "delivered", "--timeout", "30s"}).exit_code ==
            0);
    CHECK(ids_of(at.hq.ask({"list", "--all-versions"})) == std::vector{right});
    CHECK(at.hq.run({"show", wrong}).exit_code == 4);
    CHECK(at.hyesan.ask({"show", wrong})["reason"] == "withdrawn");
}

TEST_CASE("a forgotten report is listed without words, and cannot be shown", "[withdraw]") {
    TwoOffices at;
    const auto secret = at.deliver(
        {"--to", "hq", "--subject", "비밀 제목", "--type", "weekly", "--staff", "김은희"},
        "비밀 내용");
    const auto other = at.deliver({"--to", "hq"}, "다른 보고");
    REQUIRE(at.hq.run({"ack", secret, "--note", "비밀 답", "--staff", "박철수"}).exit_code == 0);
    REQUIRE(
        at.hyesan.run({"wait", secret, "--for", "acknowledged", "--timeout", "30s"}).exit_code ==
        0);
    for (auto* office : {&at.hq, &at.hyesan}) {
        const auto hash = office->ask({"show", secret})["hash"];
        CHECK(office->run({"forget", secret, "hyesan-99"}).exit_code == 4);
        CHECK(office->run({"show", secret}).exit_code == 0);
        const auto done = office->run({"--json", "forget", secret});
        CHECK(Json::parse(done.out) == Json{{"id", secret}});
        CHECK(office->run({"forget", secret}).exit_code == 0);
        CHECK(office->run({"show", secret}).exit_code == 4);
        CHECK(office->run({"show", other}).exit_code == 0);
        const auto entry = entry_of(office->ask({"list"}), secret);
        CHECK(entry["subject"].is_null());
        CHECK(entry["type"].is_null());
        CHECK(entry["preview"].is_null());
        CHECK(entry["hash"] == hash);
        CHECK(entry["forgotten_at"].is_string());
        const auto all =
            office->show({"list", "--all-versions"}).out + office->show({"trace", secret}).out;
        CHECK(all.find("비밀") == std::string::npos);
        CHECK(all.find("김은희") == std::string::npos);
        CHECK(all.find("박철수") == std::string::npos);
        const auto rows = office->run({"export", "--format", "jsonl"}).out;
        CHECK(rows.find("비밀") == std::string::npos);
        CHECK(std::ranges::count(rows, '\n') == 1);
        // As before after a restart, and its correspondent goes on.
        office->stop();
        office->start();
        CHECK(office->run({"show", secret}).exit_code == 4);
    }
    at.deliver({"--to", "hq"}, "그 다음 보고");
    at.hq.stop();
    const auto waiting = at.hyesan.queue({"--to", "hq"}, "가는 중");
    const auto refused = at.hyesan.run({"forget", waiting});
    CHECK(refused.exit_code == 5);
    CHECK(refused.err.find("withdraw") != std::string::npos);
    REQUIRE(at.hyesan.run({"withdraw", waiting, "--reason", "그만"}).exit_code == 0);
    CHECK(at.hyesan.run({"forget", waiting}).exit_code == 0);
}
