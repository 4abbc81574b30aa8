// Goal: a key that the roster does not know can bring a newer roster in, and nothing else.
// Method: an office in memory with a stranger at its door.
#include "daemon/engine/session/door.h"

#include "proto/limits.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;

namespace {

constexpr engine::LinkId their_link{1};

// Its offices stay where they are when others are admitted.
Network network_with_room() {
    auto network = make_network({"hq", "hyesan"});
    network.offices.reserve(8);
    return network;
}

// hq knows itself and hyesan. The camp was admitted since, and comes to the door.
struct AtTheDoor {
    Network network = network_with_room();
    LoneOffice hq{network, 0};
    engine::Door door;
    std::vector<Frame> told{};  // over the link

    AtTheDoor() {
        network.admit("camp");
        door.open(hq.ledger(), their_link, network.offices[2].machine.link.public_key,
                  LoneOffice::now());
    }
    [[nodiscard]] std::uint32_t version() { return hq.ledger().roster().version(); }
    void say(BytesView bytes) {
        engine::Consequences out;
        door.receive(hq.ledger(), their_link, bytes, LoneOffice::now(), out);
        hq.notices().insert(hq.notices().end(), out.notify.begin(), out.notify.end());
        for (const auto& sent : out.send) {
            CHECK(sent.link == their_link);
            told.push_back(decode_frame(sent.bytes).value());
        }
    }
    void say(const Frame& frame) { say(encode_frame(frame)); }
    [[nodiscard]] bool is_turned_away() {
        return !door.is_at(their_link) && std::ranges::any_of(hq.notices(), [](const auto& notice) {
            return std::holds_alternative<engine::CloseLink>(notice);
        });
    }
};

Hello hello_with(std::uint32_t roster_version) {
    Hello hello;
    hello.roster_version = roster_version;
    return hello;
}

}  // namespace

TEST_CASE("a stranger with a newer roster is known by it from then on", "[engine]") {
    AtTheDoor at;
    at.say(hello_with(3));
    CHECK(at.door.is_at(their_link));
    REQUIRE(at.version() == 2);
    at.say(RosterNews{at.network.changes});
    CHECK(at.version() == 3);
    CHECK(at.hq.ledger().roster().find("camp") != nullptr);
    // The office dials again, and is let in as a member.
    CHECK(at.is_turned_away());
}

TEST_CASE("a stranger with nothing newer is turned away at its first word", "[engine]") {
    AtTheDoor at;
    at.say(hello_with(2));
    CHECK(at.is_turned_away());
}

TEST_CASE("a stranger that says anything but a roster is turned away, and nothing is kept",
          "[engine]") {
    AtTheDoor at;
    const auto digest = at.hq.ledger().digest();
    const auto before = at.hq.write();
    SECTION("a summary") {
        at.say(Summary{});
    }
    SECTION("a register") {
        Register entry;
        entry.key = {at.network.offices[1].index, 77, {}};
        entry.version = {{1, 7}, 9};
        entry.at = founded_at;
        crypto::sign_register(at.network.offices[1].machine.identity, at.network.id(), entry);
        at.say(RegisterNews{{entry}});
    }
    SECTION("bytes") {
        at.say(bytes_of("GET / HTTP/1.1"));
    }
    SECTION("a roster that the authority did not sign") {
        auto forged = at.network.changes.back();
        std::get<Admit>(forged.statements.front()).role = Role::hq;
        at.say(RosterNews{{forged}});
    }
    SECTION("a roster with a gap") {
        at.network.admit("other");
        at.say(RosterNews{{at.network.changes.back()}});
    }
    CHECK(at.is_turned_away());
    CHECK(at.version() == 2);
    CHECK(at.hq.ledger().digest() == digest);
    CHECK((at.hq.write() == before));
}

TEST_CASE("a stranger's time and bytes are limited, and a roster that goes on gives it more",
          "[engine]") {
    AtTheDoor at;
    const auto later = [](std::chrono::milliseconds by) { return Now{Instant{by}, founded_at}; };
    REQUIRE(at.door.wake_at().has_value());
    const auto until = at.door.wake_at()->since_start;
    at.door.close_late(later(until - 1ms), at.hq.notices());
    CHECK(at.door.is_at(their_link));
    SECTION("time") {
        at.door.close_late(later(until), at.hq.notices());
        CHECK(at.is_turned_away());
        CHECK_FALSE(at.door.wake_at().has_value());
    }
    SECTION("a part of the roster") {
        at.network.admit("other");
        // The stranger is the second of the two that are new.
        at.door.open(at.hq.ledger(), their_link, at.network.offices[3].machine.link.public_key,
                     LoneOffice::now());
        engine::Consequences out;
        at.door.receive(at.hq.ledger(), their_link,
                        encode_frame(RosterNews{{at.network.changes[2]}}), later(until - 1ms), out);
        at.door.close_late(later(until), at.hq.notices());
        CHECK(at.door.is_at(their_link));
    }
    SECTION("bytes: the same old roster again and again") {
        std::size_t said = 0;
        const auto frame = encode_frame(RosterNews{{at.network.changes[0], at.network.changes[1]}});
        for (; at.door.is_at(their_link) && said < 2 * limits::roster_continuation_bytes_max;
             said += frame.size()) {
            at.say(frame);
        }
        CHECK(at.is_turned_away());
        CHECK(said <= limits::roster_continuation_bytes_max + frame.size());
    }
}

