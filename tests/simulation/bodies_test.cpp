// Goal: nobody who brings a body badly, slowly or not at all keeps it from coming by others, and
// what is kept of bodies that never become whole is bounded.
// Method: a member takes what an honest office opens, and brings it to another as it likes.
#include <catch2/catch.hpp>

#include "proto/link_message.h"
#include "tests/simulation/forging.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;

namespace {

constexpr Node thief = 2;
const std::vector<std::string> bodies_offices = {"hq", "hyesan", "thief", "wonsan"};

Hello greeting(const World& world) {
    Hello hello;
    hello.roster_version = world.network().roster.version();
    hello.roster_head = short_hash(world.network().roster.head());
    hello.digest.bytes.fill(std::byte{7});
    hello.credit_bytes = 1U << 20;
    hello.clock = founded_at.plus(3600);
    hello.carries = true;
    return hello;
}

// What `author` opens to whoever lacks everything of its own.
StreamOpened opened_by(World& world, Node author) {
    const Summary nothing{true, {}};
    const auto heard =
        world.talk(author, thief, {encode_frame(greeting(world)), encode_frame(nothing)});
    for (const auto& message : heard) {
        const auto frames = frames_of(message).value();
        for (const auto bytes : frames) {
            const auto frame = decode_frame(bytes);
            REQUIRE(frame);
            if (const auto* opened = std::get_if<StreamOpened>(&*frame)) {
                return *opened;
            }
        }
    }
    FAIL("it opened nothing");
    return {};
}

Chunk wrong_bytes(std::uint32_t stream, std::size_t size) {
    return {stream, 1, 0, Bytes(size, std::byte{0x55})};
}

}  // namespace

TEST_CASE("wrong bytes of one who is gone cost a body one part, and no more", "[simulation]") {
    const auto record_class = GENERATE(RecordClass::urgent, RecordClass::normal);
    const std::size_t size = GENERATE(20'000, 100'000);
    CAPTURE(static_cast<int>(record_class), size);
    World world(81, bodies_offices, {});
    const auto report = world.queue(hyesan, {hq}, record_class, size).value();
    const auto opened = opened_by(world, hyesan);
    const auto link = world.link_by_hand(hq, thief);
    world.say(hq, link, greeting(world));
    world.say(hq, link, opened);
    world.say(hq, link, wrong_bytes(opened.stream, 3));
    const bool is_gone_before = GENERATE(true, false);
    if (is_gone_before) {
        world.hang_up(hq, link);
    }
    world.connect(hyesan, hq);
    world.run_for(2s);
    if (!is_gone_before) {
        world.hang_up(hq, link);
    }
    world.run_for(1min);
    CHECK(world.has_received(hq, report));
    CHECK(world.is_settled(hq, hyesan));
    // Nobody knows who spoiled it: nobody is named.
    CHECK(world.offences(hq, hyesan).empty());
    CHECK(world.ledger(hq).partials().empty());
    world.check_everything();
}

TEST_CASE("who brings a part that is wrong is named, and not asked for that body again",
          "[simulation]") {
    World world(82, bodies_offices, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, 20'000).value();
    auto opened = opened_by(world, hyesan);
    const auto link = world.link_by_hand(hq, thief);
    world.say(hq, link, greeting(world));
    for (int i = 0; i < 3; ++i) {
        opened.stream = static_cast<std::uint32_t>(i + 1);
        world.say(hq, link, opened);
        ByteReader in(opened.elided_header);
        const auto header = restore_header(in, nullptr).value();
        world.say(hq, link, wrong_bytes(opened.stream, header.body_bytes));
    }
    CHECK(world.offences(hq, thief) == "a part of a body that is not what its author signed; ");
    world.connect(hyesan, hq);
    world.run_for(1min);
    CHECK(world.has_received(hq, report));
    world.check_everything();
}

TEST_CASE("a body that somebody brings byte by byte is taken from who brings it faster",
          "[simulation]") {
    const auto record_class = GENERATE(RecordClass::urgent, RecordClass::normal);
    CAPTURE(static_cast<int>(record_class));
    World world(83, bodies_offices, {});
    const auto report = world.queue(hyesan, {hq}, record_class, 60'000).value();
    // By the author itself, or by another carrier.
    const bool is_from_author = GENERATE(true, false);
    if (!is_from_author) {
        world.connect(hyesan, wonsan);
        world.run_for(1min);
        world.crash(hyesan);
        world.restart(hyesan);
        world.cut(hyesan, wonsan);
    }
    const auto opened = opened_by(world, hyesan);
    const auto link = world.link_by_hand(hq, thief);
    world.say(hq, link, greeting(world));
    world.say(hq, link, opened);
    world.connect(is_from_author ? hyesan : wonsan, hq);
    for (std::uint32_t second = 0; second < 60; ++second) {
        world.say(hq, link, Chunk{opened.stream, 1, second, Bytes{std::byte{1}}});
        world.run_for(1s);
        if (second == 30) {
            CHECK(world.has_received(hq, report));
        }
    }
    world.hang_up(hq, link);
    world.run_for(1min);
    CHECK(world.is_settled(hq, is_from_author ? hyesan : wonsan));
    world.check_everything();
}

TEST_CASE("bodies that never become whole take a bounded room, and end with their records",
          "[simulation]") {
    World world(84, bodies_offices, {});
    const auto link = world.link_by_hand(hq, thief);
    world.say(hq, link, greeting(world));
    const auto author = world.keys(thief).index;
    Header header = write_as(world, thief, hq, 1).header;
    header.body_bytes = 1'000'000;
    header.lifetime_seconds = 86400;
    const auto open = [&](std::uint32_t stream, Number number) {
        header.number = number;
        StreamOpened opened;
        opened.stream = stream;
        opened.elided_header = elide_header(header, nullptr);
        opened.body_hash.bytes.fill(std::byte{9});
        opened.signature =
            crypto::sign_record(world.keys(thief).machine.identity, world.network().id(),
                                crypto::record_id(world.network().id(), header, opened.body_hash));
        world.say(hq, link, opened);
    };
    // Opened, and not one byte of it: nothing is kept.
    for (std::uint32_t stream = 1; stream <= 8; ++stream) {
        open(stream, stream);
    }
    CHECK(world.ledger(hq).partials().empty());
    CHECK(world.ledger(hq).meta().carried_bytes == 0);
    for (std::uint32_t stream = 9; stream <= 60; ++stream) {
        open(stream, stream);
        world.say(hq, link, Chunk{stream, 1, 0, Bytes(1000, std::byte{1})});
        world.say(hq, link, Chunk{stream, 1, 5, Bytes(1000, std::byte{1})});  // out of place: over
    }
    CHECK(world.ledger(hq).partials().size() <= limits::partials_max);
    for (const auto& [id, one] : world.ledger(hq).partials()) {
        CHECK(one.log.author == author);
    }
    world.hang_up(hq, link);
    world.run_for(48h);
    CHECK(world.ledger(hq).partials().empty());
    world.check_everything();
}
