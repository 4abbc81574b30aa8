// Goal: on the word of others nothing of this machine is dialled, however its address is written.
// Method: spellings of addresses, judged without a network.
#include "daemon/link/told_address.h"

#include <catch2/catch.hpp>
#include <set>

using namespace fieldpost::link;

namespace {

const Addresses ours = [] {
    Addresses all;
    std::array<std::byte, 16> one{};
    one[10] = one[11] = std::byte{0xff};
    one[12] = std::byte{10};
    one[15] = std::byte{7};
    all.insert(one);  // 10.0.0.7
    return all;
}();

bool is_dialled(const std::string& endpoint, const Trust& trust) {
    return why_not_dialled(endpoint, trust, ours).empty();
}

}  // namespace

TEST_CASE("an announced address of this machine is not dialled, however it is spelt", "[link]") {
    for (const auto* endpoint : {"tcp://127.0.0.1:2222",
                                 "tcp://127.9.9.9:2222",
                                 "tcp://0x7f.1:2222",
                                 "tcp://127.1:2222",
                                 "tcp://2130706433:2222",
                                 "tcp://0177.0.0.1:2222",
                                 "tcp://[::1]:2222",
                                 "tcp://::1:2222",
                                 "tcp://[::ffff:127.0.0.1]:2222",
                                 "tcp://[::ffff:7f00:1]:2222",
                                 "tcp://[::127.0.0.1]:2222",
                                 "tcp://[0:0:0:0:0:0:0:1]:2222",
                                 "tcp://0.0.0.0:2222",
                                 "tcp://0:2222",
                                 "tcp://[::]:2222",
                                 "tcp://10.0.0.7:2222",
                                 "tcp://[::ffff:10.0.0.7]:2222",
                                 "tcp://[::1%lo]:2222",
                                 "tcp://[[::1]]:2222",
                                 "tcp://[%]:2222"}) {
        CAPTURE(endpoint);
        CHECK_FALSE(is_dialled(endpoint, {.word = Word::told}));
        CHECK_FALSE(is_dialled(endpoint, {.word = Word::heard, .is_proved = true}));
        CHECK(is_dialled(endpoint, {}));
    }
}

TEST_CASE("an announced address that means no single machine is not dialled", "[link]") {
    for (const auto* endpoint :
         {"tcp://224.0.0.1:6743", "tcp://239.255.67.43:6743", "tcp://255.255.255.255:6743",
          "tcp://[ff02::1]:6743", "tcp://[ff12::6743]:6743", "tcp://hq.example.org:6743",
          "tcp://localhost:6743"}) {
        CAPTURE(endpoint);
        CHECK_FALSE(is_dialled(endpoint, {.word = Word::told}));
        CHECK_FALSE(is_dialled(endpoint, {.word = Word::told, .is_on_one_machine = true}));
    }
}

TEST_CASE("a link-local address is dialled if it was heard, and not if it was told", "[link]") {
    for (const auto* endpoint : {"tcp://169.254.1.2:6743", "tcp://[fe80::1%lo]:6743",
                                 "tcp://[fe80::1]:6743", "tcp://[febf::1%lo]:6743"}) {
        CAPTURE(endpoint);
        CHECK_FALSE(is_dialled(endpoint, {.word = Word::told}));
        CHECK(is_dialled(endpoint, {.word = Word::heard}));
    }
}

TEST_CASE("a port of another service is not dialled before an office answered there", "[link]") {
    for (const auto* endpoint : {"tcp://192.0.2.1:22", "tcp://[2001:db8::1]:443"}) {
        CAPTURE(endpoint);
        for (const auto word : {Word::told, Word::heard}) {
            CHECK_FALSE(is_dialled(endpoint, {.word = word}));
            CHECK(is_dialled(endpoint, {.word = word, .is_proved = true}));
        }
    }
    CHECK(is_dialled("tcp://192.0.2.1:1024", {.word = Word::told}));
    CHECK(is_dialled("tcp://[2001:db8::1]:6743", {.word = Word::told}));
    CHECK(is_dialled("tcp://127.0.0.1:6743", {.word = Word::told, .is_on_one_machine = true}));
    CHECK(is_dialled("tcp://10.0.0.7:6743", {.word = Word::told, .is_on_one_machine = true}));
}

TEST_CASE("a proxy is asked for names, and not for its own machine", "[link]") {
    const auto is_asked_for = [](const std::string& endpoint, const Trust& trust) {
        return why_not_asked_for(endpoint, trust, ours).empty();
    };
    constexpr Trust told{.word = Word::told};
    CHECK(is_asked_for("tcp://abcdefgh.onion:6743", told));
    CHECK(is_asked_for("tcp://192.0.2.1:6743", told));
    for (const auto* endpoint :
         {"tcp://localhost:6743", "tcp://LocalHost.:6743", "tcp://a.localhost:6743",
          "tcp://127.0.0.1:6743", "tcp://0x7f.1:6743", "tcp://[::ffff:127.0.0.1]:6743",
          "tcp://169.254.1.2:6743", "tcp://abcdefgh.onion:25"}) {
        CAPTURE(endpoint);
        CHECK_FALSE(is_asked_for(endpoint, told));
        CHECK(is_asked_for(endpoint, {}));
    }
}

TEST_CASE("an address is written one way, and a name is none", "[link]") {
    CHECK(numeric_endpoint("tcp://0x7f.1:6743") == "tcp://127.0.0.1:6743");
    CHECK(numeric_endpoint("tcp://[0:0::1]:6743") == "tcp://[::1]:6743");
    CHECK(numeric_endpoint("tcp://[::ffff:10.0.0.2]:6743") == "tcp://10.0.0.2:6743");
    CHECK(numeric_endpoint("tcp://10.0.0.2:6743") == "tcp://10.0.0.2:6743");
    CHECK_FALSE(numeric_endpoint("tcp://localhost:6743"));
    CHECK_FALSE(numeric_endpoint("tcp://[%]:6743"));
    CHECK(is_loopback("tcp://127.0.0.1:6743"));
    CHECK(is_loopback("tcp://[::1]:6743"));
    CHECK_FALSE(is_loopback("tcp://10.0.0.2:6743"));
    CHECK_FALSE(is_loopback("tcp://hq.example.org:6743"));
}
