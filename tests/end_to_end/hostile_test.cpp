// Goal: a stranger who can reach a daemon's port or socket costs it nothing and learns nothing.
// Method: a plain TCP client that sends no greeting, or half of one, or nothing; a daemon of
// another network that was told our address; clients of the control socket that are no fieldpost.
// Each time the office works on as before.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "crypto/roster.h"
#include "daemon/home/office_home.h"
#include "daemon/link/zmq_link.h"
#include "proto/sync_frames.h"
#include "tests/end_to_end/offices.h"

using namespace fieldpost;
using namespace fieldpost::end_to_end;
using namespace std::chrono_literals;

namespace {

// One end of a connection that keeps no rules.
class Intruder {
public:
    static Intruder to_port_of(const Office& office) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        const auto port = office.endpoint().substr(office.endpoint().rfind(':') + 1);
        address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return Intruder(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    static Intruder to_socket_of(const Office& office) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, (office.home() / "control").c_str());
        return Intruder(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    ~Intruder() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    Intruder(Intruder&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Intruder(const Intruder&) = delete;
    Intruder& operator=(const Intruder&) = delete;
    Intruder& operator=(Intruder&&) = delete;

    // As much as the other end takes.
    void say(std::string_view bytes) const {
        while (!bytes.empty()) {
            const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return;
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

private:
    Intruder(int family, const sockaddr* address, socklen_t size)
        : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        REQUIRE(::connect(fd_, address, size) == 0);
        const timeval patience{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    }
    int fd_;
};

// A greeting of ZMTP 3.1, as far as a mechanism of our choice.
std::string greeting(std::string_view mechanism) {
    std::string bytes = "\xff" + std::string(8, '\0') + "\x7f\x03";
    bytes += '\x01';
    bytes += mechanism;
    bytes.resize(64, '\0');
    return bytes;
}

void check_works(Office& from, Office& to) {
    CAPTURE(from.log(), to.log());
    const auto id = from.queue({"--to", to.name()}, "still here\n");
    REQUIRE(eventually([&] { return from.ask({"show", id}).at("state") == "delivered"; }));
    CHECK(to.run({"show", id, "--raw"}).out == "still here\n");
}

}  // namespace

TEST_CASE("garbage on the port does not hurt the daemon", "[end_to_end][link]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    const auto before = hq.ask({"roster"}).at("version");
    std::vector<Intruder> held;
    for (const auto& words : std::vector<std::string>{
             "", "\xff", "GET / HTTP/1.1\r\nHost: hq\r\n\r\n", random_bytes(64),
             random_bytes(5'000'000), std::string(100'000, '\0'), greeting("NULL"),
             greeting("CURVE"), greeting("PLAIN"), greeting("CURVE").substr(0, 30),
             greeting("CURVE") + random_bytes(200),
             // A command frame that says it is 8 EiB long.
             greeting("CURVE") + "\x06\x7f" + std::string(7, '\xff') + "HELLO",
             greeting("CURVE") + "\x04\xc8\x05HELLO" + random_bytes(194)}) {
        Intruder::to_port_of(hq).say(words);
        held.push_back(Intruder::to_port_of(hq));
        held.back().say(words);
    }
    // Some only connect, and stay.
    for (int i = 0; i < 100; ++i) {
        held.push_back(Intruder::to_port_of(hq));
    }
    check_works(hyesan, hq);
    check_works(hq, hyesan);
    // Also for a member that comes while they are still there.
    hyesan.stop();
    hyesan.start();
    check_works(hyesan, hq);
    CHECK(hq.ask({"roster"}).at("version") == before);
    CHECK(hq.ask({"peers"}).size() == 1);
}

namespace {

// stranger's hq was where our hq is now, so stranger dials us, again and again.
struct ChangedHands {
    ChangedHands() {
        its_hq.stop();
        hq.ask({"init", "hq", "--network", "reha", "--listen", its_hq.endpoint(), "--advertise",
                its_hq.endpoint()});
        hq.start();
        // After a restart its words about attempts are about attempts to us.
        stranger.stop();
        stranger.start();
    }
    // As stranger sees the hq that it knows.
    [[nodiscard]] Json peer() const { return stranger.ask({"peers"}).at(0); }
    // An answer came, and it did not let the stranger in.
    [[nodiscard]] bool was_turned_away() const {
        const auto seen = peer();
        return !seen.at("next_attempt_at").is_null() && seen.at("reason") != "no_answer";
    }

    Network other;
    Office& its_hq = other.found();
    Office& stranger = other.add(its_hq, "stranger", "field");
    Network network;
    Office& hq = network.bare("hq");
};

}  // namespace

namespace {

// Somebody with a machine of his own who knows hq's address and link key.
class Knocking {
public:
    explicit Knocking(const Office& office)
        : endpoint_(office.endpoint()),
          their_key_(home::OfficeHome(office.home()).machine_keys().value().link.public_key) {}

    // Says this, and nothing else, until it is cut off. Fails the test if that never comes.
    void say(const std::vector<Bytes>& frames) {
        const auto connection = link_->dial({endpoint_}, their_key_, OfficeId{0});
        const auto end = std::chrono::steady_clock::now() + 60s;
        while (std::chrono::steady_clock::now() < end) {
            for (const auto& event : link_->wait({}, 10ms)) {
                if (std::holds_alternative<link::PeerUp>(event)) {
                    for (const auto& frame : frames) {
                        REQUIRE(link_->send(connection, frame));
                    }
                }
                heard_ += std::holds_alternative<link::FrameIn>(event) ? 1 : 0;
                if (std::holds_alternative<link::PeerDown>(event)) {
                    return;
                }
            }
        }
        FAIL("a stranger was never cut off");
    }
    [[nodiscard]] int heard() const { return heard_; }

private:
    std::string endpoint_;
    BoxPublic their_key_;
    crypto::BoxKeyPair keys_ = crypto::BoxKeyPair::random();
    std::unique_ptr<link::ZmqLink> link_ =
        link::ZmqLink::open({keys_.public_key, keys_.secret.view()}, [](const BoxPublic&) {
            return std::optional<link::Caller>{};
        }).value();
    int heard_ = 0;
};

Bytes hello_with(std::uint32_t roster_version) {
    Hello hello;
    hello.roster_version = roster_version;
    return encode_frame(hello);
}

}  // namespace

TEST_CASE("a stranger is told nothing, and all that it can bring is the authority's word",
          "[end_to_end][link]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    const home::OfficeHome home(hq.home());
    const auto version = hq.ask({"roster"}).at("version").get<std::uint32_t>();
    Knocking stranger(hq);
    stranger.say({hello_with(version)});
    stranger.say({encode_frame(Summary{})});
    stranger.say({to_bytes(as_bytes(random_bytes(1000)))});
    stranger.say({});
    check_works(hyesan, hq);

    // The authority revoked hyesan somewhere else, and the stranger is the one who brings it.
    const auto mail = home.mail_keys().value();
    auto roster = crypto::Roster::found(home.founding().value()).value();
    const auto copy = home.roster_copy().value();
    for (const auto& change : copy.roster) {
        REQUIRE(roster.apply(change).has_value());
    }
    RosterChange revocation;
    revocation.statements = {Revoke{roster.find("hyesan")->index, {}, "a test"}};
    crypto::sign_change(*mail.authority, roster, revocation);
    auto forged = revocation;
    std::get<Revoke>(forged.statements.front()).reason = "another";
    stranger.say({hello_with(version + 1), encode_frame(RosterNews{{forged}})});
    CHECK(hq.ask({"roster"}).at("version") == version);
    stranger.say({hello_with(version + 1), encode_frame(RosterNews{{revocation}})});
    CHECK(hq.ask({"roster"}).at("version") == version + 1);
    CHECK(stranger.heard() == 0);

    // It hears of it at the door, and is nobody's office from then on.
    REQUIRE(eventually([&] { return hyesan.ask({"status"}).at("state") == "revoked"; }));
    CHECK(hyesan.run({"queue", "--to", "hq"}, "too late\n").exit_code == 5);
    hyesan.stop();
    hyesan.start();
    CHECK(hyesan.ask({"status"}).at("state") == "revoked");
    CHECK_FALSE(is_linked(hyesan));
    CHECK(hq.ask({"list", "--inbox"}).size() == 1);
}

TEST_CASE("a daemon of another network learns nothing and changes nothing", "[end_to_end][link]") {
    ChangedHands two;
    auto& hyesan = two.network.add(two.hq, "hyesan", "field");
    const auto roster = two.hq.ask({"roster"}).at("version");
    const auto id = two.stranger.queue({"--to", "hq"}, "for its own hq\n");
    REQUIRE(eventually([&] { return two.was_turned_away(); }));

    check_works(hyesan, two.hq);
    CHECK(two.stranger.ask({"show", id}).at("state") == "queued");
    CHECK(number_in(two.stranger.ask({"status"}), "/peers/connected") == 0);
    CHECK(two.stranger.ask({"list", "--inbox", "--carried"}).empty());
    CHECK(two.hq.ask({"roster"}).at("version") == roster);
    CHECK(two.hq.ask({"list", "--inbox", "--carried"}).size() == 1);
    CHECK(files_with(two.stranger.home(), "hyesan").empty());
    CHECK(files_with(two.hq.home(), "stranger").empty());
    CHECK(two.hq.log().find("stranger") == std::string::npos);
}

TEST_CASE("peers says why when whoever answers at an address lets nobody in",
          "[end_to_end][link]") {
    ChangedHands two;
    REQUIRE(eventually([&] { return two.was_turned_away(); }));
    CHECK(two.peer().at("reason").is_string());
}

TEST_CASE("a client of the control socket that keeps no rules hurts no other",
          "[end_to_end][link]") {
    Network network;
    auto& hq = network.found();
    const auto length = [](std::uint32_t bytes) {
        std::string encoded(4, '\0');
        std::memcpy(encoded.data(), &bytes, 4);
        return encoded;
    };
    std::vector<Intruder> held;
    for (const auto& words :
         std::vector<std::string>{"", "\x01", random_bytes(1'000), std::string(1'000, '\0'),
                                  std::string(100, '\xff'), length(10) + "0123456789",
                                  length(1'000'000) + "less than that", "GET / HTTP/1.1\r\n\r\n"}) {
        Intruder::to_socket_of(hq).say(words);
        held.push_back(Intruder::to_socket_of(hq));
        held.back().say(words);
    }
    CHECK(hq.ask({"status"}).at("state") == "active");
    CHECK(hq.ask({"list"}).empty());
    CHECK(hq.is_up());
}

#ifndef __SANITIZE_ADDRESS__  // the sanitizer's own memory is larger
TEST_CASE("a request that takes more memory than there is costs its client the answer",
          "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    hq.stop();
    hq.live_behind({"/usr/bin/prlimit", "--data=60000000"});
    hq.start();
    const auto file = network.folder() / "large.bin";
    write_file(file, random_bytes(12'000'000));
    const auto queued = hq.run({"queue", "--to", "hyesan", "--attach", file.string()});
    CHECK(queued.exit_code == 1);
    CAPTURE(hq.log());
    CHECK_THAT(queued.err, Catch::Contains("memory"));
    const auto whole = Intruder::to_socket_of(hq);
    std::string zeros(70'000'004, '\0');
    const std::uint32_t length = 70'000'000;
    std::memcpy(zeros.data(), &length, sizeof length);
    whole.say(zeros);
    CHECK(hq.ask({"list"}).empty());
    check_works(hq, hyesan);
    CHECK(hq.is_up());
}
#endif

TEST_CASE("connections that say nothing leave descriptors for the office's own work",
          "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    constexpr std::size_t limit = 300;
    const auto open_now = [&] {
        const auto folder = fmt::format("/proc/{}/fd", hq.daemon_pid());
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(folder), {}));
    };
    std::vector<Intruder> silent;
    const auto come = [&] {
        for (std::size_t i = 0; i < 2 * limit; ++i) {
            silent.push_back(Intruder::to_port_of(hq));
        }
    };
    // With enough descriptors: the oldest silent connections go.
    come();
    CHECK(eventually([&] { return open_now() > limit; }));
    CHECK(eventually([&] { return open_now() <= 2 * limit; }));
    silent.clear();
    hq.stop();
    hyesan.stop();
    // With few.
    hq.live_behind({"/usr/bin/prlimit", fmt::format("--nofile={}", limit)});
    hq.start();
    come();
    REQUIRE(eventually([&] { return hq.log().find("too many connections") != std::string::npos; }));
    CHECK(eventually([&] { return open_now() <= limit - 100; }));
    hyesan.start();
    const auto id = hyesan.queue({"--to", "hq"}, "석고 12kg\n");
    CHECK(hyesan.run({"wait", id, "--for", "delivered", "--timeout", "30s"}).exit_code == 0);
    // The log says it once, however many came.
    const auto log = hq.log();
    INFO(log);
    CHECK(log.find("too many connections") == log.rfind("too many connections"));
}
