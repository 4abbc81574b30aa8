// Goal: a walk finds exactly the reports that fit, in either order, however often it is
// interrupted.
// Method: an office with many reports of all kinds; the walk's answers to many questions are
// compared with a look at every page.
#include "daemon/engine/report_walk.h"

#include <fmt/format.h>

#include <random>

#include "daemon/engine/record/progress.h"
#include "proto/limits.h"
#include "tests/unit/engine/writing_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using engine::ReportQuery;
using engine::State;
using Order = engine::ReportWalk::Order;

namespace {

// The number of types: some of them get no number.
constexpr std::size_t types = limits::types_per_office_max + 8;
constexpr int reports = 500;

struct Written {
    storage::ReportKey key;
    std::string type;
    std::string text;
    std::vector<OfficeId> to;
};

class ManyReports : public WritingOffice {
public:
    ManyReports() : WritingOffice(make_network({"hq", "writer", "good", "camp"}), 1, {0, 2, 3}) {
        std::mt19937_64 dice(7);
        const auto any = [&](std::size_t below) { return dice() % below; };
        for (int i = 0; i < reports; ++i) {
            engine::Draft draft;
            for (const std::size_t place : {0, 2, 3}) {
                if (any(2) == 0) {
                    draft.to.push_back(index(place));
                }
            }
            if (draft.to.empty()) {
                draft.to.push_back(index(0));
            }
            draft.record_class = static_cast<RecordClass>(1 + any(3));
            draft.report.text = any(5) == 0 ? "plaster" : "wood";
            draft.report.type = any(3) == 0 ? "" : fmt::format("form{}", any(types));
            if (!written.empty() && any(8) == 0) {
                const auto& original = written[any(written.size())];
                draft.report.replaces = ReportRef{index(1), original.key.origin, {}};
                draft.report.version = 1;
            }
            const auto notice = submit(draft);
            REQUIRE(std::holds_alternative<engine::Accepted>(notice));
            const auto key = std::get<engine::Accepted>(notice).report;
            written.push_back({key, draft.report.type, draft.report.text, draft.to});
            if (any(2) == 0) {
                REQUIRE(engine::prove(office.ledger(), key,
                                      {.of = engine::Proof::Of::received,
                                       .recipient = draft.to[any(draft.to.size())]},
                                      LoneOffice::now()));
            }
        }
        office.write();
    }

    [[nodiscard]] bool fits(const Written& one, const ReportQuery& query) {
        const auto page = office.store().report(one.key).value().value();
        const auto is_in = [](const auto& wanted, const auto& value) {
            return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
        };
        const bool is_to = query.to.empty() || std::ranges::any_of(one.to, [&](OfficeId wanted) {
                               return std::ranges::find(query.to, wanted) != query.to.end();
                           });
        return is_in(query.boxes, page.box) && is_to && !query.unanswered &&
               (!query.state || storage::combined_state(page.recipients) == *query.state) &&
               (!query.type || one.type == *query.type) &&
               (!query.priority || one.key.origin.record_class == *query.priority) &&
               (query.all_versions || !page.replaced_by) &&
               (!query.has_words || one.text == "plaster");
    }

    // The reports that the walk finds, in parts of a few steps.
    std::vector<storage::ReportKey> found(const ReportQuery& query, Order order, int steps) {
        std::vector<storage::ReportKey> all;
        auto from = std::optional(order == Order::oldest_first ? storage::Arrival{0}
                                                               : storage::Arrival{UINT64_MAX});
        while (from) {
            engine::ReportWalk walk(office.ledger(), query);
            int left = steps;
            from = walk.run(
                           *from, order, [&] { return left-- == 0; },
                           [&](const engine::ReportView& view) -> Result<bool> {
                               all.push_back(view.key);
                               return all.size() % 7 != 0;
                           })
                       .value();
        }
        return all;
    }

    std::vector<Written> written;
};

}  // namespace

