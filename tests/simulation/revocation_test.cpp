// Goal: an office can be cut off at any time, and the news may come late by any path. Of what an
// honest office was promised nothing is lost, and nothing that the office writes from there on is
// carried or newly shown. All honest offices end with the same leaves.
// Method: one seed a run; a storm, a cut-off in its middle by the authority's own engine, and a
// storm after it in which the office still speaks; then calm. Scenarios follow.
#include <catch2/catch.hpp>

#include "crypto/register_seal.h"
#include "daemon/engine/leaves.h"
#include "daemon/engine/membership/cut_offs.h"
#include "tests/simulation/guest.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::State;
using engine::What;

namespace {

constexpr Node taken = 3;

bool is_kept(const CutOff& cut_off, const storage::ReportKey& report) {
    return std::ranges::any_of(cut_off.logs, [&](const CutOff::Log& log) {
        return log.incarnation == report.origin.incarnation &&
               log.record_class == report.origin.record_class && report.origin.number <= log.last;
    });
}

// The leaf of the office that was cut off, without the numbers that the cut-off keeps: these differ
// from office to office, as their readers do.
LeafSummary closed_part(const World& world, Node node) {
    auto leaf = engine::summary_of(const_cast<engine::Ledger&>(world.ledger(node)),
                                   world.keys(taken).index, engine::Detail::all);
    const auto& cut_off = *world.ledger(hq).roster().find(world.keys(taken).index)->cut_off;
    for (auto& log : leaf.logs) {
        log.partials.clear();
        for (const auto& kept : cut_off.logs) {
            if (kept.incarnation == log.incarnation && kept.record_class == log.record_class) {
                log.not_wanted = intersection(log.not_wanted, {{kept.last + 1, UINT32_MAX}});
            }
        }
    }
    return leaf;
}

void cut_off_in_a_storm(std::uint64_t seed) {
    CAPTURE(seed);
    World world(seed, four_offices,
                {.crash_before_commit = 0.003, .crash_before_send = 0.003, .latency = 50ms});
    const bool is_hostile = seed % 2 == 0;
    std::optional<HostileGuest> thief;
    if (is_hostile) {
        thief.emplace(world, taken, seed);
    }
    world.storm(20 + static_cast<int>(seed % 30));
    std::optional<CutOff> cut_off;
    while (!cut_off) {
        world.set_disk_limit(hq, 0);  // somebody made room
        world.restart(hq);
        world.lock_mail(hq, false);
        cut_off = world.revoke(taken);
    }
    // Records of it that the authority holds for others arrive everywhere.
    std::set<storage::ReportKey> must_arrive;
    for (const auto& [report, to] : world.promised()) {
        if (world.author_of(report) == taken && world.is_up(hq) &&
            world.ledger(hq).log(storage::log_of(report)).held.contains(report.origin.number)) {
            must_arrive.insert(report);
        }
    }
    // By node: what was shown there from beyond the cut-off when it heard of it.
    std::map<Node, std::set<storage::ReportKey>> shown_before;
    const auto shown_beyond = [&](Node node) {
        std::set<storage::ReportKey> shown;
        for (const auto& [report, to] : world.promised()) {
            if (world.author_of(report) == taken && !is_kept(*cut_off, report) &&
                world.times_happened(node, What::received, report) > 0) {
                shown.insert(report);
            }
        }
        return shown;
    };
    for (int round = 0; round < 40; ++round) {
        world.storm(1);
        if (thief) {
            thief->act();
        }
        // Its author cannot bring again what the authority let go for want of room.
        std::erase_if(must_arrive, [&](const storage::ReportKey& report) {
            const auto number = report.origin.number;
            const auto was_let_go = [&](const storage::LogState& log) {
                return !log.held.contains(number) && !log.is_terminal({number, number});
            };
            return world.is_up(hq) && was_let_go(world.ledger(hq).log(storage::log_of(report)));
        });
        for (const Node node : {hq, hyesan, pyongyang}) {
            if (world.is_up(node) && world.knows_cut_off(node, taken)) {
                const auto now = shown_beyond(node);
                const auto before = shown_before.try_emplace(node, now).first->second;
                INFO("office " << node);
                CHECK(now == before);
            }
        }
    }
    do {
        world.calm();
        world.run_for(1min);  // statements may have been renewed at the last moment
    } while (!world.is_up(hq) || !world.is_up(hyesan) || !world.is_up(pyongyang));
    world.check_everything();
    for (const auto& [report, to] : world.promised()) {
        const auto author = world.author_of(report);
        for (const auto node : to) {
            INFO("report " << report.origin.number << " class "
                           << static_cast<int>(report.origin.record_class) << " of " << author
                           << " to " << node);
            if (node == taken) {
                // Nobody is told that it is still under way to an office that gets nothing.
                const auto page = author == taken ? std::nullopt : world.progress(author, report);
                for (const auto& one :
                     page ? page->recipients : std::vector<storage::Recipient>{}) {
                    CHECK((one.office != world.keys(taken).index ||
                           (one.state != State::queued && one.state != State::carried)));
                }
            } else if (author != taken || must_arrive.contains(report)) {
                CHECK(world.times_happened(node, What::received, report) == 1);
                CHECK((author == taken ||
                       world.times_happened(author, What::delivered, report, node) == 1));
            }
        }
    }
    for (const Node node : {hq, hyesan, pyongyang}) {
        auto& ledger = const_cast<engine::Ledger&>(world.ledger(node));
        CHECK(world.knows_cut_off(node, taken));
        for (const auto& [log, state] : ledger.logs_of(world.keys(taken).index)) {
            for (auto number = state.held.next(1); number; number = state.held.after(*number)) {
                CHECK_FALSE(engine::is_beyond_cut_off(ledger, log, *number));
            }
        }
        INFO("office " << node << " and hq");
        CHECK(closed_part(world, node) == closed_part(world, hq));
        CHECK((node == hq || world.is_settled(node, hq)));
    }
}

std::uint32_t count_of(const World& world, Node node, What what, Node about) {
    const auto& items = world.ledger(node).attention().items();
    const auto found = items.find({what, world.keys(about).index, {}});
    return found == items.end() ? 0 : found->second.count;
}

}  // namespace

