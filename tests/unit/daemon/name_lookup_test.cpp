// Goal: names are found in the background, and addresses are no names. Method: the names that every
// machine has, and one that none has (RFC 6761).
#include "daemon/link/name_lookup.h"

#include <poll.h>

#include <catch2/catch.hpp>

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
    names.ask(7, "tcp://localhost:6743");
    const auto found = answer_of(names);
    CHECK(found.ticket == 7);
    const bool is_loopback =
        found.endpoint == "tcp://127.0.0.1:6743" || found.endpoint == "tcp://[::1]:6743";
    CHECK(is_loopback);
    names.ask(8, "tcp://nobody.invalid:6743");
    const auto missing = answer_of(names);
    CHECK(missing.ticket == 8);
    CHECK(missing.endpoint.empty());
}