TEST_CASE("an invitation that was used is told once its office has had time to come by its own key",
          "[engine]") {
    auto network = network_with_room();
    const OfficeId camp{9};
    const auto one_time = crypto::BoxKeyPair::random().public_key;
    network.change({Invitation{.index = camp,
                               .one_time_signing = crypto::SigningKey::random().public_key(),
                               .one_time_box = one_time,
                               .expires = founded_at.plus(86400),
                               .name = "camp"}},
                   founded_at);
    const auto machine = crypto::MachineKeys::random(network.founding_key());
    network.change({Admit{.index = camp,
                          .identity = machine.identity.public_key(),
                          .link = machine.link.public_key,
                          .mail = crypto::MailKeys::random().signing.public_key(),
                          .name = "camp"}},
                   founded_at);
    LoneOffice hq(network, 0);
    engine::Door door;
    const auto version = hq.ledger().roster().version();
    const auto come = [&](std::chrono::milliseconds at) {
        const Now now{Instant{at}, founded_at};
        engine::Consequences out;
        door.open(hq.ledger(), their_link, one_time, now);
        door.receive(hq.ledger(), their_link, encode_frame(hello_with(version)), now, out);
        CHECK_FALSE(door.is_at(their_link));
        return std::ranges::any_of(out.notify, [](const auto& notice) {
            const auto* happened = std::get_if<engine::Happened>(&notice);
            return happened != nullptr && happened->event.what == engine::What::invitation_reused;
        });
    };
    SECTION("a burst is of one machine that tries its two keys at several addresses") {
        for (int i = 0; i < 20; ++i) {
            CHECK_FALSE(come(100ms * i));
        }
    }
    SECTION("again and again is another machine") {
        int told = 0;
        for (int i = 0; i < 30; ++i) {
            told += come(20s * i) ? 1 : 0;
        }
        CHECK(told == 1);
    }
    SECTION("the office came by its own key before") {
        door.let_in(hq.ledger(), camp);
        CHECK(come(0ms));
    }
}

TEST_CASE("an office that was shut out hears of it, and of nothing after that", "[engine]") {
    auto network = network_with_room();
    network.admit("camp");
    Revoke revoke;
    revoke.index = network.offices[2].index;
    network.change({revoke}, founded_at);
    network.admit("after");
    LoneOffice hq(network, 0);
    REQUIRE(hq.ledger().roster().version() == 5);
    engine::Door door;
    engine::Consequences out;
    door.open(hq.ledger(), their_link, network.offices[2].machine.link.public_key,
              LoneOffice::now());
    const auto say = [&](const Frame& frame) {
        door.receive(hq.ledger(), their_link, encode_frame(frame), LoneOffice::now(), out);
    };
    SECTION("it does not know yet") {
        say(hello_with(2));
        REQUIRE(out.send.size() == 1);
        const auto frame = decode_frame(out.send.front().bytes).value();
        const auto& news = std::get<RosterNews>(frame);
        CHECK((news.changes == std::vector{network.changes[2], network.changes[3]}));
        // Its link ends only after the frames had time to arrive.
        CHECK(door.is_at(their_link));
        say(hello_with(2));
        CHECK(out.send.size() == 1);
    }
    SECTION("it knows") {
        say(hello_with(4));
        CHECK(out.send.empty());
        CHECK_FALSE(door.is_at(their_link));
    }
    SECTION("it says something else") {
        say(RosterNews{network.changes});
        CHECK(out.send.empty());
        CHECK_FALSE(door.is_at(their_link));
    }
    door.close_late({Instant{10s}, founded_at}, out.notify);
    CHECK_FALSE(door.is_at(their_link));
}

TEST_CASE("an office that knows that it is retiring hears that it has retired", "[engine]") {
    auto network = network_with_room();
    network.admit("camp");
    Retire retire;
    retire.index = network.offices[2].index;
    network.change({retire}, founded_at);
    network.admit("after");
    retire.closed = CutOff{};
    network.change({retire}, founded_at);
    LoneOffice hq(network, 0);
    REQUIRE(hq.ledger().roster().version() == 6);
    engine::Door door;
    engine::Consequences out;
    door.open(hq.ledger(), their_link, network.offices[2].machine.link.public_key,
              LoneOffice::now());
    door.receive(hq.ledger(), their_link, encode_frame(hello_with(5)), LoneOffice::now(), out);
    REQUIRE(out.send.size() == 1);
    const auto frame = decode_frame(out.send.front().bytes).value();
    CHECK(std::get<RosterNews>(frame).changes == std::vector{network.changes[5]});
}