TEST_CASE("an office is cut off in any weather, and nothing of anybody else is lost",
          "[simulation]") {
    for_each_seed(number_from_environment("FIELDPOST_SEEDS", 200), cut_off_in_a_storm);
}

TEST_CASE("a cut-off keeps what the authority knows, and what members have receipted",
          "[simulation]") {
    World world(81, four_offices, {});
    const auto carried = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.connect(taken, hq);
    world.run_until_idle(1h);
    world.cut(taken, hq);
    // hq never holds this one. It hears of it by the receipt of hyesan.
    const auto direct = world.queue(taken, {hyesan}, RecordClass::urgent).value();
    world.connect(taken, hyesan);
    world.run_until_idle(1h);
    const auto later = world.queue(taken, {hyesan}, RecordClass::bulk).value();
    world.run_until_idle(1h);
    world.cut(taken, hyesan);
    const auto unknown = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    const auto cut_off = world.revoke(taken).value();
    world.run_until_idle(1h);
    CHECK(is_kept(cut_off, carried));
    CHECK(is_kept(cut_off, direct));
    CHECK(is_kept(cut_off, later));
    CHECK_FALSE(is_kept(cut_off, unknown));
    CHECK(world.ledger(hyesan).roster().find(world.keys(taken).index)->state !=
          crypto::OfficeState::active);
    CHECK(count_of(world, hyesan, What::after_cut_off, taken) == 0);
    CHECK(count_of(world, hyesan, What::revoked, taken) == 1);
}

