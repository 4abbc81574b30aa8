// Goal: coverage at headquarters tells who owes which report, and what is known of it.
// Method: weeks in which offices write, correct and take back weekly reports and meet headquarters
// now and then. After each day the answer is compared with one that is made otherwise: from what
// people did, and with the C library's weeks. One Coverage lives through all of it, as in a daemon;
// another is made anew for each question, as after a start.
#include "daemon/runtime/coverage.h"

#include <ctime>

#include "tests/simulation/world.h"
#include "tests/support/zone.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using runtime::Coverage;
using runtime::Every;

namespace {

constexpr std::int64_t a_day = 86400;
constexpr std::int64_t zone_seconds = 9 * 3600;

runtime::Expectation weekly() {
    return {"weekly", "@field", Every::week, 2 * a_day, "week"};
}

// Another kind of report is expected beside it.
std::vector<runtime::Expectation> all_expected() {
    return {{"stock", "hyesan", Every::day, 0, ""}, weekly()};
}
constexpr std::size_t the_weekly = 1;

// "2026-W46": the week of this moment in Korea.
std::string week_of(std::int64_t unix_seconds) {
    const auto local = static_cast<std::time_t>(unix_seconds + zone_seconds);
    std::tm parts{};
    ::gmtime_r(&local, &parts);
    std::array<char, 16> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%G-W%V", &parts)};
}

// The moment at which the week of this moment began.
std::int64_t monday_of(std::int64_t unix_seconds) {
    const auto local = static_cast<std::time_t>(unix_seconds + zone_seconds);
    std::tm parts{};
    ::gmtime_r(&local, &parts);
    const auto days_since_monday = (parts.tm_wday + 6) % 7;
    return unix_seconds - (unix_seconds + zone_seconds) % a_day - days_since_monday * a_day;
}

std::int64_t unix_now(const World& world) {
    return founded_at.plus(3600).unix_seconds() + world.time().count() / 1000;
}

engine::Draft weekly_draft(const std::string& week) {
    engine::Draft draft;
    draft.report.type = "weekly";
    draft.report.utc_offset_minutes = zone_seconds / 60;
    if (!week.empty()) {
        draft.report.fields = {{"week", week}};
    }
    return draft;
}

// Office and week to the state, and the reports that stand.
using Told = std::map<std::pair<std::string, std::string>,
                      std::pair<std::string, std::vector<storage::ReportKey>>>;

Told told_by(World& world, Coverage& coverage, std::uint64_t slice = UINT64_MAX) {
    const auto now = WallTime::from_unix(unix_now(world));
    return world.read_from(hq, [&](storage::RecordStore&) -> Result<Told> {
        const auto& ledger = world.ledger(hq);
        while (true) {
            std::uint64_t steps = 0;
            if (TRY(coverage.catch_up(ledger, now, [&] { return ++steps >= slice; }))) {
                break;
            }
        }
        Told told;
        std::size_t overdue = 0;
        for (const auto& cell : coverage.cells(ledger, 0, "hyesan", std::nullopt, now)) {
            overdue +=
                cell.state == Coverage::State::nothing || cell.state == Coverage::State::coming ? 1
                                                                                                : 0;
        }
        for (const auto& office : coverage.offices(ledger, the_weekly)) {
            for (const auto& cell : coverage.cells(ledger, the_weekly, office, std::nullopt, now)) {
                auto state = std::string(name_of(cell.state));
                if (state == "coming" || state == "nothing") {
                    // Which of the two depends on who told headquarters what.
                    state = "overdue";
                    ++overdue;
                }
                told[{office, runtime::period_text(Every::week, cell.period)}] = {state,
                                                                                  cell.reports};
            }
        }
        CHECK(coverage.tally(ledger, now).overdue == overdue);
        return told;
    });
}

struct Written {
    storage::ReportKey key;
    std::string named;  // the week that it names; empty: none
    std::string written;
    std::optional<storage::ReportKey> corrects{};
};

// The week that it is for, as headquarters can know.
std::string week_for(World& world, const std::vector<Written>& all, const Written& one) {
    if (!one.named.empty() || !one.corrects || !world.has_received(hq, *one.corrects)) {
        return one.named.empty() ? one.written : one.named;
    }
    const auto first = *std::ranges::find(all, *one.corrects, &Written::key);
    // The week that it named is forgotten with it.
    return world.view(hq, first.key).report ? week_for(world, all, first) : first.written;
}

// The weeks from the first that the office was a member of whole, to the running one or the one
// before it left.
struct Member {
    std::string name;
    std::int64_t since = 0;
    std::int64_t until = INT64_MAX;
};

Told truth(World& world, const std::vector<Written>& written, const std::vector<Member>& members) {
    constexpr std::int64_t a_week = 7 * a_day;
    const auto now = unix_now(world);
    Told told;
    for (const auto& member : members) {
        for (int back = 0; back <= 8; ++back) {
            const auto begins = monday_of(now) - back * a_week;
            if (begins < member.since || std::min(begins + a_week, now) > member.until) {
                continue;
            }
            const auto week = week_of(begins);
            const auto due = begins + a_week + 2 * a_day;
            std::vector<std::pair<storage::Arrival, storage::ReportKey>> stand;
            std::optional<std::int64_t> first;
            for (const auto& one : written) {
                if (!world.has_received(hq, one.key) || week_for(world, written, one) != week ||
                    world.ledger(hq).roster().find(one.key.author)->name != member.name) {
                    continue;
                }
                const auto view = world.view(hq, one.key);
                if (view.withdrawn || view.forgotten_at != WallTime{}) {
                    continue;
                }
                const auto received = view.record.received.unix_seconds();
                first = std::min(first.value_or(received), received);
                if (!view.replaced_by) {
                    stand.emplace_back(view.arrival, one.key);
                }
            }
            std::ranges::sort(stand);
            auto& [state, reports] = told[{member.name, week}];
            state = stand.empty()   ? (now < due ? "open" : "overdue")
                    : *first <= due ? "here"
                                    : "late";
            for (const auto& [arrival, key] : stand) {
                reports.push_back(key);
            }
        }
    }
    return told;
}

void meet(World& world, Node node) {
    world.connect(hq, node);
    world.run_for(1h);
    world.cut(hq, node);
}

std::string words(const Told& told) {
    std::string all;
    for (const auto& [cell, known] : told) {
        all += fmt::format("{} {}: {} {}\n", cell.first, cell.second, known.first,
                           known.second.size());
    }
    return all;
}

}  // namespace

