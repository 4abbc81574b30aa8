// Goal: a recipient whose receipts alternate between a statement and its opposite costs its author
// only the new part of each.
// Method: thousands of own reports; receipts signed by a member; reads of the store are counted.
#include <catch2/catch.hpp>

#include "crypto/register_seal.h"
#include "daemon/engine/record/progress.h"
#include "daemon/engine/registers.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

constexpr Number reports_written = 3000;

// hq has written that many reports_written to pyongyang, and every tenth to hyesan as well.
class Author {
public:
    Author() : office_(network_, 0, changes()) {}

    // Reads that the next receipt of hyesan costs.
    std::uint64_t reads_of(ReceiptLog entry) {
        entry.incarnation = log_.incarnation;
        entry.record_class = log_.record_class;
        std::vector<ShortHash> ids;
        const auto told = united(entry.received, entry.unreadable);
        for (const auto run : told.intervals()) {
            ids.push_back(short_hash(id_of(run.last)));
        }
        entry.tops = crypto::hash_of_tops(network_.id(), ids);
        if (speaks_of_others_) {
            entry.tops.bytes[0] ^= std::byte{1};
        }
        Register signed_receipt;
        signed_receipt.key = {hyesan_, static_cast<std::uint8_t>(RegisterKind::receipt),
                              receipt_subject(log_.author)};
        signed_receipt.version = {{1, 7}, ++counter_};
        signed_receipt.at = founded_at;
        signed_receipt.payload = encode_receipt({{std::move(entry)}});
        crypto::sign_register(network_.offices[1].machine.identity, network_.id(), signed_receipt);
        const auto before = office_.disk().reads;
        REQUIRE(engine::take_register(office_.ledger(), signed_receipt,
                                      {hyesan_, engine::How::link}, LoneOffice::now(),
                                      office_.notices())
                    .has_value());
        return office_.disk().reads - before;
    }
    // From here on the receipts name other records under these numbers, or the author's own.
    void speak_of_others(bool does) { speaks_of_others_ = does; }
    storage::Recipient shown(Number number) {
        const auto page = office_.store().report(storage::report_in(log_, number)).value().value();
        return page.recipients.back();
    }
    void prove(Number number, engine::Proof::Of of) {
        REQUIRE(engine::prove(office_.ledger(), storage::report_in(log_, number), {.of = of},
                              LoneOffice::now())
                    .value());
    }
    bool is_terminal(Number number) {
        return office_.ledger().log(log_).is_terminal({number, number});
    }

private:
    static RecordId id_of(Number number) {
        RecordId id;
        id.bytes[0] = std::byte{1};
        id.bytes[1] = static_cast<std::byte>(number & 0xff);
        id.bytes[2] = static_cast<std::byte>(number >> 8);
        return id;
    }
    std::vector<storage::StoreChange> changes() const {
        std::vector<storage::StoreChange> all;
        storage::LogState state;
        for (Number number = 1; number <= reports_written; ++number) {
            Header header;
            header.log = log_;
            header.number = number;
            header.count = 1;
            header.lifetime_seconds = 86400;
            header.stanzas = {{network_.offices[2].index, 1, {}}};
            storage::ReportProgress page;
            page.arrival = storage::Arrival{number};
            page.recipients = {{.office = network_.offices[2].index}};
            if (number % 10 == 0) {
                header.stanzas.insert(header.stanzas.begin(), {hyesan_, 1, {}});
                page.recipients.push_back({.office = hyesan_});
            }
            header.body_bytes = 100;
            storage::StoredRecord record;
            record.arrival = storage::Arrival{number};
            record.log = log_;
            record.run = {number, number};
            record.id = id_of(number);
            record.header = encode_header(header);
            state.hold(record.run);
            all.emplace_back(storage::PutRecord{record});
            all.emplace_back(storage::PutReport{storage::report_in(log_, number), page});
        }
        state.published = reports_written;
        state.published_id = id_of(reports_written);
        state.next = reports_written + 1;
        all.emplace_back(storage::PutLog{log_, state});
        return all;
    }

    Network network_ = make_network({"hq", "hyesan", "pyongyang"});
    OfficeId hyesan_ = network_.offices[1].index;
    LogKey log_{network_.offices[0].index, {1, 7}, RecordClass::normal};
    std::uint64_t counter_ = 0;
    bool speaks_of_others_ = false;
    LoneOffice office_;
};

ReceiptLog says_received(IntervalSet numbers) {
    ReceiptLog entry;
    entry.received = std::move(numbers);
    return entry;
}
ReceiptLog says_unreadable(IntervalSet numbers) {
    ReceiptLog entry;
    entry.unreadable = std::move(numbers);
    return entry;
}
ReceiptLog says_refused(IntervalSet numbers) {
    ReceiptLog entry;
    entry.refused[static_cast<std::uint8_t>(RefusalReason::no_room)] = std::move(numbers);
    return entry;
}

}  // namespace

TEST_CASE("receipts that come and go by turns are looked at once", "[engine]") {
    Author author;
    const IntervalSet all{{1, reports_written}};
    CHECK(author.reads_of(says_received(all)) > reports_written);
    CHECK(author.shown(10).state == storage::State::delivered);
    for (int turn = 0; turn < 5; ++turn) {
        CHECK(author.reads_of(says_received({{5, 5}})) < 20);
        CHECK(author.reads_of(says_received(all)) < 20);
    }
    CHECK(author.shown(10).state == storage::State::delivered);
}

TEST_CASE("what a receipt says of reports that were for others is looked at once", "[engine]") {
    Author author;
    const IntervalSet all{{1, reports_written}};
    author.reads_of(says_received(all));
    author.reads_of(says_unreadable(all));
    CHECK(author.shown(10).reason == storage::FailReason::unreadable);
    // Only pages of reports to this office alone can change, and none of them changes back.
    CHECK(author.reads_of(says_received(all)) < reports_written);
    CHECK(author.shown(10).reason == storage::FailReason::unreadable);
    CHECK(author.reads_of(says_unreadable(all)) < reports_written);
    CHECK(author.shown(10).reason == storage::FailReason::unreadable);
    author.reads_of(says_refused(all));
    CHECK(author.reads_of(says_received({{5, 5}})) < reports_written);
    CHECK(author.reads_of(says_refused(all)) < reports_written);
    CHECK(author.shown(10).reason == storage::FailReason::unreadable);
}

TEST_CASE("a refusal that ends is shown, and so is the next one", "[engine]") {
    Author author;
    author.reads_of(says_refused({{20, 20}}));
    CHECK(author.shown(20).reason == storage::FailReason::refused);
    author.reads_of(says_received({{5, 5}}));
    CHECK(author.shown(20).state == storage::State::queued);
    author.reads_of(says_refused({{20, 20}}));
    CHECK(author.shown(20).reason == storage::FailReason::refused);
}

TEST_CASE("a receipt for another copy's records proves nothing, and a later one for ours does",
          "[engine]") {
    Author author;
    author.speak_of_others(true);
    author.reads_of(says_received({{1, 50}, {70, 80}}));
    CHECK(author.shown(20).state == storage::State::queued);
    author.reads_of(says_unreadable({{1, 50}}));
    CHECK(author.shown(20).state == storage::State::queued);
    CHECK_FALSE(author.is_terminal(20));
    author.speak_of_others(false);
    author.reads_of(says_received({{1, 50}, {70, 80}}));
    CHECK(author.shown(20).state == storage::State::delivered);
    CHECK(author.shown(80).state == storage::State::delivered);
}
