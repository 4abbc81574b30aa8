// Goal: in whatever order the versions of a report and the news of their withdrawals come, an
// office ends with the same version as every other: the highest one that stands. Method: reports of
// one author in two of its lives and three classes, filed in random orders and compared with the
// rule; then what only a hostile author writes.
#include "daemon/engine/record/versions.h"

#include <rapidcheck.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::engine;
using namespace fieldpost::tests;

namespace {

struct Version {
    storage::ReportKey key;
    std::uint32_t version = 0;
    bool is_withdrawn = false;
    [[nodiscard]] auto place() const { return std::pair(version, key.origin); }
};

// An office that reads the reports of another one. It has their pages and headers, and no words.
class Reader {
public:
    Reader() : office_(make_network({"hq", "hyesan"}), 0) {}

    [[nodiscard]] OfficeId author() const { return OfficeId{1}; }
    void file(const Version& one, const storage::ReportKey& first) {
        storage::StoredRecord record;
        record.arrival = storage::Arrival{++arrivals_};
        record.log = storage::log_of(one.key);
        record.run = {one.key.origin.number, one.key.origin.number};
        Header header;
        header.log = record.log;
        header.number = one.key.origin.number;
        header.count = 1;
        header.lifetime_seconds = 86400;
        header.body_bytes = 100;
        header.stanzas = {{OfficeId{0}, 1, {}}};
        record.header = encode_header(header);
        storage::ReportProgress page;
        page.arrival = record.arrival;
        page.recipients = {{.office = OfficeId{0}, .state = storage::State::delivered}};
        Report report;
        if (one.version > 0) {
            page.corrects = storage::Correction{first, one.version};
            report.replaces = ReportRef{first.author, first.origin, {}};
        }
        auto& ledger = office_.ledger();
        ledger.write(storage::PutRecord{record});
        ledger.write(storage::PutReport{one.key, std::move(page)});
        REQUIRE(find_corrections(ledger, one.key).has_value());
        REQUIRE(file_correction(ledger, one.key, report).has_value());
    }
    void withdraw(const storage::ReportKey& report) {
        REQUIRE(mark_withdrawn(office_.ledger(), report, {.at = founded_at}, LoneOffice::now())
                    .has_value());
    }
    std::uint64_t reads() { return office_.disk().reads; }
    storage::ReportProgress page(const storage::ReportKey& report) {
        return office_.store().report(report).value().value();
    }

private:
    LoneOffice office_;
    std::uint64_t arrivals_ = 0;
};

// Some versions of a report. Now and then two have one number, as after a life that was lost.
std::vector<Version> any_versions(OfficeId author) {
    std::vector<Version> versions;
    const auto count = *rc::gen::inRange<Number>(1, 8);
    for (Number i = 0; i < count; ++i) {
        const auto life = i < count / 2 ? Incarnation{1, 7} : Incarnation{2, 9};
        const auto record_class =
            *rc::gen::element(RecordClass::urgent, RecordClass::normal, RecordClass::bulk);
        const auto version = i == 0 ? 0 : i - *rc::gen::inRange<std::uint32_t>(0, 2) * (i > 1);
        versions.push_back({{author, {life, record_class, i + 1}}, version, false});
    }
    return versions;
}

}  // namespace

TEST_CASE("the highest version that stands counts, in whatever order all came", "[engine]") {
    REQUIRE(rc::check("order", [] {
        Reader reader;
        auto versions = any_versions(reader.author());
        const auto first = versions.front().key;
        // Some never come.
        const auto missing = *rc::gen::inRange<std::size_t>(0, 3);
        std::vector<std::size_t> order(versions.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::mt19937 dice(*rc::gen::arbitrary<std::uint32_t>());
        std::ranges::shuffle(order, dice);
        order.resize(std::max<std::size_t>(1, order.size() - std::min(order.size(), missing)));
        std::vector<Version*> here;
        for (const auto i : order) {
            reader.file(versions[i], first);
            here.push_back(&versions[i]);
            if (*rc::gen::inRange(0, 3) == 0) {
                auto* gone = *rc::gen::elementOf(here);
                gone->is_withdrawn = true;
                reader.withdraw(gone->key);
            }
        }
        const Version* newest = nullptr;
        for (const auto* one : here) {
            if (!one->is_withdrawn && (newest == nullptr || newest->place() < one->place())) {
                newest = one;
            }
        }
        for (const auto* one : here) {
            const auto page = reader.page(one->key);
            const bool is_older = newest != nullptr && one->place() < newest->place();
            RC_ASSERT(page.replaced_by == (is_older ? std::optional(newest->key) : std::nullopt));
            RC_ASSERT(page.withdrawn.has_value() == one->is_withdrawn);
        }
    }));
}

TEST_CASE("two reports that correct each other hide neither", "[engine]") {
    Reader reader;
    const storage::ReportKey a{reader.author(), {{1, 7}, RecordClass::normal, 1}};
    const storage::ReportKey b{reader.author(), {{1, 7}, RecordClass::normal, 2}};
    reader.file({a, 1}, b);
    reader.file({b, 1}, a);
    // A correction is no first version.
    CHECK(reader.page(a).is_current());
    CHECK(reader.page(b).is_current());
    const storage::ReportKey c{reader.author(), {{1, 7}, RecordClass::normal, 3}};
    reader.file({c, 0}, c);
    CHECK(reader.page(c).is_current());
}

TEST_CASE("of corrections without end the newest counts, and only the newest are looked at",
          "[engine]") {
    Reader reader;
    const storage::ReportKey first{reader.author(), {{1, 7}, RecordClass::normal, 1}};
    reader.file({first, 0}, first);
    constexpr Number many = 400;
    std::uint64_t most_reads = 0;
    for (Number i = 1; i <= many; ++i) {
        const auto reads = reader.reads();
        reader.file({{reader.author(), {{1, 7}, RecordClass::normal, i + 1}}, i}, first);
        // A hundred versions, or four hundred: each new one costs the same.
        most_reads = std::max(most_reads, reader.reads() - reads);
    }
    CHECK(most_reads < 1000);
    const storage::ReportKey newest{reader.author(), {{1, 7}, RecordClass::normal, many + 1}};
    CHECK(reader.page(newest).is_current());
    CHECK(reader.page(first).replaced_by == newest);
    // Those that are not looked at any more stay replaced.
    CHECK(
        reader.page({reader.author(), {{1, 7}, RecordClass::normal, 10}}).replaced_by.has_value());
}
