// Goal: a draft is written whole or not at all, and no member's statement keeps a report to a group
// from the others.
// Method: one office in memory, with statements made by hand.
#include "daemon/engine/record/authoring.h"

#include "crypto/hash.h"
#include "daemon/engine/record/progress.h"
#include "daemon/engine/record/queue_key.h"
#include "tests/unit/engine/writing_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using storage::FailReason;
using storage::State;

namespace {

constexpr std::size_t writer = 1;
constexpr std::size_t good = 2;
constexpr std::size_t bad = 3;

class Writer : public WritingOffice {
public:
    Writer() : WritingOffice(make_network({"hq", "writer", "good", "bad"}), writer, {0, good}) {}
    // A draft to all other offices.
    [[nodiscard]] engine::Draft draft() const {
        engine::Draft draft;
        draft.to = {index(0), index(good), index(bad)};
        draft.groups = {group_of_all};
        draft.may_leave_out = {draft.to.begin(), draft.to.end()};
        draft.report.text = "to all";
        return draft;
    }
    Errc declined(engine::Draft draft) {
        const auto before = office.write();
        const auto notice = submit(std::move(draft));
        REQUIRE(std::holds_alternative<engine::Declined>(notice));
        CHECK(office.write() == before);
        return std::get<engine::Declined>(notice).error.code;
    }
    // Writes the draft. All recipients but `bad` are queued, and the page shows `bad` as failed for
    // `reason`.
    void check_left_out(FailReason reason) {
        const auto notice = submit(draft());
        REQUIRE(std::holds_alternative<engine::Accepted>(notice));
        const auto& accepted = std::get<engine::Accepted>(notice);
        REQUIRE(accepted.left_out.size() == 1);
        CHECK(accepted.left_out.front().office == index(bad));
        const auto record = office.store()
                                .record(log_of(accepted.report), accepted.report.origin.number,
                                        storage::WithBody::no)
                                .value();
        const auto header = decode_header(record->header).value();
        CHECK(header.has_stanza_for(index(good)));
        CHECK_FALSE(header.has_stanza_for(index(bad)));
        const auto page = office.store().report(accepted.report).value();
        for (const auto& one : page->recipients) {
            CHECK(one.state == (one.office == index(bad) ? State::failed : State::queued));
            CHECK(one.reason == (one.office == index(bad) ? reason : FailReason::none));
        }
        // A later receipt of `bad` changes nothing.
        REQUIRE_FALSE(engine::prove(office.ledger(), accepted.report,
                                    {.of = engine::Proof::Of::received, .recipient = index(bad)},
                                    LoneOffice::now())
                          .value());
    }
};

}  // namespace

TEST_CASE("a report to a group goes to all that can be sealed to, and says who cannot",
          "[engine]") {
    Writer writing;
    const auto& one = writing.network.offices[bad];
    SECTION("one that has said nothing yet") {}
    SECTION("one without a key") {
        writing.state(bad, {});
    }
    SECTION("another's key") {
        writing.state(bad, writing.keys_of(good));
    }
    SECTION("what is no key") {
        writing.state(
            bad, {crypto::sign_prekey(one.mail.signing, writing.network.id(), one.index, 9, {})});
    }
    writing.check_left_out(FailReason::no_key);
    // A person who names this office is told.
    auto draft = writing.draft();
    draft.may_leave_out.erase(one.index);
    CHECK(writing.declined(draft) == Errc::unavailable);
    draft = writing.draft();
    draft.to = {one.index};
    CHECK(writing.declined(draft) == Errc::unavailable);
}

TEST_CASE("a draft that makes no record others would read is declined, and nothing is written",
          "[engine]") {
    Writer writing;
    auto draft = writing.draft();
    SECTION("it ends at once") {
        draft.lifetime_seconds = 0;
    }
    SECTION("it lasts too long") {
        draft.lifetime_seconds = UINT32_MAX;
    }
    SECTION("no text that a report may have") {
        draft.report.text = "\xff";
    }
    SECTION("too much of a field") {
        draft.report.subject = std::string(100'000, 'x');
    }
    SECTION("attachments of another size") {
        draft.attachments = Bytes(3);
    }
    SECTION("nobody") {
        draft.to.clear();
    }
    SECTION("urgent, and too large") {
        draft.record_class = RecordClass::urgent;
        draft.report.text = std::string(300'000, 'x');
    }
    writing.declined(draft);
    CHECK(std::holds_alternative<engine::Accepted>(writing.submit(writing.draft())));
}

TEST_CASE("what is queued again under its key is the same report, and something else is declined",
          "[engine]") {
    Writer writing;
    auto draft = writing.draft();
    draft.key = "week 9";
    draft.attachments = to_bytes(as_bytes("scan"));
    draft.report.attachments = {{"a.pdf", 4}};
    const auto first = std::get<engine::Accepted>(writing.submit(draft));
    SECTION("this release made the hash") {}
    SECTION("another release made the hash, in another way") {
        auto row = engine::report_under(writing.office.ledger(), draft.key).value().value();
        CHECK(row.content_version != 0);
        row.content_version = 0;
        row.content = {};
        writing.office.ledger().write(storage::PutKeyed{
            crypto::hash("queue-key", writing.network.id(), {as_bytes(draft.key)}), row});
    }
    const auto is_again = [&](const engine::Draft& again) {
        const auto notice = writing.submit(again);
        const auto* accepted = std::get_if<engine::Accepted>(&notice);
        return accepted != nullptr && accepted->is_repeat && accepted->report == first.report;
    };
    CHECK(is_again(draft));
    auto later = draft;
    later.report.utc_offset_minutes = 540;
    CHECK(is_again(later));
    // An office has joined the group meanwhile, or left it.
    auto grown = draft;
    grown.to.pop_back();
    CHECK(is_again(grown));

    for (const auto& change : std::vector<std::function<void(engine::Draft&)>>{
             [](auto& other) { other.report.text += "!"; },
             [](auto& other) { other.report.fields.push_back({"ward", "3"}); },
             [](auto& other) { other.attachments.back() = std::byte{'N'}; },
             [](auto& other) { other.report.attachments.front().name = "b.pdf"; },
             [](auto& other) { other.record_class = RecordClass::bulk; },
             [](auto& other) { ++other.lifetime_seconds; },
             [](auto& other) { other.report.addressed = {"@hq"}; }}) {
        auto other = draft;
        change(other);
        CHECK(writing.declined(other) == Errc::malformed);
    }
    auto elsewhere = draft;
    elsewhere.key = "week 10";
    const auto second = std::get<engine::Accepted>(writing.submit(elsewhere));
    CHECK(second.report != first.report);
}
