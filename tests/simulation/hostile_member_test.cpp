// Goal: a member that lies is believed only in statements about itself.
// Method: frames made by hand, told to a whole engine as one of its peers, or left on a stick.
#include <catch2/catch.hpp>

#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "proto/limits.h"
#include "tests/simulation/lies.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;

namespace {

constexpr Node liar = 2;
const std::vector<std::string> names = {"hq", "hyesan", "liar", "wonsan"};

IntervalSet only(Number number) {
    return {{number, number}};
}

}  // namespace

TEST_CASE("a record that its author did not sign is refused, and who brought it is named",
          "[simulation]") {
    World world(20, names, {});
    world.tell(hq, liar, signed_by(world, liar, write_as(world, hyesan, hq, 1)));
    CHECK(world.inbox(hq).empty());
    CHECK(world.was_told(hq, What::offender));
    // The author can still use the number.
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    CHECK(world.times_happened(hq, What::received, *report) == 1);
}

TEST_CASE("a body that does not open is shown to nobody, and its author is told so",
          "[simulation]") {
    World world(21, names, {});
    auto forgery = write_as(world, wonsan, hq, 1);
    forgery.body.front() ^= std::byte{1};
    world.tell(hq, liar, signed_by(world, wonsan, forgery));
    CHECK(world.inbox(hq).empty());
    const LogKey log{world.keys(wonsan).index, {1, 7}, RecordClass::normal};
    CHECK(world.ledger(hq).log(log).unreadable.contains(1));
    CHECK_FALSE(world.ledger(hq).log(log).receipted.contains(1));
}

TEST_CASE("a report that says to be an answer is unreadable, for no list would show it",
          "[simulation]") {
    World world(21, names, {});
    auto forgery = write_as(world, wonsan, hq, 1, {}, RecordClass::reply);
    SECTION("by its class") {}
    SECTION("by its class and kind") {
        Report answer;
        answer.reply_to = world.reference_to(*world.queue(hq, {wonsan}, RecordClass::normal));
        forgery = write_as(world, wonsan, hq, 1, answer);  // without an outcome
    }
    world.tell(hq, liar, signed_by(world, wonsan, forgery));
    CHECK(world.inbox(hq).empty());
    CHECK(world.ledger(hq).log(forgery.header.log).unreadable.contains(1));
    world.check_everything();
}

TEST_CASE("a signed record of no number at all is nothing", "[simulation]") {
    World world(23, names, {});
    for (const bool has_count : {true, false}) {
        auto forgery = write_as(world, wonsan, hq, 1);
        forgery.header.number = has_count ? 0 : 1;
        forgery.header.count = has_count ? 1 : 0;
        world.tell(hq, wonsan, signed_by(world, wonsan, forgery));
    }
    auto last = write_as(world, wonsan, hq, record_number_max);
    last.header.count = 2;
    world.tell(hq, wonsan, signed_by(world, wonsan, last));
    CHECK(world.inbox(hq).empty());
    CHECK(world.was_told(hq, What::offender));
    world.check_everything();
}

TEST_CASE("a signed record of a log that nobody can name is remembered by nobody", "[simulation]") {
    World world(27, names, {});
    const auto report = world.queue(hyesan, {pyongyang}, RecordClass::normal);
    auto forgery = write_as(world, wonsan, hq, 1);
    forgery.header.log.incarnation = {};
    SECTION("over a link") {
        world.tell(hq, wonsan, signed_by(world, wonsan, forgery));
        CHECK(world.was_told(hq, What::offender));
    }
    SECTION("on a stick") {
        const auto read =
            world.read_bundle(hq, stick_with(world, {signed_by(world, wonsan, forgery)}));
        REQUIRE(read.has_value());
        CHECK(read->rejected == 1);
        CHECK_FALSE(world.was_told(hq, What::offender));
    }
    for (const auto& [log, state] : world.ledger(hq).logs()) {
        CHECK(log.incarnation.ordinal > 0);
    }
    // The next office that meets it understands its summaries.
    world.connect(hq, pyongyang);
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    CHECK_FALSE(world.was_told(pyongyang, What::offender));
    CHECK(world.has_received(pyongyang, *report));
    world.check_everything();
}

