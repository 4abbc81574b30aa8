// Goal: a request is checked before anything is done, and its answer is bounded.
// Method: requests as a client that is not our command may send them, to an office in memory.
#include "daemon/runtime/answers.h"

#include "daemon/engine/record/authoring.h"
#include "daemon/runtime/answering.h"
#include "daemon/runtime/bundles.h"
#include "daemon/runtime/coverage.h"
#include "daemon/runtime/folders.h"
#include "daemon/runtime/sinks.h"
#include "proto/control.pb.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

class Asked {
public:
    Asked() {
        around.now = LoneOffice::now();
        around.folders = &folders;
        around.bundles = &bundles;
        around.sinks = &sinks;
        around.coverage = &coverage;
    }
    // The answer to a request. Nothing: the request is for the engine.
    std::optional<wire::Answer> ask(const wire::Request& request,
                                    runtime::Rights rights = runtime::Rights::all) {
        const auto text = request.SerializeAsString();
        auto handled =
            runtime::handle_request(office.ledger(), as_bytes(text), rights, 1, around).value();
        if (!std::holds_alternative<Bytes>(handled)) {
            return std::nullopt;
        }
        const auto& bytes = std::get<Bytes>(handled);
        wire::Answer answer;
        REQUIRE(answer.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
        return answer;
    }
    void check_refused(const wire::Request& request, unsigned exit) {
        const auto answer = ask(request);
        REQUIRE(answer);
        CHECK(answer->problem().exit() == exit);
    }

    Network network = make_network({"hq", "hyesan"});
    LoneOffice office{network, 0};
    home::OfficeHome home{"/nonexistent"};
    runtime::Folders folders{home};
    runtime::Coverage coverage;
    runtime::Sinks sinks{"/nonexistent/sinks"};
    runtime::Bundles bundles{network.offices[0].machine, network.id()};
    runtime::Surroundings around{};
};

// Own reports without words.
void write_reports(Asked& asked, std::uint32_t reports) {
    engine::reserve_numbers(asked.office.ledger());
    for (std::uint32_t i = 1; i <= reports; ++i) {
        storage::ReportProgress page;
        page.arrival = storage::Arrival{i};
        page.box = Box::outbox;
        page.recipients = {{.office = asked.network.offices[1].index}};
        const LogKey log{asked.network.offices[0].index, {1, 7}, RecordClass::normal};
        storage::StoredRecord record;
        record.arrival = page.arrival;
        record.log = log;
        record.run = {i, i};
        Header header;
        header.log = log;
        header.number = i;
        header.lifetime_seconds = 60;
        header.body_bytes = 100;
        header.stanzas = {{page.recipients[0].office, 1, {}}};
        record.header = encode_header(header);
        asked.office.ledger().write(storage::PutRecord{record});
        asked.office.ledger().write(storage::PutReport{storage::report_in(log, i), page});
    }
    asked.office.write();
}

}  // namespace

TEST_CASE("a reader's request that is not for readers is refused before it is looked at",
          "[answers]") {
    Asked asked;
    const std::set<int> for_readers = {wire::Request::kList,   wire::Request::kFeed,
                                       wire::Request::kShow,   wire::Request::kTrace,
                                       wire::Request::kStatus, wire::Request::kAttachment,
                                       wire::Request::kSink};
    constexpr int newest_request = wire::Request::kContinueHere;
    for (int what = 0; what <= newest_request + 1; ++what) {
        // A message with this field alone, which is empty.
        wire::Request request;
        std::string bytes;
        if (what != 0) {
            const auto tag = static_cast<unsigned>(what) << 3U | 2U;
            bytes.push_back(static_cast<char>((tag & 0x7fU) | (tag > 0x7f ? 0x80U : 0U)));
            if (tag > 0x7f) {
                bytes.push_back(static_cast<char>(tag >> 7U));
            }
            bytes.push_back('\0');
        }
        REQUIRE(request.ParseFromString(bytes));
        if (what == wire::Request::kStatus) {
            continue;  // it looks at links, of which there are none here
        }
        const auto answer = asked.ask(request, runtime::Rights::reader);
        INFO(what);
        REQUIRE(answer);
        CHECK((answer->problem().code() == "no_access") == !for_readers.contains(what));
    }
}