TEST_CASE("what was shown from beyond a cut-off stays readable, is marked and goes no further",
          "[simulation]") {
    World world(82, four_offices, {});
    const auto kept = world.queue(taken, {hyesan, pyongyang}, RecordClass::normal).value();
    world.connect(taken, hyesan);
    world.run_until_idle(1h);
    const auto late = world.queue(taken, {hyesan, pyongyang}, RecordClass::normal).value();
    const auto of_no_log = world.queue(taken, {hyesan, pyongyang}, RecordClass::urgent).value();
    world.run_until_idle(1h);
    world.cut(taken, hyesan);
    // The administrator has heard on the telephone which report was the last good one.
    const auto cut_off = world.revoke(taken, {kept}).value();
    CHECK(is_kept(cut_off, kept));
    CHECK_FALSE(is_kept(cut_off, late));
    CHECK(count_of(world, hyesan, What::after_cut_off, taken) == 0);
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    CHECK(count_of(world, hyesan, What::after_cut_off, taken) == 2);
    for (const auto& report : {late, of_no_log}) {
        CHECK(world.view(hyesan, report).report.has_value());
        CHECK(engine::is_beyond_cut_off(world.ledger(hyesan), storage::log_of(report),
                                        report.origin.number));
    }
    CHECK_FALSE(
        engine::is_beyond_cut_off(world.ledger(hyesan), storage::log_of(kept), kept.origin.number));
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    CHECK(world.has_received(pyongyang, kept));
    CHECK_FALSE(world.has_received(pyongyang, late));
    CHECK_FALSE(world.has_received(pyongyang, of_no_log));
    // It is said once, also after a restart.
    const auto number = world.ledger(hyesan)
                            .attention()
                            .items()
                            .at({What::after_cut_off, world.keys(taken).index, {}})
                            .number;
    world.dismiss(hyesan, number);
    world.crash(hyesan);
    world.restart(hyesan);
    const auto& item = world.ledger(hyesan).attention().items().at(
        {What::after_cut_off, world.keys(taken).index, {}});
    CHECK(item.number == number);
    CHECK(item.dismissed != WallTime{});
    world.check_everything();
}

TEST_CASE("a second cut-off moves the marks that are named, and leaves the others",
          "[simulation]") {
    World world(89, four_offices, {});
    std::vector<storage::ReportKey> normal;
    for (int i = 0; i < 3; ++i) {
        normal.push_back(world.queue(taken, {hyesan, hq}, RecordClass::normal).value());
        const auto urgent = world.queue(taken, {hyesan, hq}, RecordClass::urgent);
        REQUIRE(urgent.has_value());
        world.connect(taken, hyesan);
        world.connect(hyesan, hq);
        world.run_until_idle(1h);
    }
    world.cut(taken, hyesan);
    // hq knows of three in each log.
    const auto first = world.revoke(taken, {normal[0]}).value();
    CHECK_FALSE(is_kept(first, normal[1]));
    CHECK(count_of(world, hq, What::after_cut_off, taken) == 2);
    const auto urgent_first = storage::ReportKey{
        normal[0].author,
        {normal[0].origin.incarnation, RecordClass::urgent, normal[0].origin.number}};
    const auto second = world.revoke(taken, {urgent_first}).value();
    CHECK(is_kept(second, normal[0]));
    CHECK_FALSE(is_kept(second, normal[1]));
    CHECK(second.register_counter == first.register_counter);
    CHECK(count_of(world, hq, What::after_cut_off, taken) == 4);
    world.crash(hq);
    world.restart(hq);
    CHECK(count_of(world, hq, What::after_cut_off, taken) == 4);
    // A mark that keeps all settles the matter.
    const auto urgent_last = storage::ReportKey{
        normal[2].author,
        {normal[2].origin.incarnation, RecordClass::urgent, normal[2].origin.number}};
    REQUIRE(world.revoke(taken, {normal[2], urgent_last}).has_value());
    CHECK(count_of(world, hq, What::after_cut_off, taken) == 0);
    world.run_until_idle(1h);
    CHECK(count_of(world, hyesan, What::after_cut_off, taken) == 0);
    world.check_everything();
}

