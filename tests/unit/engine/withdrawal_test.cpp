// Goal: reports that are taken back cost a bounded part of a statement, and a bounded part of a
// batch, however many there are and whoever says so.
// Method: the ledger of one office; logs and statements that months of withdrawals would leave, and
// some that only a hostile author writes.
#include "daemon/engine/record/withdrawal.h"

#include "daemon/engine/membership/own_statement.h"
#include "daemon/engine/record/progress.h"
#include "proto/limits.h"
#include "tests/unit/engine/writing_office.h"

using namespace fieldpost;
using namespace fieldpost::engine;
using namespace fieldpost::tests;

namespace {

LogKey normal_log(OfficeId author) {
    return {author, {1, 7}, RecordClass::normal};
}

}  // namespace

TEST_CASE("a statement tells the newest reports that were taken back, and what is done",
          "[engine]") {
    WritingOffice at(make_network({"hq", "hyesan"}), 1, {0});
    auto& ledger = at.office.ledger();
    const auto log = normal_log(ledger.us());
    renew_statement(ledger, LoneOffice::now());
    const auto version = ledger.newest({ledger.us(), 2, {}})->version;
    // Every third report of thirty thousand.
    constexpr Number last = 30'000;
    auto& state = ledger.edit_log(log);
    state.published = last;
    state.end({{1, last}});
    for (Number number = 3; number <= last; number += 3) {
        state.withdraw(number);
    }
    renew_statement(ledger, LoneOffice::now());
    const auto* entry = ledger.newest({ledger.us(), 2, {}});
    CHECK(entry->version != version);
    CHECK(encode_register(*entry).size() <= limits::register_bytes_max);
    const auto& told = ledger.statement(ledger.us())->logs.at(0);
    CHECK(told.done.contains_all({1, last}));
    CHECK(told.withdrawn.contains(last));
    CHECK(told.withdrawn.intervals().size() > 200);
    ByteWriter bytes;
    write(bytes, told.withdrawn);
    CHECK(bytes.bytes().size() <= limits::register_bytes_max / 4);
    // Nothing more was taken back, so nothing more is said.
    const auto newest = entry->version;
    renew_statement(ledger, LoneOffice::now());
    CHECK(ledger.newest({ledger.us(), 2, {}})->version == newest);
}

TEST_CASE("a statement that takes everything back is applied a hundred numbers at a time, once",
          "[engine]") {
    WritingOffice at(make_network({"hq", "hyesan"}), 0, {});
    auto& ledger = at.office.ledger();
    const auto author = at.index(1);
    const auto log = normal_log(author);
    ledger.edit_log(log).count_receipted({1, 250}, {}, {});
    const auto state_that = [&](const IntervalSet& withdrawn) {
        OfficeStatement statement;
        statement.logs.push_back(
            {log.incarnation, log.record_class, 2500, {}, withdrawn, withdrawn});
        Register entry;
        entry.key = {author, static_cast<std::uint8_t>(RegisterKind::office), {}};
        entry.version = {{1, 7},
                         ledger.newest(entry.key) == nullptr
                             ? 100
                             : ledger.newest(entry.key)->version.counter + 1};
        entry.at = founded_at;
        entry.payload = encode_office_statement(statement);
        ledger.keep_register(entry);
    };
    std::vector<Notice> notify;
    const auto apply = [&] {
        std::size_t left = 100;
        return apply_withdrawn(ledger, author, left, LoneOffice::now(), notify).value();
    };
    state_that({{1, record_number_max}});
    CHECK(apply());
    CHECK(ledger.log(log).withdrawn == IntervalSet{{1, 100}});
    CHECK(apply());
    CHECK_FALSE(apply());
    CHECK(ledger.log(log).withdrawn == IntervalSet{{1, 250}});
    // Told again and again, it is known already.
    state_that({});
    state_that({{1, record_number_max}});
    CHECK_FALSE(apply());
    CHECK(notify.empty());
}