TEST_CASE("a request that leaves a field out, or gives a wrong one, is refused", "[answers]") {
    Asked asked;
    wire::Request request;
    SECTION("no priority") {
        request.mutable_queue()->set_priority(static_cast<wire::Priority>(0));
    }
    SECTION("a priority that is none") {
        request.mutable_queue()->set_priority(static_cast<wire::Priority>(4));
    }
    SECTION("no outcome") {
        request.mutable_ack()->set_outcome(static_cast<wire::Outcome>(0));
    }
    SECTION("an outcome that is none") {
        request.mutable_ack()->set_outcome(static_cast<wire::Outcome>(4));
    }
    SECTION("an invitation that has expired when it is made") {
        request.mutable_invite()->set_office("camp");
    }
    SECTION("a role that is none") {
        request.mutable_invite()->set_valid_s(60);
        request.mutable_invite()->set_role(static_cast<wire::Role>(99));
    }
    if (request.has_queue()) {
        request.mutable_queue()->add_to("hyesan");
        request.mutable_queue()->set_text("x");
        request.mutable_queue()->set_lifetime_s(60);
    }
    asked.check_refused(request, 6);
}

TEST_CASE("a request names a thousand reports at most", "[answers]") {
    Asked asked;
    wire::Request show;
    wire::Request ack;
    wire::Request trace;
    wire::Request withdraw;
    wire::Request forget;
    ack.mutable_ack()->set_outcome(static_cast<wire::Outcome>(1));
    withdraw.mutable_withdraw()->set_reason("x");
    for (int i = 0; i < 1001; ++i) {
        show.mutable_show()->add_ids("hyesan-1");
        ack.mutable_ack()->add_ids("hyesan-1");
        trace.mutable_trace()->add_ids("hyesan-1");
        withdraw.mutable_withdraw()->add_ids("hyesan-1");
        forget.mutable_forget()->add_ids("hyesan-1");
    }
    for (const auto* request : {&show, &ack, &trace, &withdraw, &forget}) {
        asked.check_refused(*request, 6);
    }
}

TEST_CASE("a list comes in pages that end, and a page in the time that it has", "[answers]") {
    Asked asked;
    constexpr int reports = 1100;
    write_reports(asked, reports);
    wire::Request request;
    auto& list = *request.mutable_list();
    list.add_boxes(wire::BOX_OUTBOX);
    const bool is_in_a_hurry = GENERATE(false, true);
    const bool newest_first = GENERATE(false, true);
    list.set_newest_first(newest_first);
    if (is_in_a_hurry) {
        asked.around.is_spent = [] { return true; };
    }
    std::vector<std::uint64_t> seen;
    int pages = 0;
    while (true) {
        const auto answer = asked.ask(request).value();
        CAPTURE(answer.problem().what());
        REQUIRE(answer.problem().what().empty());
        CHECK(answer.entries_size() <= 500);
        for (const auto& entry : answer.entries()) {
            seen.push_back(entry.seq());
        }
        ++pages;
        if (answer.next_seq() == 0) {
            break;
        }
        list.set_from_seq(answer.next_seq());
    }
    CHECK(pages == (is_in_a_hurry ? reports : 3));
    if (newest_first) {
        std::ranges::reverse(seen);
    }
    REQUIRE(seen.size() == reports);
    CHECK(std::ranges::is_sorted(seen));
    CHECK(std::ranges::adjacent_find(seen) == seen.end());
}