TEST_CASE("neither a record with a high number nor a receipt that lies moves the mark",
          "[simulation]") {
    World world(90, four_offices, {});
    const auto good = world.queue(taken, {hq}, RecordClass::normal).value();
    world.connect(taken, hq);
    world.run_until_idle(1h);
    world.take_over(taken);
    world.take_over(pyongyang);
    const LogKey log = storage::log_of(good);
    const auto far = write_as(world, taken, hq, 4'000'000'000);
    world.tell(hq, taken, signed_by(world, taken, far));
    CHECK(world.ledger(hq).log(log).receipted.contains(4'000'000'000));
    Receipt lie;
    for (std::uint16_t life = 1; life <= 20; ++life) {
        lie.logs.push_back({{life, 7}, RecordClass::normal, {}, {{1, 4'000'000'000}}, {}, {}});
    }
    Register entry;
    entry.key = {world.keys(pyongyang).index, static_cast<std::uint8_t>(RegisterKind::receipt),
                 receipt_subject(world.keys(taken).index)};
    entry.version = {{1, 7}, 1'000'000};
    entry.payload = encode_receipt(lie);
    crypto::sign_register(world.keys(pyongyang).machine.identity, world.network().id(), entry);
    world.tell(hq, pyongyang, RegisterNews{{entry}});
    const auto cut_off = world.revoke(taken).value();
    REQUIRE(cut_off.logs.size() == 1);
    CHECK(cut_off.logs[0].incarnation == log.incarnation);
    CHECK(cut_off.logs[0].last <= good.origin.number + 1024);
    CHECK(is_kept(cut_off, good));
}

TEST_CASE("what a thief signs later takes nothing from what a cut-off keeps", "[simulation]") {
    World world(91, four_offices, {});
    const auto kept = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.connect(taken, hq);
    world.run_until_idle(1h);
    world.cut(taken, hq);
    world.take_over(taken);
    REQUIRE(world.revoke(taken).has_value());
    REQUIRE(world.ledger(hq).log(storage::log_of(kept)).held.contains(kept.origin.number));
    // hq alone has the report. The thief proves forks at its number, and takes it back.
    const LogKey log = storage::log_of(kept);
    std::vector<Register> lies;
    for (std::uint16_t life = 1; life <= 6; ++life) {
        auto one = write_as(world, taken, hq, 1);
        one.header.log.incarnation = {life, 7};
        auto other = one;
        other.header.created = other.header.created.plus(1);
        lies.push_back(crypto::make_fork(world.network().id(), proof_of(world, taken, one),
                                         proof_of(world, taken, other)));
    }
    OfficeStatement statement;
    statement.logs = {{log.incarnation,
                       log.record_class,
                       kept.origin.number,
                       {},
                       {{1, kept.origin.number}},
                       {{1, kept.origin.number}}}};
    Register entry;
    entry.key = {world.keys(taken).index, static_cast<std::uint8_t>(RegisterKind::office), {}};
    entry.version = {
        {1, 7}, world.ledger(hq).roster().find(world.keys(taken).index)->cut_off->register_counter};
    entry.at = founded_at.plus(86400 * 9);
    entry.payload = encode_office_statement(statement);
    crypto::sign_register(world.keys(taken).machine.identity, world.network().id(), entry);
    lies.push_back(entry);
    for (const auto& lie : lies) {
        world.tell(hq, pyongyang, RegisterNews{{lie}});
    }
    CHECK(world.ledger(hq).log(log).held.contains(kept.origin.number));
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    CHECK(world.has_received(hyesan, kept));
    CHECK(world.times_happened(hyesan, What::withdrawn, kept) == 0);
    world.check_everything();
}

TEST_CASE("a run that a cut-off divides brings the reports before it, and not those behind",
          "[simulation]") {
    World world(92, four_offices, {});
    // Queued together, so they travel as one record.
    std::vector<storage::ReportKey> run;
    for (int i = 0; i < 4; ++i) {
        run.push_back(world.queue(taken, {hyesan, pyongyang}, RecordClass::normal).value());
    }
    world.connect(taken, pyongyang);
    world.run_until_idle(1h);
    world.cut(taken, pyongyang);
    REQUIRE(world.record(pyongyang, run[0]).run.count() == 4);
    // The authority has never seen it, and a person names the second.
    const auto cut_off = world.revoke(taken, {run[1]}).value();
    CHECK(is_kept(cut_off, run[1]));
    CHECK_FALSE(is_kept(cut_off, run[2]));
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    world.connect(pyongyang, hyesan);
    world.run_until_idle(1h);
    CHECK(world.has_received(hyesan, run[0]));
    CHECK(world.has_received(hyesan, run[1]));
    CHECK_FALSE(world.has_received(hyesan, run[2]));
    CHECK_FALSE(world.has_received(hyesan, run[3]));
    CHECK(world.is_settled(pyongyang, hyesan));
    world.check_everything();
}

TEST_CASE("a later mark brings back mail that was dropped unread", "[simulation]") {
    World world(93, four_offices, {});
    world.lock_mail(hyesan, true);
    const auto first = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.connect(taken, pyongyang);
    world.run_until_idle(1h);
    const auto late = world.queue(taken, {hyesan, hq}, RecordClass::normal).value();
    world.run_until_idle(1h);
    world.cut(taken, pyongyang);
    world.connect(pyongyang, hyesan);
    world.run_until_idle(1h);
    world.cut(pyongyang, hyesan);
    REQUIRE(world.revoke(taken, {first}).has_value());
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    world.lock_mail(hyesan, false);
    world.run_until_idle(1h);
    CHECK(world.has_received(hyesan, first));
    CHECK_FALSE(world.has_received(hyesan, late));
    // pyongyang has heard of no cut-off, and still has it.
    REQUIRE(world.revoke(taken, {late}).has_value());
    world.run_until_idle(1h);
    world.connect(pyongyang, hyesan);
    world.run_until_idle(1h);
    CHECK(world.has_received(hyesan, late));
    world.check_everything();
}

TEST_CASE("mail that waits for a passphrase is not opened once its author is cut off before it",
          "[simulation]") {
    World world(83, four_offices, {});
    world.lock_mail(hyesan, true);
    const auto kept = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.connect(taken, hyesan);
    world.run_until_idle(1h);
    const auto late = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.run_until_idle(1h);
    world.cut(taken, hyesan);
    REQUIRE(world.revoke(taken, {kept}).has_value());
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    world.lock_mail(hyesan, false);
    world.run_until_idle(1h);
    CHECK(world.has_received(hyesan, kept));
    CHECK_FALSE(world.has_received(hyesan, late));
    CHECK(world.inbox(hyesan).size() == 1);
    world.check_everything();
}

TEST_CASE("the author of a report to an office that is cut off is told", "[simulation]") {
    World world(84, four_offices, {});
    const auto report = world.queue(hyesan, {taken, pyongyang}, RecordClass::normal).value();
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    REQUIRE(world.revoke(taken).has_value());
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    CHECK(world.view(hyesan, report).recipients.size() == 2);
    CHECK(world.times_happened(hyesan, What::unreachable, report, taken) == 1);
    CHECK(count_of(world, hyesan, What::unreachable, taken) == 1);
    const auto page = world.progress(hyesan, report).value();
    for (const auto& one : page.recipients) {
        CHECK(one.state ==
              (one.office == world.keys(taken).index ? State::failed : State::delivered));
    }
}

TEST_CASE("a stick that was written before its writer was cut off still brings what it kept",
          "[simulation]") {
    World world(85, four_offices, {});
    const auto kept = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.connect(taken, pyongyang);
    world.run_until_idle(1h);
    world.connect(pyongyang, hq);
    world.run_until_idle(1h);
    world.cut(taken, pyongyang);
    const auto late = world.queue(taken, {hyesan}, RecordClass::normal).value();
    const auto stick = world.write_bundle(taken).value();
    REQUIRE(world.revoke(taken, {kept}).has_value());
    world.connect(hq, hyesan);
    world.crash(pyongyang);
    // hq alone has it, and loses its link at once.
    world.cut(hq, hyesan);
    world.tell(hyesan, hq, RosterNews{world.ledger(hq).roster_changes()});
    REQUIRE(world.knows_cut_off(hyesan, taken));
    REQUIRE_FALSE(world.has_received(hyesan, kept));
    const auto read = world.read_bundle(hyesan, stick.bytes).value();
    CHECK(read.refused.empty());
    CHECK(read.new_reports == 1);
    CHECK(world.has_received(hyesan, kept));
    CHECK_FALSE(world.has_received(hyesan, late));
    world.check_everything();
}

TEST_CASE("an office that people here blocked is left alone here, and its mail waits",
          "[simulation]") {
    World world(86, four_offices, {});
    const auto before = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.connect(taken, hyesan);
    world.run_until_idle(1h);
    CHECK(world.has_received(hyesan, before));
    world.block(hyesan, taken);
    CHECK(count_of(world, hyesan, What::blocked, taken) == 1);
    CHECK_FALSE(world.is_connected(taken, hyesan));
    world.connect(taken, hyesan);
    CHECK_FALSE(world.is_connected(taken, hyesan));
    const auto to_us = world.queue(taken, {hyesan}, RecordClass::normal).value();
    const auto to_other = world.queue(taken, {pyongyang}, RecordClass::urgent).value();
    // Other offices know nothing of it.
    world.connect(taken, hq);
    world.run_until_idle(1h);
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    CHECK_FALSE(world.has_received(hyesan, to_us));
    CHECK(world.ledger(hyesan).log(storage::log_of(to_us)).held.contains(to_us.origin.number) ==
          false);
    CHECK_FALSE(
        world.ledger(hyesan).log(storage::log_of(to_other)).held.contains(to_other.origin.number));
    CHECK(world.ledger(hq).log(storage::log_of(to_other)).held.contains(to_other.origin.number));
    // A restart changes nothing.
    world.crash(hyesan);
    world.restart(hyesan);
    world.run_until_idle(1h);
    CHECK_FALSE(world.has_received(hyesan, to_us));
    world.connect(hq, hyesan);
    world.block(hyesan, taken, true);
    world.run_until_idle(1h);
    CHECK(world.has_received(hyesan, to_us));
    CHECK(
        world.ledger(hyesan).log(storage::log_of(to_other)).held.contains(to_other.origin.number));
    world.connect(taken, hyesan);
    CHECK(world.is_connected(taken, hyesan));
    world.check_everything();
}

TEST_CASE("an office that is invited under the name of one that was cut off prints other IDs",
          "[simulation]") {
    World world(88, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto before = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.connect(taken, hyesan);
    world.run_until_idle(1h);
    world.cut(taken, hyesan);
    world.connect(hyesan, hq);
    REQUIRE(world.revoke(taken).has_value());
    const auto invite = world.invite("wonsan");
    const auto& invited = *world.ledger(hq).roster().find(invite->index);
    CHECK(invited.first_ordinal == 2);
    CHECK(world.invite("nowhere")->index != invite->index);
    CHECK(world.ledger(hq).roster().find("nowhere")->first_ordinal == 1);
    // An invitation that nobody used has printed none.
    CHECK(world.ledger(hq).roster().find(world.invite("nowhere")->index)->first_ordinal == 1);
    const auto node = world.join(*invite);
    world.connect(node, hq);
    world.run_until_idle(1h);
    world.connect(node, hyesan);
    world.run_until_idle(1h);
    const auto after = world.queue(node, {hyesan}, RecordClass::normal).value();
    world.run_until_idle(1h);
    CHECK(world.has_received(hyesan, before));
    CHECK(world.has_received(hyesan, after));
    const auto& ledger = world.ledger(hyesan);
    CHECK(engine::printed_id(ledger, after).starts_with("wonsan.2-"));
    for (const auto& report : {before, after}) {
        const auto id = engine::printed_id(ledger, report);
        const auto found =
            world.read_from(hyesan, [&](const auto&) { return engine::find_id(ledger, id); });
        CHECK(found == report);
    }
}

TEST_CASE("an office that was cut off queues nothing, and reads what it has", "[simulation]") {
    World world(87, four_offices, {});
    const auto report = world.queue(hyesan, {taken}, RecordClass::normal).value();
    world.connect(taken, hyesan);
    world.run_until_idle(1h);
    world.cut(taken, hyesan);
    REQUIRE(world.revoke(taken).has_value());
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    world.connect(taken, hyesan);
    world.run_for(30s);
    REQUIRE(world.knows_cut_off(taken, taken));
    CHECK(count_of(world, taken, What::shut_out, taken) == 1);
    CHECK(count_of(world, taken, What::revoked, taken) == 0);
    CHECK_FALSE(world.queue(taken, {hyesan}, RecordClass::normal).has_value());
    CHECK(world.view(taken, report).report.has_value());
    CHECK_FALSE(world.queue(hyesan, {taken}, RecordClass::normal).has_value());
    world.check_everything();
}