TEST_CASE("coverage is true on every day of some months", "[simulation]") {
    const Zone zone("KST-9");
    for_each_seed(3, [](std::uint64_t seed) {
        World world(seed, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
        const auto any = [&](std::size_t below) { return world.dice()() % below; };
        Coverage living;
        living.expect(all_expected());
        // Somebody wanted to see all weeks since the beginning.
        Coverage wide;
        wide.expect(all_expected());
        REQUIRE(wide.reach_back_to(founded_at, "weekly", founded_at));
        const auto founded = founded_at.unix_seconds();
        std::vector<Member> members = {
            {"hyesan", founded}, {"pyongyang", founded}, {"wonsan", founded}};
        std::vector<Written> written;
        for (int day = 0; day < 70; ++day) {
            world.run_for(std::chrono::hours{20 + any(5)});
            for (Node node = 1; node < world.size(); ++node) {
                if (world.keys(node).name == "wonsan" && members[2].until != INT64_MAX) {
                    continue;
                }
                if (any(6) == 0) {
                    auto draft = weekly_draft("");
                    draft.report.type = "stock";
                    REQUIRE(world.queue(node, {hq}, std::move(draft)));
                }
                // Of this week, of one before, or of none that can be read.
                if (any(3) == 0) {
                    const auto now = unix_now(world);
                    const auto named =
                        any(4) == 0 ? ""
                        : any(8) == 0
                            ? "W46"
                            : week_of(now - static_cast<std::int64_t>(any(3)) * 7 * a_day);
                    const auto key = world.queue(node, {hq}, weekly_draft(named));
                    REQUIRE(key);
                    written.push_back({*key, named.size() < 8 ? "" : named, week_of(now)});
                }
                if (any(8) == 0 && !written.empty()) {
                    const auto& one = written[any(written.size())];
                    if (world.author_of(one.key) == node && any(2) == 0 &&
                        !world.view(node, one.key).withdrawn) {
                        REQUIRE(world.withdraw(one.key));
                    } else if (world.author_of(one.key) == node &&
                               !world.view(node, one.key).withdrawn &&
                               !world.progress(node, one.key)->corrects) {
                        const auto now = week_of(unix_now(world));
                        const auto named = any(3) == 0 ? now : any(2) == 0 ? one.named : "";
                        auto draft = weekly_draft(named);
                        draft.report.replaces = world.reference_to(one.key);
                        draft.report.version = 1;
                        const auto first = one.key;
                        written.push_back(
                            {world.queue(node, {hq}, std::move(draft)).value(), named, now, first});
                    }
                }
                if (any(5) == 0) {
                    meet(world, node);
                }
            }
            if (day == 40) {
                const auto camp = world.invite_and_join("camp");
                world.connect(hq, camp);
                world.run_for(1h);
                world.cut(hq, camp);
                members.push_back({"camp", unix_now(world) - 3600});
            }
            if (day == 24) {
                Revoke revoke{world.ledger(hq).roster().find("wonsan")->index, {}, "lost"};
                world.change_roster({std::move(revoke)});
                members[2].until = unix_now(world);
            }
            if (any(10) == 0 && !written.empty()) {
                const auto& one = written[any(written.size())];
                if (world.has_received(hq, one.key)) {
                    REQUIRE(world.forget(hq, one.key));
                }
            }
            INFO("day " << day << " seed " << seed);
            const auto expected = truth(world, written, members);
            Coverage anew;
            anew.expect(all_expected());
            INFO("expected\n" << words(expected));
            const auto told = told_by(world, living, 1 + any(3));
            INFO("told\n" << words(told));
            REQUIRE(told == expected);
            REQUIRE(told_by(world, anew) == expected);
            REQUIRE(told_by(world, wide) == expected);
        }
    });
}

TEST_CASE("an overdue report is coming if its office has sent what is not here", "[simulation]") {
    const Zone zone("KST-9");
    World world(5, {"hq", "hyesan"}, {});
    Coverage coverage;
    coverage.expect({{"weekly", "hyesan", Every::week, 0, ""}});
    const auto state = [&] {
        const auto now = WallTime::from_unix(unix_now(world));
        return world.read_from(hq, [&](storage::RecordStore&) -> Result<std::string> {
            const auto& ledger = world.ledger(hq);
            CHECK(TRY(coverage.catch_up(ledger, now, [] { return false; })));
            std::string states;
            for (const auto& cell : coverage.cells(ledger, 0, "hyesan", std::nullopt, now)) {
                states += std::string(name_of(cell.state)) + " ";
            }
            return states;
        });
    };
    // A week that hyesan is a member of only in part.
    CHECK(state().empty());
    world.run_for(24h * 7);
    CHECK(state() == "open ");
    auto draft = weekly_draft("");
    draft.attachments = Bytes(1'000'000, std::byte{1});
    draft.report.attachments = {{"scan", 1'000'000}};
    REQUIRE(world.queue(hyesan, {hq}, std::move(draft)));
    // The link ends before the whole report has come.
    world.connect(hq, hyesan, {.bytes_per_second = 1000}, {.bytes_per_second = 1000});
    world.run_for(5min);
    world.cut(hq, hyesan);
    CHECK(state() == "open ");
    world.run_for(24h * 7);
    CHECK(state() == "coming open ");
    meet(world, hyesan);
    CHECK(state() == "late open ");
    world.run_for(24h * 7);
    CHECK(state() == "late nothing open ");
}

TEST_CASE("a report written under a wrong clock counts on the day of its arrival", "[simulation]") {
    const Zone zone("KST-9");
    World world(6, {"hq", "hyesan"}, {});
    Coverage coverage;
    coverage.expect(all_expected());
    world.run_for(24h * 15);
    world.stop(hyesan);
    world.set_clock(hyesan, -400 * a_day);
    world.restart(hyesan);
    const auto key = world.queue(hyesan, {hq}, weekly_draft("")).value();
    world.run_for(24h);
    meet(world, hyesan);
    REQUIRE((world.view(hq, key).header.flags & flag_doubtful) != 0);
    const auto told = told_by(world, coverage);
    CHECK(told.at({"hyesan", week_of(unix_now(world))}).second == std::vector{key});
}

TEST_CASE("one office makes coverage grow no further, however much it sends", "[simulation]") {
    const Zone zone("KST-9");
    World world(7, {"hq", "hyesan"}, {});
    world.run_for(24h * 8);
    std::vector<storage::ReportKey> all;
    for (std::size_t i = 0; i < 2 * Coverage::reports_a_cell_max; ++i) {
        all.push_back(world.queue(hyesan, {hq}, weekly_draft("")).value());
    }
    meet(world, hyesan);
    Coverage coverage;
    coverage.expect(all_expected());
    const auto week = std::pair(std::string("hyesan"), week_of(unix_now(world)));
    const auto stand = told_by(world, coverage).at(week).second;
    REQUIRE(stand.size() == Coverage::reports_a_cell_max);
    // The earliest says whether it was in time; the newest is what a reader looks for.
    CHECK(stand.front() == all.front());
    CHECK(stand.back() == all.back());
    // So are periods.
    CHECK(coverage.reach_back_to(founded_at, "weekly", founded_at.plus(399 * 7 * a_day)));
    // For days this is already too far.
    CHECK_FALSE(coverage.reach_back_to(founded_at, "", founded_at.plus(399 * 7 * a_day)));
    CHECK_FALSE(coverage.reach_back_to(founded_at, "weekly", founded_at.plus(400 * 7 * a_day)));
}
