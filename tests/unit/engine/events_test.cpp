// Goal: no office fills the 100,000 events that are kept: a repeated event raises the count of one
// row.
// Method: an office in memory, told the same again and again.
#include <catch2/catch.hpp>

#include "daemon/engine/record/intake.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

// hq with three reports of its own. hyesan may say that it carries them.
class TracedReports {
public:
    TracedReports() : office_(network_, 0, records()) {}

    void carried_by(std::size_t place, Number first) {
        Custody custody;
        custody.signer = network_.offices[place].index;
        custody.version = {{1, 7}, ++counter_};
        custody.author = log().author;
        custody.at = founded_at;
        custody.logs = {{log().incarnation,
                         log().record_class,
                         crypto::hash_of_tops(network_.id(), {short_hash(id_of(last))}),
                         {}}};
        custody.logs[0].held.add({first, last});
        crypto::sign_custody(network_.offices[place].machine.identity, network_.id(), custody);
        REQUIRE(engine::take_custody(office_.ledger(), custody, {custody.signer}, LoneOffice::now(),
                                     office_.notices())
                    .has_value());
        REQUIRE(office_.ledger().custody(custody.signer) != nullptr);
    }

    [[nodiscard]] storage::ReportKey report(Number number) const {
        return storage::report_in(log(), number);
    }
    LoneOffice& office() { return office_; }
    [[nodiscard]] const Network& network() const { return network_; }

private:
    static constexpr Number last = 3;

    [[nodiscard]] LogKey log() const {
        return {network_.offices[0].index, {1, 7}, RecordClass::normal};
    }
    static RecordId id_of(Number number) {
        RecordId id;
        id.bytes[0] = static_cast<std::byte>(number);
        return id;
    }
    [[nodiscard]] std::vector<storage::StoreChange> records() const {
        storage::LogState state;
        state.hold({1, last});
        state.published = last;
        std::vector<storage::StoreChange> changes{storage::PutLog{log(), state}};
        for (Number number = 1; number <= last; ++number) {
            storage::StoredRecord record;
            record.arrival = storage::Arrival{number};
            record.log = log();
            record.run = {number, number};
            record.id = id_of(number);
            changes.emplace_back(storage::PutRecord{record});
        }
        return changes;
    }

    Network network_ = make_network({"hq", "hyesan", "wonsan"});
    std::uint64_t counter_ = 0;
    LoneOffice office_;
};

Now after_seconds(std::uint32_t seconds) {
    return {Instant{} + std::chrono::seconds(seconds), {founded_at.seconds + seconds}};
}

}  // namespace

TEST_CASE("a carrier that takes and lets go of a report is one event of it, however often",
          "[engine]") {
    TracedReports hq;
    for (int i = 0; i < 50; ++i) {
        hq.carried_by(1, 1);
        hq.carried_by(1, 3);
    }
    hq.carried_by(2, 1);
    auto& store = hq.office().store();
    CHECK(store.events(1, SIZE_MAX).value().size() == 6);
    CHECK(hq.office().notices().size() == 6);
    const auto events = store.events_of(hq.report(2)).value();
    REQUIRE(events.size() == 2);
    CHECK(events[0].seq < events[1].seq);
    CHECK(events[0].office == hq.network().offices[1].index);
    CHECK(events[1].office == hq.network().offices[2].index);
    CHECK(events[0].count == 50);
    CHECK(store.events_of(hq.report(3)).value().at(0).count == 1);
}

TEST_CASE("what one office causes without a report is one event of a kind an hour", "[engine]") {
    const auto network = make_network({"hq", "hyesan", "wonsan"});
    LoneOffice office(network, 0);
    auto& ledger = office.ledger();
    const auto note = [&](engine::What what, std::size_t place, std::uint32_t seconds) {
        ledger.note(what, {.office = network.offices[place].index}, after_seconds(seconds),
                    office.notices());
    };
    for (std::uint32_t seconds = 0; seconds < 3600; seconds += 60) {
        note(engine::What::offender, 1, seconds);
    }
    note(engine::What::offender, 2, 3599);
    CHECK(office.store().events(1, SIZE_MAX).value().size() == 2);
    CHECK(office.notices().size() == 2);
    note(engine::What::offender, 1, 3600);
    CHECK(office.store().events(1, SIZE_MAX).value().size() == 3);
    CHECK(office.notices().size() == 3);
    // A person sees in attention how often it happened.
    const auto& items = ledger.attention().items();
    const auto item = items.find({engine::What::offender, network.offices[1].index, {}});
    REQUIRE(item != items.end());
    CHECK(item->second.count == 61);
}

TEST_CASE("links that come and go, and changes of the roster, are told each time", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    LoneOffice office(network, 0);
    const auto note = [&](engine::What what) {
        office.ledger().note(what, {.office = network.offices[1].index}, LoneOffice::now(),
                             office.notices());
    };
    for (int i = 0; i < 3; ++i) {
        note(engine::What::peer_up);
        note(engine::What::peer_down);
    }
    CHECK(office.notices().size() == 6);
    // A second link to an office that is connected is no news.
    note(engine::What::peer_up);
    note(engine::What::peer_up);
    CHECK(office.notices().size() == 7);
    note(engine::What::roster);
    note(engine::What::roster);
    CHECK(office.notices().size() == 9);
    CHECK(office.store().events(1, SIZE_MAX).value().size() == 9);
}
