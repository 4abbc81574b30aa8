// Goal: names are found in the background, and addresses are no names. Method: the names that every
// machine has, and one that none has (RFC 6761).
#include "daemon/link/name_lookup.h"

#include <poll.h>

#include <catch2/catch.hpp>
#include <future>

using namespace fieldpost;
using link::NameLookup;

namespace {

NameLookup::Answer answer_of(NameLookup& names) {
    pollfd ready{names.fd(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 60'000) == 1);
    const auto answers = names.take();
    REQUIRE(answers.size() == 1);
    return answers.front();
}

}  // namespace

TEST_CASE("only a name has to be looked up", "[link]") {
    CHECK(NameLookup::is_needed("tcp://hq.example.org:6743"));
    CHECK(NameLookup::is_needed("tcp://localhost:6743"));
    CHECK(NameLookup::is_needed("tcp://1.2.3:6743"));
    CHECK_FALSE(NameLookup::is_needed("tcp://10.8.0.1:6743"));
    CHECK_FALSE(NameLookup::is_needed("tcp://[fe80::1%eth0]:6743"));
    CHECK_FALSE(NameLookup::is_needed("tcp://"));
    CHECK_FALSE(NameLookup::is_needed("nonsense"));
}

TEST_CASE("a name is answered with an address, and one that is nobody's with none", "[link]") {
    NameLookup names;
    CHECK(names.take().empty());
    names.ask(7, "tcp://localhost:6743", link::Word::told);
    const auto found = answer_of(names);
    CHECK(found.ticket == 7);
    const bool is_loopback =
        found.endpoint == "tcp://127.0.0.1:6743" || found.endpoint == "tcp://[::1]:6743";
    CHECK(is_loopback);
    names.ask(8, "tcp://nobody.invalid:6743", link::Word::by_hand);
    const auto missing = answer_of(names);
    CHECK(missing.ticket == 8);
    CHECK(missing.endpoint.empty());
}

TEST_CASE("names that others told, with a silent server, leave places for those set by hand",
          "[link]") {
    std::promise<void> server;
    NameLookup names([answers = server.get_future().share()](const std::string& host) {
        if (host != "hq.example.org") {
            answers.wait();
        }
        return std::vector<std::string>{"192.0.2.1"};
    });
    for (std::uint64_t i = 0; i < 5; ++i) {
        names.ask(i, "tcp://silent.example.org:6743", link::Word::told);
    }
    names.ask(5, "tcp://silent.example.org:6743", link::Word::told);
    const auto put_off = answer_of(names);
    CHECK(put_off.ticket == 5);
    CHECK(put_off.is_put_off);
    CHECK(put_off.endpoint.empty());
    names.ask(6, "tcp://hq.example.org:6743", link::Word::by_hand);
    const auto found = answer_of(names);
    CHECK(found.ticket == 6);
    CHECK_FALSE(found.is_put_off);
    CHECK(found.endpoint == "tcp://192.0.2.1:6743");
    // Silent names that are set by hand have an end as well.
    for (std::uint64_t i = 7; i < 10; ++i) {
        names.ask(i, "tcp://silent.example.org:6743", link::Word::by_hand);
    }
    names.ask(10, "tcp://hq.example.org:6743", link::Word::by_hand);
    CHECK(answer_of(names).is_put_off);
    server.set_value();
    for (int answers = 0; answers < 8;) {
        pollfd ready{names.fd(), POLLIN, 0};
        REQUIRE(::poll(&ready, 1, 60'000) == 1);
        for (const auto& answer : names.take()) {
            CHECK(answer.endpoint == "tcp://192.0.2.1:6743");
            ++answers;
        }
    }
    // The places are free again.
    names.ask(11, "tcp://hq.example.org:6743", link::Word::told);
    CHECK(answer_of(names).ticket == 11);
}
