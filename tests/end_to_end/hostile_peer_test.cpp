// Goal: a member that keeps no rules costs the others nothing but its own links. They are served,
// memory and descriptors come back to where they were, and the member is named.
// Method: an office's keys in the hands of a program that says things no peer of ours says; the
// other office queues reports all the while.
#include <fmt/format.h>
#include <zmq.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <zmq.hpp>

#include "crypto/register_seal.h"
#include "crypto/roster.h"
#include "daemon/home/office_home.h"
#include "daemon/link/zmq_link.h"
#include "proto/sync_frames.h"
#include "tests/end_to_end/offices.h"

using namespace fieldpost;
using namespace fieldpost::end_to_end;
using namespace std::chrono_literals;

namespace {

// The office that lies, and its network.
struct Liar {
    OfficeId us;
    NetworkId network;
    crypto::MachineKeys keys;
    std::vector<RosterChange> roster;
    LogKey honest_log;
};

struct Behaviour {
    std::string name;
    std::function<std::vector<Bytes>(const Liar&)> frames;
    bool greets = true;
};

Bytes noise(std::size_t size) {
    return to_bytes(as_bytes(random_bytes(size)));
}

template <class Array>
Array any() {
    Array array;
    std::ranges::copy(noise(Array::size), array.bytes.begin());
    return array;
}

template <class Make>
std::vector<Bytes> many(int count, Make make) {
    std::vector<Bytes> all;
    for (int i = 0; i < count; ++i) {
        all.push_back(make(i));
    }
    return all;
}
template <class Make>
std::vector<Bytes> many_frames(int count, Make make) {
    return many(count, [&](int i) { return encode_frame(make(i)); });
}

Hello hello_of(const Liar& liar) {
    Hello hello;
    hello.roster_version = static_cast<std::uint32_t>(liar.roster.size());
    hello.digest = any<Digest>();
    hello.credit_bytes = 1 << 20;
    return hello;
}

std::vector<Bytes> hello_with(const Liar& liar, const std::function<void(Hello&)>& change) {
    auto hello = hello_of(liar);
    change(hello);
    return {encode_frame(hello)};
}

LeafSummary leaf_of(const LogKey& log, IntervalSet not_wanted) {
    LeafSummary leaf;
    leaf.office = log.author;
    leaf.logs = {{log.incarnation, log.record_class, std::move(not_wanted), {}}};
    return leaf;
}

Register register_of(const Liar& liar, std::uint8_t kind, int number) {
    Register entry;
    entry.key = {liar.us, kind, noise(32)};
    entry.version = {{1, 1}, static_cast<std::uint64_t>(number)};
    entry.payload = noise(200);
    crypto::sign_register(liar.keys.identity, liar.network, entry);
    return entry;
}

const std::vector<Behaviour> behaviours = {
    {"says nothing", [](const Liar&) { return std::vector<Bytes>{}; }, false},
    {"spares that are never used", [](const Liar&) { return many(1, [](int) { return Bytes{}; }); },
     false},
    {"empty messages", [](const Liar&) { return many(1000, [](int) { return Bytes{}; }); }},
    {"never grants credit",
     [](const Liar& liar) { return hello_with(liar, [](Hello& h) { h.credit_bytes = 0; }); },
     false},
    {"grants absurd credit",
     [](const Liar& liar) {
         return hello_with(liar, [](Hello& h) { h.credit_bytes = UINT32_MAX; });
     },
     false},
    {"speaks other versions",
     [](const Liar& liar) {
         return hello_with(liar, [](Hello& h) { h.version_min = h.version_max = 9; });
     },
     false},
    {"a roster that nobody knows",
     [](const Liar& liar) {
         return hello_with(liar, [](Hello& h) {
             h.roster_version = UINT32_MAX;
             h.roster_head = any<ShortHash>();
         });
     },
     false},
    {"sixteen thousand fingerprints",
     [](const Liar& liar) {
         return hello_with(liar, [](Hello& h) { h.leaf_fingerprints.resize(16'000); });
     },
     false},
    {"fingerprints of buckets in a small network",
     [](const Liar& liar) {
         return hello_with(liar, [](Hello& h) { h.bucket_fingerprints.resize(bucket_count); });
     },
     false},
    {"a clock of the year 2161",
     [](const Liar& liar) {
         return hello_with(liar, [](Hello& h) { h.clock = WallTime{UINT32_MAX}; });
     },
     false},
    {"greets ten thousand times",
     [](const Liar& liar) { return many_frames(10'000, [&](int) { return hello_of(liar); }); }},
    {"has nothing, a thousand times",
     [](const Liar&) { return many_frames(1000, [](int) { return Summary{true, {}}; }); }},
    {"has everything that will ever be",
     [](const Liar& liar) {
         return many_frames(
             1, [&](int) { return Summary{true, {leaf_of(liar.honest_log, {{1, UINT32_MAX}})}}; });
     }},
    {"has everything and nothing in turn",
     [](const Liar& liar) {
         return many_frames(1000, [&](int i) {
             const IntervalSet all = {{1, UINT32_MAX}};
             return Summary{false, {leaf_of(liar.honest_log, i % 2 == 0 ? all : IntervalSet{})}};
         });
     }},
    {"a set of ten thousand holes",
     [](const Liar& liar) {
         IntervalSet holes;
         for (Number i = 1; i < 10'000; ++i) {
             holes.add(i * 7 + i % 3);
         }
         return many_frames(100,
                            [&](int) { return Summary{true, {leaf_of(liar.honest_log, holes)}}; });
     }},
    {"bodies under way that cannot be",
     [](const Liar& liar) {
         auto leaf = leaf_of(liar.honest_log, {});
         for (Number i = 1; i < 500; ++i) {
             leaf.logs[0].partials.push_back(
                 {i, any<ShortHash>(), {{1, UINT32_MAX}}, UINT32_MAX, 1'000'000});
         }
         return many_frames(20, [&](int) { return Summary{false, {leaf}}; });
     }},
    {"fingerprints of leaves, unasked",
     [](const Liar&) {
         return many_frames(1000, [](int) {
             return LeafFingerprints{UINT64_MAX, std::vector<ShortFingerprint>(3)};
         });
     }},
    {"streams of no record",
     [](const Liar&) {
         return many_frames(1000, [](int i) {
             return StreamOpened{static_cast<std::uint32_t>(i), noise(150), any<Signature>(),
                                 any<Hash>()};
         });
     }},
    {"goes on with what nobody began",
     [](const Liar&) {
         return many_frames(1000, [](int i) {
             return StreamResumed{static_cast<std::uint32_t>(i), any<RecordId>()};
         });
     }},
    {"chunks of no stream",
     [](const Liar&) {
         return many_frames(
             1000, [](int i) { return Chunk{static_cast<std::uint32_t>(i), 1, 0, noise(16'000)}; });
     }},
    {"skips everything",
     [](const Liar&) {
         return many_frames(10'000, [](int i) {
             return Skip{static_cast<std::uint32_t>(i), SkipReason::refused};
         });
     }},
    {"acknowledges what was never sent",
     [](const Liar&) {
         return many_frames(10'000, [](int) { return Acknowledged{UINT64_MAX / 2}; });
     }},
    {"settles on anything",
     [](const Liar&) { return many_frames(10'000, [](int) { return Settled{any<Digest>()}; }); }},
    {"custody that it did not sign",
     [](const Liar& liar) {
         return many_frames(1000, [&](int) {
             Custody custody;
             custody.signer = liar.us;
             custody.author = liar.honest_log.author;
             custody.version = {{1, 1}, 1};
             custody.signature = any<Signature>();
             return custody;
         });
     }},
    {"asks for proof of each number",
     [](const Liar& liar) {
         return many_frames(10'000,
                            [&](int i) { return Prove{liar.honest_log, static_cast<Number>(i)}; });
     }},
    {"proves what nobody asked",
     [](const Liar& liar) {
         return many_frames(1000, [&](int i) {
             RecordProof proof;
             proof.key.log = liar.honest_log;
             proof.key.number = static_cast<Number>(i + 1);
             proof.key.count = 1;
             proof.signature = any<Signature>();
             return proof;
         });
     }},
    {"registers of kinds that nobody knows",
     [](const Liar& liar) {
         return many_frames(1000, [&](int i) {
             return RegisterNews{{register_of(liar, static_cast<std::uint8_t>(100 + i % 100), i)}};
         });
     }},
    {"registers in another's name",
     [](const Liar& liar) {
         return many_frames(1000, [&](int i) {
             auto entry = register_of(liar, 0, i);
             entry.key.signer = OfficeId{0};
             return RegisterNews{{entry}};
         });
     }},
    {"the same roster over and over",
     [](const Liar& liar) {
         return many_frames(200, [&](int) { return RosterNews{liar.roster}; });
     }},
    {"a roster in another order",
     [](const Liar& liar) {
         return many_frames(
             200, [&](int) { return RosterNews{{liar.roster.rbegin(), liar.roster.rend()}}; });
     }},
    {"records of noise",
     [](const Liar&) {
         return many_frames(1000, [](int) { return RecordNews{{noise(500), noise(500)}}; });
     }},
    {"frames of a later release",
     [](const Liar&) {
         return many(500, [](int) {
             auto bytes = noise(60'000);
             bytes.front() = std::byte{200};
             return bytes;
         });
     }},
    {"noise", [](const Liar&) { return many(500, [](int) { return noise(60'000); }); }},
    {"a frame over the limit",
     [](const Liar&) { return many(3, [](int) { return noise(80'000); }); }},
};

// The bytes that a process holds in memory. The next function counts its open descriptors.
std::uint64_t resident_bytes(pid_t pid) {
    std::ifstream in(fmt::format("/proc/{}/statm", pid));
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    in >> total >> resident;
    return resident * 4096;
}
std::size_t descriptors(pid_t pid) {
    const std::filesystem::directory_iterator all(fmt::format("/proc/{}/fd", pid));
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// hq, an honest office, and a third whose daemon is gone and whose keys are in bad hands.
struct Scene {
    Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");
    Office& third = network.add(hq, "liar", "field");
    Liar liar;
    BoxPublic hq_key;

    Scene() {
        third.stop();
        const home::OfficeHome home(third.home());
        liar.keys = home.machine_keys().value();
        liar.us = home.identity().value().index;
        liar.network = crypto::network_id_of(home.founding().value());
        liar.roster = home.roster_copy().value().roster;
        const home::OfficeHome honest(hyesan.home());
        liar.honest_log = {honest.identity().value().index, honest.identity().value().incarnation,
                           RecordClass::normal};
        hq_key = home::OfficeHome(hq.home()).machine_keys().value().link.public_key;
    }

    [[nodiscard]] link::KeyPair keys() const {
        return {liar.keys.link.public_key, liar.keys.link.secret.view()};
    }
    // Runs until all is said or hq ends the link. The liar reads nothing that it is told.
    void behave(const Behaviour& behaviour) const {
        const auto link = link::ZmqLink::open(keys(), [](const BoxPublic&) {
                              return std::optional<link::Caller>{};
                          }).value();
        const auto connection = link->dial({hq.endpoint()}, hq_key, OfficeId{0});
        auto frames = behaviour.frames(liar);
        if (behaviour.greets) {
            frames.insert(frames.begin(), encode_frame(hello_of(liar)));
        }
        bool is_up = false;
        const auto end = std::chrono::steady_clock::now() + 10s;
        std::size_t said = 0;
        while (said < frames.size() || !is_up) {
            for (const auto& event : link->wait({}, 10ms)) {
                is_up = is_up || std::holds_alternative<link::PeerUp>(event);
                if (std::holds_alternative<link::PeerDown>(event)) {
                    return;
                }
            }
            while (is_up && said < frames.size() && link->send(connection, frames[said])) {
                ++said;
            }
            if (std::chrono::steady_clock::now() > end) {
                return;
            }
        }
        link->wait({}, 200ms);
    }
    [[nodiscard]] bool is_named() const {
        const auto items = hq.ask({"attention"});
        return std::ranges::any_of(items, [](const auto& item) {
            return item.at("what") == "offender" && item.at("office") == "liar";
        });
    }
    void check_delivered(const std::string& id, const std::string& meanwhile) const {
        INFO(meanwhile << "\nhyesan:\n" << hyesan.log() << "\nhq:\n" << hq.log());
        REQUIRE(eventually([&] { return hyesan.ask({"show", id}).at("state") == "delivered"; }));
    }
};

}  // namespace

TEST_CASE("whatever a member says, the others are served", "[end_to_end][link]") {
    Scene scene;
    const auto pid = scene.hq.daemon_pid();
    const auto roster = scene.hq.ask({"roster"}).at("version");
    // A first report loads everything that is loaded on first use.
    scene.check_delivered(scene.hyesan.queue({"--to", "hq"}, "before\n"), "nothing yet");
    [[maybe_unused]] const auto memory_before = resident_bytes(pid);
    const auto descriptors_before = descriptors(pid);
    for (const auto& behaviour : behaviours) {
        const auto id = scene.hyesan.queue({"--to", "hq"}, behaviour.name + "\n");
        scene.behave(behaviour);
        scene.check_delivered(id, behaviour.name);
    }
    CHECK(scene.is_named());
    CHECK(scene.hq.ask({"roster"}).at("version") == roster);
    CHECK(scene.hq.ask({"list", "--inbox", "--limit", "0"}).size() == behaviours.size() + 1);
    CHECK(scene.hq.daemon_pid() == pid);
    CHECK(eventually([&] { return descriptors(pid) <= descriptors_before; }));
#ifndef __SANITIZE_ADDRESS__  // the sanitizer keeps freed memory for a while
    CHECK(resident_bytes(pid) < memory_before + (64U << 20));
#endif
}

TEST_CASE("a member that sends one message without end is cut off, and named",
          "[end_to_end][link]") {
    Scene scene;
    const auto pid = scene.hq.daemon_pid();
    zmq::context_t context;
    zmq::socket_t socket(context, zmq::socket_type::dealer);
    const auto set = [&](int option, BytesView value) {
        REQUIRE(zmq_setsockopt(socket.handle(), option, value.data(), value.size()) == 0);
    };
    set(ZMQ_CURVE_SERVERKEY, scene.hq_key.view());
    set(ZMQ_CURVE_PUBLICKEY, scene.keys().public_key.view());
    set(ZMQ_CURVE_SECRETKEY, scene.keys().secret);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::reconnect_ivl, -1);
    socket.set(zmq::sockopt::immediate, true);
    socket.connect(scene.hq.endpoint());
    const auto part = noise(60'000);
    const auto hello = encode_frame(hello_of(scene.liar));
    REQUIRE(zmq_send(socket.handle(), hello.data(), hello.size(), 0) > 0);
    // Our end's libzmq passes no part on before it has the last one. The other end does not know
    // that there is a last one.
    constexpr int parts = 10'000;
    for (int i = 1; i <= parts; ++i) {
        REQUIRE(zmq_send(socket.handle(), part.data(), part.size(), i < parts ? ZMQ_SNDMORE : 0) >
                0);
    }
    const auto id = scene.hyesan.queue({"--to", "hq"}, "meanwhile\n");
    std::uint64_t most = 0;
    REQUIRE(eventually([&] {
        most = std::max(most, resident_bytes(pid));
        return scene.is_named();
    }));
    INFO("at most " << most << " bytes in memory");
#ifndef __SANITIZE_ADDRESS__  // the sanitizer's own memory is larger
    CHECK(most < parts * part.size() / 2);
#endif
    scene.check_delivered(id, "a message without end");
    CHECK(scene.hq.daemon_pid() == pid);
}

TEST_CASE("a spare goes into use although the next one was there before its first word",
          "[end_to_end][link]") {
    Scene scene;
    const auto link = link::ZmqLink::open(scene.keys(), [](const BoxPublic&) {
                          return std::optional<link::Caller>{};
                      }).value();
    std::vector<link::LinkEvent> events;
    const auto has = [&](auto what, link::ConnectionId connection) {
        std::ranges::move(link->wait({}, 10ms), std::back_inserter(events));
        return std::ranges::any_of(events, [&](const auto& event) {
            const auto* found = std::get_if<decltype(what)>(&event);
            return found != nullptr && found->connection == connection;
        });
    };
    const auto dial_spare = [&] {
        const auto connection = link->dial({scene.hq.endpoint()}, scene.hq_key, OfficeId{0});
        REQUIRE(eventually([&] { return has(link::PeerUp{}, connection); }));
        REQUIRE(link->send(connection, {}));
        return connection;
    };
    const auto first = dial_spare();
    const auto second = dial_spare();
    // By the time this report is delivered, hq has read the spare's mark.
    scene.check_delivered(scene.hyesan.queue({"--to", "hq"}, "meanwhile\n"), "two spares");
    REQUIRE(link->send(first, encode_frame(hello_of(scene.liar))));
    REQUIRE(
        eventually([&] { return has(link::FrameIn{}, first) || has(link::PeerDown{}, first); }));
    CHECK_FALSE(has(link::PeerDown{}, first));
    CHECK_FALSE(has(link::PeerDown{}, second));
    // The oldest spare ends when a third one comes.
    dial_spare();
    const auto fourth = dial_spare();
    REQUIRE(eventually([&] { return has(link::PeerDown{}, second); }));
    CHECK_FALSE(has(link::PeerDown{}, fourth));
}