TEST_CASE("many reports are shown and traced in parts, and one bad ID refuses all", "[answers]") {
    Asked asked;
    write_reports(asked, 30);
    const bool is_in_a_hurry = GENERATE(false, true);
    asked.around.is_spent = [&] { return is_in_a_hurry; };
    std::vector<std::string> ids;
    for (int i = 30; i > 0; --i) {
        ids.push_back("hq-" + std::to_string(i));
    }
    const bool is_trace = GENERATE(false, true);
    const auto request_for = [&](std::span<const std::string> some) {
        wire::Request request;
        (is_trace ? request.mutable_trace()->mutable_ids() : request.mutable_show()->mutable_ids())
            ->Assign(some.begin(), some.end());
        return request;
    };
    std::vector<std::string> seen;
    int parts = 0;
    for (std::span<const std::string> left(ids); !left.empty(); ++parts) {
        const auto answer = asked.ask(request_for(left)).value();
        CAPTURE(answer.problem().what());
        REQUIRE(answer.done_ids() > 0);
        for (const auto& entry : answer.entries()) {
            seen.push_back(entry.id());
        }
        for (const auto& trace : answer.traces()) {
            seen.push_back(trace.entry().id());
        }
        left = left.subspan(answer.done_ids());
    }
    CHECK(seen == ids);
    CHECK(parts == (is_in_a_hurry ? 30 : 1));
    ids.emplace_back("hq-31");
    asked.check_refused(request_for(ids), 4);
}

TEST_CASE("matters for a person come in pages, each once", "[answers]") {
    Asked asked;
    const LogKey log{asked.network.offices[0].index, {1, 7}, RecordClass::normal};
    constexpr Number items = 1200;
    std::vector<engine::Notice> notices;
    for (Number i = 1; i <= items; ++i) {
        asked.office.ledger().note(
            engine::What::correct,
            {.office = asked.network.offices[1].index, .report = storage::report_in(log, i)},
            LoneOffice::now(), notices);
    }
    asked.office.ledger().note(engine::What::copied, {.office = asked.network.offices[1].index},
                               LoneOffice::now(), notices);
    std::set<std::uint32_t> seen;
    wire::Request request;
    request.mutable_attention();
    while (true) {
        const auto answer = asked.ask(request).value();
        CHECK(answer.items_size() <= 500);
        for (const auto& item : answer.items()) {
            CHECK(seen.insert(item.no()).second);
        }
        if (answer.next_part().empty()) {
            break;
        }
        request.mutable_attention()->set_from(answer.next_part());
    }
    CHECK(seen.size() == items + 1);
    request.mutable_attention()->set_from("no place");
    asked.check_refused(request, 6);
}

TEST_CASE("what looks after a folder is told that something urgent has come, from the logs",
          "[answers]") {
    Asked asked;
    wire::Request question;
    question.mutable_folder_state();
    const auto urgent_known = [&] { return asked.ask(question)->folder_state().urgent_known(); };
    const auto log = [&](RecordClass record_class) -> storage::LogState& {
        return asked.office.ledger().edit_log(
            {asked.network.offices[1].index, {1, 7}, record_class});
    };
    log(RecordClass::normal).hold({1, 1});
    CHECK(urgent_known() == 0);
    log(RecordClass::urgent).hold({1, 2});
    CHECK(urgent_known() == 2);
    log(RecordClass::bulk).hold({1, 3});
    CHECK(urgent_known() == 2);
    // A record that is delivered and leaves is not counted anew.
    log(RecordClass::urgent).end(IntervalSet{{1, 1}});
    CHECK(urgent_known() == 2);
}

TEST_CASE("the trouble of a folder is kept up to a kilobyte, in whole characters", "[answers]") {
    Asked asked;
    asked.folders.keep({{"/nonexistent/folder", {}}});
    wire::Request request;
    request.mutable_folder()->set_path("/nonexistent/folder");
    std::string words = "x";
    for (int i = 0; i < 100'000; ++i) {
        words += "석";
    }
    request.mutable_folder()->set_trouble(words);
    REQUIRE(asked.ask(request));
    const auto news = asked.folders.take_news();
    REQUIRE(news);
    const auto& told = std::get<engine::MachineTrouble>(*news).detail;
    CHECK(told.size() < 1100);
    CHECK(told.ends_with("석"));
}