TEST_CASE("a number far ahead costs no more than any other", "[simulation]") {
    World world(22, names, {});
    const auto before = world.disk(hq).used_bytes;
    world.tell(hq, wonsan,
               signed_by(world, wonsan, write_as(world, wonsan, hq, record_number_max)));
    CHECK(world.inbox(hq).size() == 1);
    CHECK(world.disk(hq).used_bytes < before + 10'000);
    world.run_until_idle(1h);
    world.check_everything();
}

TEST_CASE("a receipt of an office that a report is not for delivers nothing", "[simulation]") {
    World world(23, names, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    world.connect(hyesan, liar);
    world.run_until_idle(1h);
    REQUIRE(world.times_happened(hyesan, What::carried, *report, liar) == 1);
    SECTION("its own") {
        world.tell(hyesan, liar,
                   RegisterNews{{receipt_of(world, liar, liar, only(report->origin.number), 900)}});
    }
    SECTION("in the recipient's name") {
        world.tell(hyesan, liar,
                   RegisterNews{{receipt_of(world, hq, liar, only(report->origin.number), 900)}});
        CHECK(world.was_told(hyesan, What::offender));
    }
    CHECK(world.times_happened(hyesan, What::delivered, *report) == 0);
    // The same receipt from the recipient is believed.
    world.tell(hyesan, liar,
               RegisterNews{{receipt_of(world, hq, hq, only(report->origin.number), 900)}});
    CHECK(world.times_happened(hyesan, What::delivered, *report, hq) == 1);
}

TEST_CASE("a member whose receipts name other records makes their author ask little",
          "[simulation]") {
    World world(28, names, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    world.connect(hyesan, wonsan);
    world.connect(hyesan, liar);
    world.run_until_idle(1h);
    auto lie = receipt_of(world, liar, liar, only(report->origin.number), 900);
    auto receipt = decode_receipt(lie.payload).value();
    receipt.logs.at(0).tops.bytes[0] ^= std::byte{1};
    const auto log = receipt.logs.at(0);
    for (std::uint16_t life = 2; receipt.logs.size() < limits::logs_per_office_max; ++life) {
        receipt.logs.push_back(log);
        receipt.logs.back().incarnation = {life, 1};
    }
    lie.payload = encode_receipt(receipt);
    const auto sent = world.bytes_sent();
    constexpr std::uint64_t times = 200;
    for (std::uint64_t i = 0; i < times; ++i) {
        lie.version.counter = 900 + i;
        crypto::sign_register(world.keys(liar).machine.identity, world.network().id(), lie);
        world.tell(hyesan, liar, RegisterNews{{lie}});
    }
    world.run_for(30s);
    // A proof asked for takes about 20 bytes. The receipt itself is passed on once a minute.
    CHECK(world.bytes_sent() < sent + 2 * lie.payload.size() + 4'000);
}

TEST_CASE("a receipt of records that their author does not know is kept, and proves nothing",
          "[simulation]") {
    World world(64, names, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    world.connect(hyesan, wonsan);  // made public
    world.run_until_idle(1h);
    auto lie = receipt_of(world, hq, hq, only(report->origin.number), 900);
    auto receipt = decode_receipt(lie.payload).value();
    receipt.logs.at(0).tops.bytes[0] ^= std::byte{1};
    lie.payload = encode_receipt(receipt);
    crypto::sign_register(world.keys(hq).machine.identity, world.network().id(), lie);
    world.tell(hyesan, hq, RegisterNews{{lie}});
    world.tell(wonsan, hq, RegisterNews{{lie}});
    world.run_until_idle(1h);
    CHECK(world.times_happened(hyesan, What::delivered, *report) == 0);
    CHECK(world.ledger(hyesan).log(log_of(*report)).held.contains(report->origin.number));
    // All offices keep the same register, also after a restart.
    for (const auto node : {hyesan, wonsan}) {
        world.crash(node);
        world.restart(node);
        CHECK(*world.ledger(node).newest(lie.key) == lie);
    }
    CHECK_FALSE(world.ledger(hyesan).meta().stopped);
    world.tell(hyesan, hq,
               RegisterNews{{receipt_of(world, hq, hq, only(report->origin.number), 901)}});
    CHECK(world.times_happened(hyesan, What::delivered, *report) == 1);
    CHECK_FALSE(world.ledger(hyesan).log(log_of(*report)).held.contains(report->origin.number));
}

TEST_CASE("a record that overlaps one which has ended is taken for its author's fork",
          "[simulation]") {
    World world(29, names, {});
    const auto told_with = [&](Number number, std::uint8_t count) {
        auto forgery = write_as(world, wonsan, hq, number);
        forgery.header.count = count;  // with another count it does not open, and ends as it is
                                       // kept
        world.tell(hq, wonsan, signed_by(world, wonsan, forgery));
    };
    const LogKey log{world.keys(wonsan).index, {1, 7}, RecordClass::normal};
    told_with(5, 3);
    REQUIRE(world.ledger(hq).log(log).is_terminal({5, 7}));
    told_with(1, 8);
    told_with(7, 10);
    CHECK(world.was_told(hq, What::fork));
    CHECK(world.ledger(hq).log(log).closed_from == 1);
    CHECK(world.ledger(hq).log(log).held.empty());
    // Peers can read hq's receipt and its leaf.
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    CHECK_FALSE(world.was_told(hyesan, What::offender));
    world.check_everything();
}

TEST_CASE("a run of which some has ended by its author's word is carried for the rest",
          "[simulation]") {
    World world(35, names, {});
    const LogKey log{world.keys(wonsan).index, {1, 7}, RecordClass::normal};
    auto statement = *world.ledger(wonsan).statement(log.author);
    statement.logs = {{{1, 7}, RecordClass::normal, 4, {}, only(2), {}}};
    world.tell(hq, wonsan, RegisterNews{{office_register(world, wonsan, statement)}});
    auto run = write_as(world, wonsan, hyesan, 1);
    run.header.count = 4;
    world.tell(hq, wonsan, signed_by(world, wonsan, run));
    CHECK(world.ledger(hq).log(log).held == IntervalSet{{1, 1}, {3, 4}});
    CHECK(world.ledger(hq).log(log).is_terminal({2, 2}));
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    CHECK(world.ledger(hyesan).log(log).unreadable.contains_all({1, 4}));
    CHECK(world.ledger(hq).log(log).is_terminal({1, 4}));
    world.check_everything();
}

TEST_CASE("a statement of custody counts for its signer only", "[simulation]") {
    World world(24, names, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    // Another office must have seen the report, or it has no id yet.
    world.connect(hyesan, wonsan);
    world.run_until_idle(1h);
    world.tell(hyesan, liar, custody_signed_by(world, hq, liar, 900));
    CHECK(world.was_told(hyesan, What::offender));
    CHECK(world.times_happened(hyesan, What::carried, *report, hq) == 0);
    world.tell(hyesan, liar, custody_signed_by(world, liar, liar, 900));
    CHECK(world.times_happened(hyesan, What::carried, *report, liar) == 1);
}

TEST_CASE("an acknowledgement of an office that a report is not for acknowledges nothing",
          "[simulation]") {
    World world(25, names, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    REQUIRE(world.times_happened(hyesan, What::delivered, *report) == 1);
    Report answer;
    answer.outcome = ReplyOutcome::accepted;
    answer.reply_to = world.reference_to(*report);
    world.tell(hyesan, liar, signed_by(world, liar, write_as(world, liar, hyesan, 1, answer)));
    CHECK(world.times_happened(hyesan, What::acknowledged, *report) == 0);
    world.tell(hyesan, liar, signed_by(world, hq, write_as(world, hq, hyesan, 1, answer)));
    CHECK(world.times_happened(hyesan, What::acknowledged, *report, hq) == 1);
}

TEST_CASE("an answer to another text, in another class or without a word acknowledges nothing",
          "[simulation]") {
    World world(27, names, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    REQUIRE(world.times_happened(hyesan, What::delivered, *report) == 1);
    const auto right = world.reference_to(*report);
    Report answer;
    answer.outcome = ReplyOutcome::accepted;
    const auto tell = [&](Number number, std::optional<RecordClass> record_class, bool is_read) {
        world.tell(hyesan, liar,
                   signed_by(world, hq, write_as(world, hq, hyesan, number, answer, record_class)));
        const auto log_class = record_class.value_or(RecordClass::reply);
        const auto& log = world.ledger(hyesan).log({world.keys(hq).index, {1, 7}, log_class});
        CHECK(log.receipted.contains(number) == is_read);
        CHECK(log.unreadable.contains(number) != is_read);
        return world.times_happened(hyesan, What::acknowledged, *report, hq);
    };
    // As if it answered another text, which this office had under that number before its store was
    // put back.
    answer.reply_to = right;
    answer.reply_to->hash.bytes.front() ^= std::byte{1};
    CHECK(tell(1, {}, true) == 0);
    answer.reply_to = right;
    CHECK(tell(1, RecordClass::normal, false) == 0);
    answer.outcome = ReplyOutcome::none;
    CHECK(tell(2, {}, false) == 0);
    CHECK(world.view(hyesan, *report).state == engine::State::delivered);
    answer.outcome = ReplyOutcome::accepted;
    CHECK(tell(3, {}, true) == 1);
    CHECK(world.view(hyesan, *report).state == engine::State::acknowledged);
}

TEST_CASE("an old register and an old statement of custody, told again, take nothing back",
          "[simulation]") {
    World world(26, names, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    world.connect(hyesan, wonsan);
    world.run_until_idle(1h);
    const auto old_receipt = receipt_of(world, hq, hq, {}, 800);
    auto old_custody = custody_signed_by(world, liar, liar, 800);
    old_custody.logs.clear();
    crypto::sign_custody(world.keys(liar).machine.identity, world.network().id(), old_custody);
    world.tell(hyesan, liar,
               RegisterNews{{receipt_of(world, hq, hq, only(report->origin.number), 900)}});
    world.tell(hyesan, liar, custody_signed_by(world, liar, liar, 900));
    world.tell(hyesan, liar, RegisterNews{{old_receipt}});
    world.tell(hyesan, liar, old_custody);
    const RegisterKey key = old_receipt.key;
    CHECK(world.ledger(hyesan).newest(key)->version.counter == 900);
    CHECK(world.times_happened(hyesan, What::delivered, *report, hq) == 1);
    CHECK(world.times_happened(hyesan, What::uncarried, *report) == 0);
    CHECK_FALSE(world.was_told(hyesan, What::offender));
}

TEST_CASE("a receipt can be read, whatever its author wrote and calls done", "[simulation]") {
    World world(28, names, {});
    world.connect(hq, hyesan);
    // More runs than a receipt holds: every second number is read, and the others are refused.
    constexpr Number written = 2'300;
    RecordNews news;
    std::optional<Neighbour> before;
    IntervalSet refused;
    for (Number number = 1; number <= written; ++number) {
        auto one = write_as(world, liar, hq, number);
        if (number % 2 == 0) {
            one.header.kind = record_kinds;
            refused.add({number, number});
        }
        news.records.push_back(entry_signed_by(world, liar, one, before));
        if (news.records.size() == 100) {
            world.tell(hq, liar, std::exchange(news, {}));
            before.reset();
        }
    }
    OfficeStatement statement = *world.ledger(hq).statement(world.keys(liar).index);
    statement.logs = {{{1, 7}, RecordClass::normal, written, {}, refused, {}}};
    world.tell(hq, liar, RegisterNews{{office_register(world, liar, statement)}});
    world.tell(hq, liar, signed_by(world, liar, write_as(world, liar, hq, written + 1)));
    world.run_for(1min);
    CHECK(world.offences(hyesan, hq).empty());
    const RegisterKey key{world.keys(hq).index, static_cast<std::uint8_t>(RegisterKind::receipt),
                          receipt_subject(world.keys(liar).index)};
    REQUIRE(world.ledger(hyesan).newest(key) != nullptr);
    CHECK(world.ledger(hyesan).newest(key)->version == world.ledger(hq).newest(key)->version);
    world.check_everything();
}

TEST_CASE("a body that nobody needs any more is given up on its way, and leaves nothing",
          "[simulation]") {
    World world(27, names, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, 60'000);
    world.connect(hyesan, liar);
    const auto& partials = world.ledger(liar).partials();
    while (partials.empty() || partials.begin()->second.checked.count() < 2) {
        REQUIRE(world.step());
    }
    // The author says that they are done. Its statement comes by another link.
    auto statement = *world.ledger(hyesan).statement(world.keys(hyesan).index);
    statement.logs = {
        {{1, 7}, RecordClass::normal, report->origin.number, {}, only(report->origin.number), {}}};
    world.tell(liar, hq, RegisterNews{{office_register(world, hyesan, statement)}});
    const auto sent = world.bytes_sent();
    // Afterwards hyesan goes on in a new incarnation, and sends the report again.
    world.run_for(4s);
    CHECK(world.ledger(liar).partials().empty());
    CHECK(world.disk(liar).tables[static_cast<std::size_t>(storage::Table::parts)].empty());
    // Only the bytes under way were sent.
    CHECK(world.bytes_sent() < sent + 30'000);
}

TEST_CASE("what a stick says in another's name to have is not believed", "[simulation]") {
    World world(30, names, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto forged = stick_with(world, has_everything(world, hq, liar));
    CHECK(world.read_bundle(hyesan, forged)->rejected == 0);
    CHECK_FALSE(world.read_bundle(hyesan, forged)->writer);
    const auto bundle = world.write_bundle(hyesan, {hq}).value();
    CHECK(bundle.reports == 1);
    world.read_bundle(hq, bundle.bytes);
    CHECK(world.times_happened(hq, What::received, report) == 1);
    // About itself the liar may say that: it is brought nothing, and other offices still are.
    world.read_bundle(hyesan, stick_with(world, has_everything(world, liar, liar)));
    world.queue(hyesan, {hq}, RecordClass::normal);
    CHECK(world.write_bundle(hyesan, {liar}).value().reports == 0);
    CHECK(world.write_bundle(hyesan).value().reports == 2);
    world.check_everything();
}

TEST_CASE("a file that only seems to hold what others carry is not relied on", "[simulation]") {
    World world(34, names, {});
    world.queue(hyesan, {hq}, RecordClass::normal);
    world.queue(hyesan, {hq}, RecordClass::bulk, 100'000);
    const auto honest = world.write_bundle(hyesan).value();
    world.read_bundle(wonsan, honest.bytes);
    const auto frames = frames_on(world, honest.bytes);
    const auto held = [&](Node reader, const std::vector<Frame>& read) {
        return world.read_bundle(reader, stick_with(world, read)).value().holds;
    };
    REQUIRE(held(wonsan, frames) == honest.holds);
    // None of these files brings the record to an office that lacks it. They do not count either
    // for this office's own records.
    const auto all_but = [&](auto&& spoil) {
        std::vector<Frame> spoilt;
        for (auto frame : frames) {
            if (spoil(frame)) {
                spoilt.push_back(std::move(frame));
            }
        }
        return spoilt;
    };
    const auto bad_signatures = all_but([](Frame& frame) {
        if (auto* news = std::get_if<RecordNews>(&frame)) {
            ByteReader in(news->records.at(0));
            REQUIRE(restore_header(in, nullptr));
            news->records[0][news->records[0].size() - in.left()] ^= std::byte{1};
        }
        if (auto* opened = std::get_if<StreamOpened>(&frame)) {
            opened->signature.bytes[0] ^= std::byte{1};
        }
        return true;
    });
    const auto hollow = all_but([](Frame& frame) {
        if (auto* chunk = std::get_if<Chunk>(&frame)) {
            chunk->offset += static_cast<std::uint32_t>(chunk->bytes.size()) - 1;
            chunk->bytes = {chunk->bytes.back()};
        }
        return !std::holds_alternative<RecordNews>(frame);
    });
    const auto changed = all_but([](Frame& frame) {
        if (auto* chunk = std::get_if<Chunk>(&frame); chunk != nullptr && chunk->part == 3) {
            chunk->bytes[5] ^= std::byte{1};
        }
        return !std::holds_alternative<RecordNews>(frame);
    });
    const auto opened_only = all_but([](Frame& frame) {
        return !std::holds_alternative<Chunk>(frame) && !std::holds_alternative<RecordNews>(frame);
    });
    std::vector<Frame> crumbs;  // small chunks that only cost reading the disk
    for (const auto& frame : opened_only) {
        crumbs.push_back(frame);
    }
    for (const auto& frame : frames) {
        const auto* chunk = std::get_if<Chunk>(&frame);
        for (std::uint32_t at = 0; chunk != nullptr && at < chunk->bytes.size(); at += 1000) {
            const auto some = BytesView(chunk->bytes).subspan(at);
            crumbs.emplace_back(
                Chunk{chunk->stream, chunk->part, chunk->offset + at,
                      to_bytes(some.first(std::min<std::size_t>(1000, some.size())))});
        }
    }
    CHECK(held(wonsan, crumbs).empty());
    int which = 0;
    for (const auto& spoilt : {bad_signatures, hollow, changed, opened_only}) {
        CAPTURE(which++);
        CHECK(held(wonsan, spoilt).empty());
        CHECK(held(hyesan, spoilt).empty());
        CHECK(held(liar, spoilt).empty());
    }
    world.check_everything();
}

TEST_CASE("an old stick that is put in again takes nothing back", "[simulation]") {
    World world(31, names, {});
    const auto before = world.write_bundle(hq).value();
    world.queue(hyesan, {hq}, RecordClass::normal);
    world.read_bundle(hq, world.write_bundle(hyesan).value().bytes);
    const auto after = world.write_bundle(hq).value();
    world.read_bundle(hyesan, after.bytes);
    CHECK(world.write_bundle(hyesan, {hq}).value().reports == 0);
    world.read_bundle(hyesan, before.bytes);
    CHECK(world.ledger(hyesan).had_less().empty());
    CHECK(world.write_bundle(hyesan, {hq}).value().reports == 0);
    CHECK(world.read_bundle(hyesan, after.bytes)->new_reports == 0);
    world.check_everything();
}

TEST_CASE("nothing that an office wrote after it was cut off comes by its stick", "[simulation]") {
    World world(32, names, {});
    const auto report = world.queue(liar, {hq}, RecordClass::normal).value();
    const auto bundle = world.write_bundle(liar).value();
    world.change_roster({Revoke{world.keys(liar).index, {}, "taken at a border"}});
    const auto taken = world.read_bundle(hq, bundle.bytes);
    CHECK(taken->new_reports == 0);
    CHECK(world.times_happened(hq, What::received, report) == 0);
    // Nor if the liar leaves its name out: a record that it wrote is still its own.
    const auto signed_record = signed_by(world, liar, write_as(world, liar, hq, 9));
    const auto nameless = world.read_bundle(hq, stick_with(world, {signed_record}));
    CHECK(nameless->new_reports == 0);
    CHECK(nameless->rejected == 1);
    world.check_everything();
}

TEST_CASE("a stick full of lies costs its reader time, and nothing else", "[simulation]") {
    World world(33, names, {});
    std::vector<Frame> frames;
    for (Number number = 1; number <= 40; ++number) {
        auto forgery = write_as(world, hyesan, hq, number);
        frames.emplace_back(signed_by(world, liar, forgery));
        // Not as long as its header says, with another length each time.
        RecordNews broken;
        forgery.header.body_bytes += number;
        ByteWriter out;
        out.raw(elide_header(forgery.header, nullptr));
        out.raw(Bytes(64 + number));
        broken.records.push_back(out.take());
        // And records of impossible runs, with other words in the error each time.
        ByteWriter impossible;
        forgery.header.body_bytes -= number;
        forgery.header.count = static_cast<std::uint8_t>(64 + number);
        impossible.raw(elide_header(forgery.header, nullptr));
        impossible.raw(Bytes(100));
        broken.records.push_back(impossible.take());
        frames.emplace_back(std::move(broken));
        frames.emplace_back(StreamOpened{number, elide_header(forgery.header, nullptr), {}, {}});
        frames.emplace_back(Chunk{number, 1, 0, Bytes(100)});
    }
    const auto good = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto partials = world.ledger(hq).partials().size();
    const auto taken = world.read_bundle(hq, stick_with(world, frames));
    CHECK(taken->new_reports == 0);
    CHECK(taken->rejected == 160);
    CHECK(taken->reasons.size() <= 17);
    CHECK(world.ledger(hq).partials().size() == partials);
    CHECK(world.inbox(hq).empty());
    world.read_bundle(hq, world.write_bundle(hyesan).value().bytes);
    CHECK(world.times_happened(hq, What::received, good) == 1);
    world.check_everything();
}

namespace {

// As large as a register may be, and of a kind that nobody knows.
Register large_register(const World& world, Node of, std::uint8_t subject, std::uint64_t counter) {
    Register entry;
    entry.key = {world.keys(of).index, 200, {std::byte{subject}}};
    entry.version = {{1, 7}, counter};
    entry.at = founded_at.plus(60);
    entry.payload = Bytes(3900, std::byte{subject});
    crypto::sign_register(world.keys(of).machine.identity, world.network().id(), entry);
    return entry;
}

}  // namespace

TEST_CASE("what a member signs in masses takes turns with what others wrote", "[simulation]") {
    World world(61, names, {});
    for (std::uint8_t subject = 1; subject <= 16; ++subject) {
        world.tell(hq, liar, RegisterNews{{large_register(world, liar, subject, 1000)}});
    }
    const auto report = world.queue(hq, {hyesan}, RecordClass::normal, 5000);
    // All that the liar signed takes 52 s at this rate.
    world.connect(hq, hyesan, {.bytes_per_second = 1200}, {.bytes_per_second = 1200});
    world.run_for(20s);
    CHECK(world.has_received(hyesan, *report));
    // It comes all the same.
    world.run_for(2min);
    CHECK(world.ledger(hyesan).registers_of(world.keys(liar).index).size() >= 16);
}

TEST_CASE("of a member that signs the same again and again a link passes on one a minute",
          "[simulation]") {
    World world(62, names, {});
    world.connect(hq, hyesan);
    world.run_for(2s);
    const auto bytes_before = world.bytes_sent();
    constexpr std::uint64_t versions = 40;
    for (std::uint64_t version = 1; version <= versions; ++version) {
        world.tell(hq, liar, RegisterNews{{large_register(world, liar, 1, 1000 + version)}});
        world.run_for(1s);
    }
    const RegisterKey key{world.keys(liar).index, 200, {std::byte{1}}};
    CHECK(world.ledger(hyesan).newest(key) != nullptr);
    CHECK(world.ledger(hyesan).newest(key)->version.counter < 1000 + versions);
    CHECK(world.bytes_sent() - bytes_before < 3 * limits::register_bytes_max);
    // The last one is not forgotten, and the two do not call themselves in step before it came.
    CHECK_FALSE(world.is_settled(hq, hyesan));
    world.run_for(1min);
    CHECK(world.ledger(hyesan).newest(key)->version.counter == 1000 + versions);
    CHECK(world.is_settled(hq, hyesan));
}

TEST_CASE("a leaf that its author tore into pieces waits until what is urgent is sent",
          "[simulation]") {
    World world(63, names, {});
    world.connect(hq, hyesan);
    world.run_for(2s);
    world.cut(hq, hyesan);
    for (Number i = 1; i <= 800; ++i) {
        world.tell(hq, liar, signed_by(world, liar, write_as(world, liar, hyesan, i * 5'000'011)));
    }
    const auto urgent = world.queue(hq, {hyesan}, RecordClass::urgent).value();
    // The leaf takes 20 s at this rate.
    world.connect(hq, hyesan, {.bytes_per_second = 200}, {.bytes_per_second = 200});
    world.run_for(12s);
    CHECK(world.has_received(hyesan, urgent));
    world.run_for(30min);
    const LogKey torn{world.keys(liar).index, {1, 7}, RecordClass::normal};
    CHECK(world.ledger(hyesan).log(torn).known == world.ledger(hq).log(torn).known);
    CHECK(world.is_settled(hq, hyesan));
}
