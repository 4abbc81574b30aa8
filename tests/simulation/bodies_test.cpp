// Goal: a source that brings a body badly, slowly or not at all keeps no other source from bringing
// it. The parts kept of bodies that never become whole are bounded.
// Method: a member takes the bodies that an honest office opens, and brings them to another office
// as it likes.
#include <catch2/catch.hpp>

#include "proto/limits.h"
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

// The stream that `author` opens to a peer that lacks all of its records.
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
    // Streams are opened and not one byte of a body comes: nothing is kept.
    for (std::uint32_t stream = 1; stream <= 8; ++stream) {
        open(stream, stream);
    }
    CHECK(world.ledger(hq).partials().empty());
    CHECK(world.ledger(hq).meta().carried_bytes == 0);
    for (std::uint32_t stream = 9; stream <= 60; ++stream) {
        open(stream, stream);
        world.say(hq, link, Chunk{stream, 1, 0, Bytes(1000, std::byte{1})});
        world.say(hq, link, Chunk{stream, 1, 5, Bytes(1000, std::byte{1})});  // out of place: ends
                                                                              // the stream
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

TEST_CASE("a stream of one who has not said who it is harms nothing", "[simulation]") {
    World world(88, bodies_offices, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, 20'000).value();
    const auto opened = opened_by(world, hyesan);
    const auto link = world.link_by_hand(hq, thief);
    world.say(hq, link, opened);
    world.say(hq, link, Chunk{opened.stream, 1, 0, Bytes(100, std::byte{0x55})});
    world.say(hq, link, StreamResumed{opened.stream + 1, {}});
    world.connect(hyesan, hq);
    world.run_for(1min);
    CHECK(world.has_received(hq, report));
    CHECK(world.is_settled(hq, hyesan));
    world.check_everything();
}

TEST_CASE("an urgent body that two bring at the same moment comes whole", "[simulation]") {
    World world(89, bodies_offices, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::urgent, 100'000).value();
    const auto body = bodies_on(world, world.write_bundle(hyesan).value().bytes).at(0);
    const auto first = world.link_by_hand(hq, thief);
    const auto second = world.link_by_hand(hq, wonsan);
    for (const auto link : {first, second}) {
        world.say(hq, link, greeting(world));
        world.say(hq, link, body.opened);
    }
    // Each part comes over both links. They take turns in bringing a part first.
    for (std::uint32_t part = 1; part <= body.parts.size(); ++part) {
        world.say(hq, part % 2 == 0 ? second : first, chunk_of(body, part));
        world.say(hq, part % 2 == 0 ? first : second, chunk_of(body, part));
    }
    CHECK(world.has_received(hq, report));
    CHECK(world.ledger(hq).partials().empty());
    world.check_everything();
}

TEST_CASE("bodies under way in more logs than an author may have are not kept", "[simulation]") {
    World world(90, bodies_offices, {});
    world.connect(hyesan, hq);
    const auto link = world.link_by_hand(hq, thief);
    world.say(hq, link, greeting(world));
    auto header = write_as(world, thief, hq, 1).header;
    std::vector<BodyInParts> bodies;
    for (std::uint16_t life = 1; life <= limits::logs_per_office_max + 3; ++life) {
        header.log.incarnation = {life, 7};
        // Records of the first author. The last few streams are open before any byte of them has
        // come.
        if (life <= limits::logs_per_office_max - 4) {
            auto one = write_as(world, thief, hq, 1);
            one.header.log = header.log;
            world.say(hq, link, signed_by(world, thief, one));
            continue;
        }
        bodies.push_back(body_signed_by(world, thief, header, Bytes(5'000, std::byte{1})));
        bodies.back().opened.stream = life;
        world.say(hq, link, bodies.back().opened);
    }
    for (const auto& body : bodies) {
        world.say(hq, link, chunk_of(body, 1, 0, 100));
    }
    for (const auto& body : bodies) {
        world.say(hq, link, chunk_of(body, 1, 100));
    }
    // And every office can read its leaf (World::check).
    const auto report = world.queue(hq, {hyesan}, RecordClass::normal).value();
    world.run_for(1min);
    CHECK(world.has_received(hyesan, report));
    world.hang_up(hq, link);
    world.check_everything();
}

TEST_CASE("nobody pushes out a body that is nearly here by bringing others of its author",
          "[simulation][slow]") {
    // The largest size that a body may have. With smaller bodies the limit on one author's bytes on
    // disk would not be reached.
    constexpr std::size_t size = 64'000'000;
    constexpr std::uint64_t nearly = 60'000'000;
    World world(85, bodies_offices, {});
    const auto large = world.queue(hyesan, {hq}, RecordClass::normal, size).value();
    const auto checked = [&](const storage::ReportKey& report) {
        std::uint64_t bytes = 0;
        for (const auto& [id, one] : world.ledger(hq).partials()) {
            bytes += storage::report_in(one.log, one.run.first) == report ? one.checked_bytes : 0;
        }
        return bytes;
    };
    world.connect(hyesan, hq);
    while (checked(large) < nearly) {
        REQUIRE(world.step());
    }
    world.cut(hyesan, hq);
    // A carrier gets the later records by a stick. It brings one part of each true body.
    std::size_t rest = 0;
    for (int i = 0; i < 20; ++i) {
        rest += 300'000;
        world.queue(hyesan, {hq}, RecordClass::normal, 300'000);
    }
    const auto stick = world.write_bundle(hyesan).value();
    std::uint32_t stream = 0;
    for (int meeting = 0; meeting < 3; ++meeting) {
        const auto link = world.link_by_hand(hq, thief);
        world.say(hq, link, greeting(world));
        for (auto& body : bodies_on(world, stick.bytes)) {
            if (storage::report_in(body.header.log, body.header.number) == large) {
                continue;
            }
            body.opened.stream = ++stream;
            world.say(hq, link, body.opened);
            for (std::uint32_t part = 1; part <= 4; ++part) {
                world.say(hq, link, chunk_of(body, part));
            }
            world.say(hq, link, Chunk{stream, 9, 9, Bytes(1)});  // out of place: over
        }
        world.hang_up(hq, link);
        CHECK(world.ledger(hq).partials().size() == limits::partials_max);
        CHECK(checked(large) >= nearly);
    }
    const auto before = world.bytes_sent();
    world.connect(hyesan, hq);
    world.run_for(5min);
    CHECK(world.has_received(hq, large));
    CHECK(world.bytes_sent() - before < (size - nearly) + size * 5 / 100 + rest);
    CHECK(world.is_settled(hq, hyesan));
    CHECK(world.ledger(hq).partials().empty());
    world.check_everything();
}

TEST_CASE("a body that is resumed where nothing of it is any more is opened anew", "[simulation]") {
    const auto record_class = GENERATE(RecordClass::urgent, RecordClass::normal);
    CAPTURE(static_cast<int>(record_class));
    constexpr auto latency = 1s;
    World world(86, bodies_offices, {.latency = latency});
    const auto report = world.queue(hyesan, {hq}, record_class, 60'000).value();
    const engine::LinkPolicy slow{.bytes_per_second = 5'000};
    world.connect(hyesan, hq, slow, slow);
    while (world.ledger(hq).partials().empty() ||
           world.ledger(hq).partials().begin()->second.checked_bytes == 0) {
        REQUIRE(world.step());
    }
    world.cut(hyesan, hq);
    const auto pushed_out = world.ledger(hq).partials().begin()->first;
    for (std::size_t i = 0; i < limits::partials_max; ++i) {
        world.queue(hyesan, {hq}, record_class, 200'000);
    }
    const auto stick = world.write_bundle(hyesan).value();
    world.connect(hyesan, hq);
    // By now hq has told which parts of that body it has. Before the author goes on, a carrier
    // brings more of other bodies.
    world.run_for(latency * 5 / 2);
    REQUIRE(world.ledger(hq).partials().contains(pushed_out));
    const auto link = world.link_by_hand(hq, thief);
    world.say(hq, link, greeting(world));
    std::uint32_t stream = 0;
    for (auto& body : bodies_on(world, stick.bytes)) {
        if (body.id == pushed_out) {
            continue;
        }
        body.opened.stream = ++stream;
        world.say(hq, link, body.opened);
        for (std::uint32_t part = 1; part <= 6; ++part) {
            world.say(hq, link, chunk_of(body, part));
        }
    }
    world.hang_up(hq, link);
    REQUIRE_FALSE(world.ledger(hq).partials().contains(pushed_out));
    world.run_for(5min);
    CHECK(world.has_received(hq, report));
    for (const auto& [other, to] : world.promised()) {
        CHECK(world.has_received(hq, other));
    }
    CHECK(world.is_settled(hq, hyesan));
    CHECK(world.offences(hq, hyesan).empty());
    world.check_everything();
}

TEST_CASE("who opens one stream too many each second does not put off the others for longer",
          "[simulation]") {
    World world(92, bodies_offices, {});
    constexpr std::uint32_t streams = 40;
    for (std::uint32_t i = 0; i < streams; ++i) {
        REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal, 60'000));
    }
    auto bodies = bodies_on(world, world.write_bundle(hyesan).value().bytes);
    REQUIRE(bodies.size() == streams);
    const auto link = world.link_by_hand(hq, thief);
    world.say(hq, link, greeting(world));
    int told = 0;
    for (std::uint32_t i = 0; i < streams; ++i) {
        bodies[i].opened.stream = i + 1;
        for (const auto& message : world.say(hq, link, bodies[i].opened)) {
            const auto frames = frames_of(message).value();
            told += static_cast<int>(std::ranges::count_if(frames, [](BytesView bytes) {
                return std::holds_alternative<Summary>(decode_frame(bytes).value());
            }));
        }
        world.run_for(1s);
    }
    // Five seconds after the first, hq asked again for the bodies that it had no room for.
    CHECK(told > 1);
}

TEST_CASE("a body that was put off after all of it was sent is sent again when it is asked for",
          "[simulation]") {
    World world(91, bodies_offices, {});
    REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal, 20'000));
    const auto link = world.link_by_hand(hyesan, thief);
    // Its credit allows one frame under way.
    auto hello = greeting(world);
    hello.credit_bytes = 1;
    world.say(hyesan, link, hello);
    const Summary nothing{true, {}};
    auto said = world.say(hyesan, link, nothing);
    std::uint64_t arrived = 0;
    std::uint32_t opened = 0;
    std::uint64_t missing = 1;
    const auto read_all = [&] {
        for (const auto& message : said) {
            const auto frames = frames_of(message).value();
            for (const auto bytes : frames) {
                const auto frame = decode_frame(bytes).value();
                arrived += is_data(frame) ? bytes.size() : 0;
                if (const auto* begun = std::get_if<StreamOpened>(&frame)) {
                    opened = begun->stream;
                    ByteReader in(begun->elided_header);
                    missing = restore_header(in, nullptr).value().body_bytes;
                }
                if (const auto* chunk = std::get_if<Chunk>(&frame)) {
                    missing -= chunk->bytes.size();
                }
            }
        }
    };
    read_all();
    while (missing > 0) {
        REQUIRE_FALSE(said.empty());
        said = world.say(hyesan, link, Acknowledged{arrived});
        read_all();
    }
    const auto put_off = opened;
    world.say(hyesan, link, Skip{put_off, SkipReason::later});
    world.say(hyesan, link, nothing);
    do {
        said = world.say(hyesan, link, Acknowledged{arrived});
        read_all();
    } while (!said.empty() && opened == put_off);
    CHECK(opened != put_off);
}

TEST_CASE("a carrier whose disk is damaged brings nothing wrong, and the body comes by others",
          "[simulation]") {
    // The list of its segments, one of them, or a body in one piece.
    const auto [size, part] = GENERATE(std::pair<std::size_t, std::uint32_t>{20'000, 1},
                                       std::pair<std::size_t, std::uint32_t>{100'000, 1},
                                       std::pair<std::size_t, std::uint32_t>{100'000, 4});
    const bool is_by_author = GENERATE(true, false);
    CAPTURE(size, part, is_by_author);
    World world(87, bodies_offices, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, size).value();
    for (const Node carrier : {thief, wonsan}) {
        world.connect(hyesan, carrier);
        world.run_for(1min);
        world.cut(hyesan, carrier);
    }
    REQUIRE(world.spoil(thief, storage::Table::parts, part - 1));
    world.connect(thief, hq);
    world.run_for(1min);
    CHECK_FALSE(world.has_received(hq, report));
    CHECK(world.offences(hq, thief).empty());
    const Node other = is_by_author ? hyesan : wonsan;
    world.connect(other, hq);
    world.run_for(1min);
    CHECK(world.has_received(hq, report));
    CHECK(world.is_settled(hq, other));
    CHECK(world.offences(hq, other).empty());
    // And the office with the bad disk is in step again when they meet anew.
    world.connect(thief, hq);
    world.run_for(1min);
    CHECK(world.is_settled(hq, thief));
}

TEST_CASE("a stream whose signature does not verify is answered bad: its record may be a good one",
          "[simulation]") {
    World world(88, bodies_offices, {});
    REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal, 100'000).has_value());
    const auto stick = world.write_bundle(hyesan).value();
    auto body = bodies_on(world, stick.bytes).front();
    body.opened.body_hash.bytes[0] ^= std::byte{1};
    const auto said =
        world.talk(hq, thief, {encode_frame(greeting(world)), encode_frame(body.opened)});
    const auto is_bad = [](const Bytes& message) {
        const auto frames = frames_of(message).value();
        return std::ranges::any_of(frames, [](BytesView bytes) {
            const auto frame = decode_frame(bytes).value();
            const auto* skip = std::get_if<Skip>(&frame);
            return skip != nullptr && skip->reason == SkipReason::bad;
        });
    };
    CHECK(std::ranges::any_of(said, is_bad));
    CHECK_FALSE(world.offences(hq, thief).empty());
}