TEST_CASE("a walk finds what fits, in either order, and goes on where it was interrupted",
          "[engine]") {
    ManyReports many;
    std::mt19937_64 dice(11);
    const auto any = [&](std::size_t below) { return dice() % below; };
    std::size_t found_in_all = 0;
    for (int question = 0; question < 60; ++question) {
        ReportQuery query;
        query.boxes = {Box::outbox};
        if (any(3) == 0) {
            query.boxes.push_back(Box::inbox);
        }
        if (any(4) == 0) {
            query.boxes.push_back(Box::carried);  // every record is looked at then
        }
        if (any(3) == 0) {
            query.state = static_cast<State>(any(3));
        }
        if (any(3) == 0) {
            query.to = {many.index(any(4))};
        }
        if (any(3) == 0) {
            query.type = fmt::format("form{}", any(types));
        }
        if (any(3) == 0) {
            query.priority = static_cast<RecordClass>(1 + any(3));
        }
        query.all_versions = any(2) == 0;
        if (any(4) == 0) {
            query.has_words = [](const Report& report) { return report.text == "plaster"; };
        }
        std::vector<storage::ReportKey> expected;
        for (const auto& one : many.written) {
            if (many.fits(one, query)) {
                expected.push_back(one.key);
            }
        }
        found_in_all += expected.size();
        CAPTURE(question);
        CHECK(many.found(query, Order::oldest_first, static_cast<int>(1 + any(20))) == expected);
        const auto count = engine::ReportWalk(many.office.ledger(), query).count().value();
        CHECK((!count || *count == expected.size()));
        std::ranges::reverse(expected);
        CHECK(many.found(query, Order::newest_first, static_cast<int>(1 + any(20))) == expected);
    }
    CHECK(found_in_all > 500);
}

TEST_CASE("a type that got no number is found by opening reports, and costs no other type its own",
          "[engine]") {
    ManyReports many;
    const auto numbers = many.office.ledger().types().numbers_of(many.office.ledger(), "form1");
    CHECK(numbers.size() <= 2);
    const auto in_store = many.office.store().types().value();
    CHECK(in_store.size() == limits::types_per_office_max);
    // The names are sealed.
    for (const auto& [number, sealed] : in_store) {
        CHECK_FALSE(std::string_view(as_text(sealed)).contains("form"));
    }
    // After a restart the dictionary is read from the store.
    many.office.ledger().types().forget();
    ReportQuery query{.boxes = {Box::outbox}, .type = "form3", .all_versions = true};
    std::vector<storage::ReportKey> expected;
    for (const auto& one : many.written) {
        if (one.type == "form3") {
            expected.push_back(one.key);
        }
    }
    CHECK(many.found(query, Order::oldest_first, 1000) == expected);
    // And if the disk spoils it, reports are found by opening them. No number gets another name.
    const auto numbers_before =
        many.office.ledger().types().numbers_of(many.office.ledger(), "form3");
    for (auto& [key, value] :
         many.office.disk().tables[static_cast<std::size_t>(storage::Table::types)]) {
        value.back() ^= std::byte{1};
    }
    many.office.ledger().types().forget();
    CHECK(many.found(query, Order::oldest_first, 1000) == expected);
    engine::Draft draft;
    draft.to = {many.index(0)};
    draft.report.type = "form3";
    draft.report.text = "after the damage";
    const auto notice = many.submit(draft);
    REQUIRE(std::holds_alternative<engine::Accepted>(notice));
    const auto page = many.office.store().report(std::get<engine::Accepted>(notice).report).value();
    CHECK(std::ranges::find(numbers_before, page->type) == numbers_before.end());
}

TEST_CASE("a walk finds what a carrier says it holds", "[engine]") {
    ManyReports many;
    const auto& first = many.written.front().key;
    IntervalSet all;
    for (const auto& one : many.written) {
        if (log_of(one.key) == log_of(first)) {
            all.add({one.key.origin.number, one.key.origin.number});
        }
    }
    Custody custody;
    custody.signer = many.index(2);
    custody.version = {{1, 7}, 3};
    custody.logs = {{first.origin.incarnation, first.origin.record_class, {}, all}};
    REQUIRE(many.office.ledger().keep_custody(custody));
    auto walk_query = ReportQuery{.boxes = {Box::outbox}, .held_by = {many.index(2)}};
    walk_query.all_versions = true;
    const auto held = many.found(walk_query, Order::oldest_first, 1000);
    CHECK(held.size() == all.count());
    walk_query.held_by = {many.index(3)};
    CHECK(many.found(walk_query, Order::oldest_first, 1000).empty());
}
