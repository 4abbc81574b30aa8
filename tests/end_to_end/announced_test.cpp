// Goal: a member makes nobody connect to a service of its own machine by announcing its address.
// Method: a door on loopback, announced under several spellings, that counts who comes.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

class Service {
public:
    Service() : port_(free_port()) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port_);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(socket_, 64) == 0);
    }
    ~Service() { ::close(socket_); }
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    // The number of connections since the last call.
    [[nodiscard]] int visitors() const {
        int all = 0;
        for (int one = 0; (one = ::accept(socket_, nullptr, nullptr)) >= 0; ++all) {
            ::close(one);
        }
        return all;
    }

private:
    int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    std::uint16_t port_;
};

}  // namespace

TEST_CASE("nobody dials its own machine because a member announces it", "[end_to_end]") {
    const Service service;
    Network network;
    auto& hq = network.bare("hq");
    hq.ask({"init", "hq", "--network", "reha", "--listen", hq.endpoint()});
    hq.start();
    const auto peer = fmt::format("[[peer]]\naddress = \"{}\"\n", hq.endpoint());
    const auto join = [&](const std::string& name, const std::string& configuration) -> Office& {
        auto& office = network.bare(name);
        const auto file = (network.folder() / (name + ".invite")).string();
        hq.ask({"invite", name, "--no-code", "--output", file});
        office.ask({"join", file});
        write_file(office.home() / "fieldpost.toml", configuration + peer);
        office.start();
        REQUIRE(eventually([&] { return knows_as_active(office, name); }));
        return office;
    };
    std::string announced;
    for (const auto* host : {"127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"}) {
        announced += fmt::format("\"tcp://{}:{}\", ", host, service.port());
    }
    auto& liar = join("liar", "advertise = [" + announced + "]\n");
    const auto& hyesan = join("hyesan", "");
    liar.stop();
    const auto is_told = [&](const Office& office) {
        const auto peers = office.ask({"peers"});
        return std::ranges::any_of(peers, [&](const Json& one) {
            return one.at("office") == "liar" &&
                   one.at("address").dump().find(std::to_string(service.port())) !=
                       std::string::npos;
        });
    };
    REQUIRE(eventually([&] { return is_told(hyesan) && is_told(hq); }));
    std::this_thread::sleep_for(std::chrono::seconds(5));
    INFO(hyesan.ask({"peers"}).dump());
    CHECK(service.visitors() == 0);
    // A person's word is taken.
    write_file(hq.home() / "fieldpost.toml",
               fmt::format("listen = [\"{}\"]\n[[peer]]\naddress = \"tcp://127.0.0.1:{}\"\n",
                           hq.endpoint(), service.port()));
    ::kill(hq.daemon_pid(), SIGHUP);
    CHECK(eventually([&] { return service.visitors() > 0; }));
}
