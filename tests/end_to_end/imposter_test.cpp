// Goal: if another program answers at a peer's address, in any way, the peer is found again once it
// is back, without a restart.
// Method: hq is gone, and a plain TCP server stands at its address: a captive portal, one that
// takes the connection and says nothing, one that begins a handshake, one that resets.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;
using namespace std::chrono_literals;

namespace {

// Answers everybody with the same words, and hangs up at once or never.
class Imposter {
public:
    Imposter(const Office& office, std::string words, bool hangs_up)
        : words_(std::move(words)),
          hangs_up_(hangs_up),
          listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        const auto port = office.endpoint().substr(office.endpoint().rfind(':') + 1);
        address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int on = 1;
        ::setsockopt(listening_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        REQUIRE(eventually([&] {
            return ::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        }));
        REQUIRE(::listen(listening_, 8) == 0);
        thread_ = std::jthread([this](const std::stop_token& over) {
            while (!over.stop_requested()) {
                pollfd watched{listening_, POLLIN, 0};
                if (::poll(&watched, 1, 50) == 1) {
                    answer(::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC));
                }
            }
        });
    }
    ~Imposter() {
        thread_ = {};
        ::close(listening_);
        for (const int fd : held_) {
            ::close(fd);
        }
    }
    Imposter(const Imposter&) = delete;
    Imposter& operator=(const Imposter&) = delete;

    [[nodiscard]] int callers() const { return callers_; }

private:
    void answer(int fd) {
        ::send(fd, words_.data(), words_.size(), MSG_NOSIGNAL);
        if (hangs_up_) {
            const linger at_once{1, 0};
            ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            ::close(fd);
        } else {
            held_.push_back(fd);
        }
        ++callers_;
    }

    std::string words_;
    bool hangs_up_;
    int listening_;
    std::atomic<int> callers_ = 0;
    std::vector<int> held_;
    std::jthread thread_;
};

}  // namespace

TEST_CASE("whoever stood at a peer's address, the peer is found when it is back",
          "[end_to_end][link]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    const auto stands_there = [&](const std::string& who, const std::string& words, bool hangs_up) {
        INFO(who);
        hq.stop();
        std::string id;
        {
            const Imposter imposter(hq, words, hangs_up);
            id = hyesan.queue({"--to", "hq"}, who + "\n");
            REQUIRE(eventually([&] { return imposter.callers() > 0; }));
            CHECK(hyesan.ask({"show", id}).at("state") == "queued");
        }
        hq.start();
        INFO(hyesan.log());
        REQUIRE(eventually([&] { return hyesan.ask({"show", id}).at("state") == "delivered"; }));
    };
    // The first bytes of ZMTP 3: a signature, and the rest of the greeting never comes.
    const std::string half_greeting = "\xff" + std::string(8, '\0') + "\x7f\x03";
    stands_there("a captive portal",
                 "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n",
                 true);
    stands_there("somebody who takes the call and says nothing", "", false);
    stands_there("somebody who begins a handshake", half_greeting, false);
    stands_there("somebody who resets", "", true);
}

TEST_CASE("a copied home is told at all three, and the two stop pushing each other out",
          "[end_to_end][link]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    hyesan.stop();
    auto& copy = network.bare("copy");
    std::filesystem::copy(hyesan.home(), copy.home(), std::filesystem::copy_options::recursive);
    hyesan.start();
    copy.start();
    const auto is_told = [](const Office& at) {
        const auto items = at.ask({"attention"});
        return std::ranges::any_of(items, [](const Json& item) {
            return item["what"] == "copied" && item["office"] == "hyesan";
        });
    };
    CHECK(eventually([&] { return is_told(hq); }));
    CHECK(eventually([&] { return is_told(hyesan); }));
    CHECK(eventually([&] { return is_told(copy); }));
    // One of them has the link; the other waits for a minute or more.
    const auto waits = [&](const Office& at) {
        const auto peer = at.ask({"peers"}).at(0);
        return peer["state"] == "waiting" && peer["reason"] == "other_machine";
    };
    CHECK(eventually([&] { return waits(hyesan) || waits(copy); }));
    const auto count_of = [](const std::string& log) {
        std::size_t count = 0;
        for (auto at = log.find("is up"); at != std::string::npos; at = log.find("is up", at + 1)) {
            ++count;
        }
        return count;
    };
    CHECK(count_of(hq.log()) < 12);
}
