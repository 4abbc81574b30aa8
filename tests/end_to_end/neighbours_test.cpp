// Goal: two offices in one network find each other though nobody has told either where the other
// is, even while somebody calls in their names without end. An office that has switched this off is
// not found.
// Method: network namespaces with a cable between them, and a guest that has the network's secret,
// as a former member has.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "crypto/beacon.h"
#include "crypto/roster.h"
#include "daemon/home/office_home.h"
#include "tests/end_to_end/two_sites.h"

using namespace fieldpost;
using namespace fieldpost::end_to_end;
using Site = TwoSites::Site;

namespace {

// Calls in the names of two offices, from the guest's address, each time with another port.
class Flood {
public:
    Flood(const TwoSites& sites, const Office& office, int calls_a_second)
        : thread_([this, &sites, home = office.home(), calls_a_second] {
              (void)sites.as_guest([&] { call(home, calls_a_second); });
          }) {}
    ~Flood() {
        is_over_ = true;
        thread_.join();
    }
    Flood(const Flood&) = delete;
    Flood& operator=(const Flood&) = delete;
    [[nodiscard]] int sent() const { return sent_; }

private:
    void call(const std::filesystem::path& path, int calls_a_second) {
        const home::OfficeHome home(path);
        const auto network = crypto::network_id_of(home.founding().value());
        const auto key =
            crypto::beacon_key(home.machine_keys().value().founding_key.view(), 0, network);
        const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        in_addr from{};
        ::inet_pton(AF_INET, TwoSites::guest_address().c_str(), &from);
        ::setsockopt(socket, IPPROTO_IP, IP_MULTICAST_IF, &from, sizeof from);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(6743);
        ::inet_pton(AF_INET, "239.255.67.43", &to.sin_addr);
        crypto::NetworkAddress sender{};
        sender[10] = sender[11] = std::byte{0xff};
        std::memcpy(sender.data() + 12, &from, sizeof from);
        const auto begin = std::chrono::steady_clock::now();
        while (!is_over_) {
            const auto due = std::chrono::duration_cast<std::chrono::milliseconds>(
                                 std::chrono::steady_clock::now() - begin)
                                 .count() *
                             calls_a_second / 1000;
            for (; sent_ < due && !is_over_; ++sent_) {
                for (const auto office : {OfficeId{0}, OfficeId{1}, OfficeId{2}}) {
                    crypto::BeaconNonce nonce;
                    crypto::fill_random(nonce.bytes);
                    const auto port = static_cast<std::uint16_t>(1024 + sent_ % 60'000);
                    const auto bytes =
                        crypto::seal_beacon(key, network, {office, port}, nonce, sender);
                    ::sendto(socket, bytes.data(), bytes.size(), MSG_DONTWAIT,
                             reinterpret_cast<const sockaddr*>(&to), sizeof to);
                }
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        ::close(socket);
    }

    std::atomic<bool> is_over_ = false;
    std::atomic<int> sent_ = 0;
    std::thread thread_;
};

// Clock ticks that the daemon of an office has used.
long cpu_ticks(Office& office) {
    const auto stat = read_file(fmt::format("/proc/{}/stat", office.daemon_pid()));
    std::istringstream words(stat.substr(stat.rfind(')') + 2));
    std::string word;
    long ticks = 0;
    for (int i = 3; words >> word && i <= 15; ++i) {
        ticks += i >= 14 ? std::stol(word) : 0;
    }
    return ticks;
}

}  // namespace

TEST_CASE("offices of one network find each other with nothing configured",
          "[end_to_end][link][slow]") {
    std::string why;
    if (!TwoSites::can_be_made(why)) {
        WARN("not tested: " << why);
        return;
    }
    const TwoSites sites;
    Network network;
    auto& hq = network.bare("hq");
    auto& hyesan = network.bare("hyesan");
    hq.live_behind(sites.at(Site::hq));
    hyesan.live_behind(sites.at(Site::field));
    hq.be_findable();
    hyesan.be_findable();
    hq.ask({"init", "hq", "--network", "reha"});
    hq.start();
    const auto file = network.folder() / "hyesan.invite";
    hq.ask({"invite", "hyesan", "--no-code", "--output", file.string()});
    hyesan.ask({"join", file.string()});
    hyesan.start();
    const auto first = hyesan.queue({"--to", "hq"}, "before there was any cable\n");
    const auto arrives = [&](const std::string& id) {
        INFO("hyesan:\n" << hyesan.log() << "\nhq:\n" << hq.log());
        CHECK(eventually([&] { return hyesan.ask({"trace", id}).at("state") == "delivered"; }));
    };

    sites.join(false);
    arrives(first);
    // The end that dialled knows the address. Of two links the one that hq dialled is kept.
    const auto addresses = hyesan.ask({"peers"}).dump() + hq.ask({"peers"}).dump();
    CHECK(addresses.find("tcp://[fe80::") != std::string::npos);
    sites.part();
    REQUIRE(eventually([&] { return !is_linked(hyesan) && !is_linked(hq); }));

    sites.join(true);
    arrives(hyesan.queue({"--to", "hq"}, "over another cable\n"));
    sites.part();
    REQUIRE(eventually([&] { return !is_linked(hyesan) && !is_linked(hq); }));

    // An office that calls no more is forgotten when the daemon that heard it stops.
    hyesan.stop();
    write_file(hq.home() / "fieldpost.toml", "beacon = false\n");
    hq.stop();
    hq.start();
    hyesan.start();
    sites.join(true);
    const auto unheard = hyesan.queue({"--to", "hq"}, "nobody calls\n");
    std::this_thread::sleep_for(std::chrono::seconds(4));
    CHECK(hyesan.ask({"trace", unheard}).at("state") == "queued");
    write_file(hq.home() / "fieldpost.toml", "beacon = true\n");
    ::kill(hq.daemon_pid(), SIGHUP);
    arrives(unheard);
}

TEST_CASE("offices of one network find each other while somebody floods it with calls",
          "[end_to_end][link][slow]") {
    std::string why;
    if (!TwoSites::can_be_made(why)) {
        WARN("not tested: " << why);
        return;
    }
    const auto calls_a_second = GENERATE(200, 5000);
    CAPTURE(calls_a_second);
    const TwoSites sites;
    Network network;
    auto& hq = network.bare("hq");
    auto& hyesan = network.bare("hyesan");
    hq.live_behind(sites.at(Site::hq));
    hyesan.live_behind(sites.at(Site::field));
    hq.be_findable();
    hyesan.be_findable();
    sites.join_with_guest();
    hq.ask({"init", "hq", "--network", "reha"});
    hq.start();
    const auto file = network.folder() / "hyesan.invite";
    hq.ask({"invite", "hyesan", "--no-code", "--output", file.string()});
    hyesan.ask({"join", file.string()});
    const Flood flood(sites, hq, calls_a_second);
    REQUIRE(eventually([&] { return flood.sent() > calls_a_second; }));
    hyesan.start();
    const auto first = hyesan.queue({"--to", "hq"}, "through the noise\n");
    const auto arrives = [&](const std::string& id) {
        INFO("hyesan:\n" << hyesan.log() << "\nhq:\n" << hq.log());
        CHECK(eventually([&] { return hyesan.ask({"trace", id}).at("state") == "delivered"; }));
    };
    arrives(first);
    // Both are members now, and the port of each is another one after a restart.
    hyesan.stop();
    hq.stop();
    hq.start();
    hyesan.start();
    const auto before = cpu_ticks(hq);
    const auto begin = std::chrono::steady_clock::now();
    arrives(hyesan.queue({"--to", "hq"}, "and again\n"));
    std::this_thread::sleep_for(std::chrono::seconds(5));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const auto share = static_cast<double>(cpu_ticks(hq) - before) /
                       static_cast<double>(::sysconf(_SC_CLK_TCK)) / took.count();
    // The log shows the cost of a flood.
    WARN("a flood of " << 3 * calls_a_second << " calls a second takes " << share
                       << " of a core at hq");
    CHECK(share < 0.5);
}
