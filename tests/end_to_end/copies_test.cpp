// Goal: a home that was put back, or that runs on two machines, loses no report, and its people are
// told what to do.
// Method: real offices; a home is copied while its daemon is down, and both copies run by turns.
#include <catch2/catch.hpp>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

namespace fs = std::filesystem;

bool has_item(const Office& at, const std::string& what) {
    return std::ranges::any_of(at.ask({"attention"}),
                               [&](const Json& item) { return item["what"] == what; });
}

std::size_t count_at(const Office& at, const std::string& text) {
    std::size_t count = 0;
    for (const auto& one : at.ask({"list", "--inbox", "--all-versions"})) {
        count += at.ask({"show", one["id"]})["text"] == text ? 1 : 0;
    }
    return count;
}

// The office writes nothing for some seconds after it was caught, in case that a peer knows of one
// more life.
std::string queue_soon(const Office& at, const std::string& text) {
    std::string id;
    REQUIRE(eventually([&] {
        const auto ran = at.run({"queue", "--to", "hq"}, text);
        id = ran.out.substr(0, ran.out.find('\n'));
        CHECK((ran.exit_code == 0 || ran.exit_code == 1));
        return ran.exit_code == 0;
    }));
    return id;
}

std::string deliver_soon(const Office& at, const std::string& text) {
    const auto id = queue_soon(at, text);
    REQUIRE(at.run({"wait", id, "--for", "delivered", "--timeout", "30s"}).exit_code == 0);
    return id;
}

}  // namespace

TEST_CASE("a home that runs twice loses no report, and a person says which copy goes on",
          "[end_to_end][revocation]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    CHECK(hyesan.deliver({"--to", "hq"}, "both have it") == "hyesan-1");
    CHECK(hyesan.run({"continue"}).exit_code == 5);
    hyesan.stop();
    auto& copy = network.bare("copy");
    fs::remove_all(copy.home());
    fs::copy(hyesan.home(), copy.home(), fs::copy_options::recursive);
    hyesan.start();
    CHECK(hyesan.deliver({"--to", "hq"}, "of the first") == "hyesan-2");
    hyesan.stop();

    // The copy uses the number again, and goes on by itself when it hears of it.
    copy.start();
    const auto same = queue_soon(copy, "사본이 쓴 보고서");
    REQUIRE(eventually([&] { return has_item(copy, "restored"); }));
    const auto goes_on = deliver_soon(copy, "later");
    CHECK(goes_on.starts_with("hyesan.2-"));
    REQUIRE(eventually([&] { return count_at(hq, "사본이 쓴 보고서") == 1; }));
    CHECK(count_at(hq, "of the first") == 1);
    CHECK(has_item(hq, "began_anew"));
    REQUIRE(copy.run({"wait", same, "--for", "delivered", "--timeout", "30s"}).exit_code == 0);
    CHECK(same == (same.starts_with("hyesan.2-") ? same : "hyesan-2"));
    // Both sides find it, each by the ID that it shows.
    CHECK(copy.ask({"show", same})["text"] == "사본이 쓴 보고서");
    copy.stop();

    // The first machine meets the new incarnation, and draws one above it.
    hyesan.start();
    REQUIRE(eventually([&] { return has_item(hyesan, "restored"); }));
    CHECK(deliver_soon(hyesan, "of the first again").starts_with("hyesan.3-"));
    hyesan.stop();

    copy.start();
    REQUIRE(eventually([&] { return has_item(copy, "stopped"); }));
    const auto refused = copy.run({"queue", "--to", "hq", "--json"}, "x");
    CHECK(refused.exit_code == 5);
    CHECK(copy.show({"status"}).out.find("stopped") != std::string::npos);
    CHECK(copy.show({"attention"}).out.find("fieldpost continue") != std::string::npos);
    const auto done = copy.ask({"continue"});
    CHECK(done["office"] == "hyesan");
    CHECK(done["incarnation"] == 4);
    CHECK_FALSE(has_item(copy, "stopped"));
    CHECK(copy.deliver({"--to", "hq"}, "settled").starts_with("hyesan.4-"));
    for (const auto* text : {"both have it", "of the first", "사본이 쓴 보고서", "later",
                             "of the first again", "settled"}) {
        INFO(text);
        CHECK(count_at(hq, text) == 1);
    }
}
