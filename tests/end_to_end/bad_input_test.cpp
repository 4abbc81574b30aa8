// Goal: a request that cannot be done costs one clear line and the promised exit code, and changes
// nothing.
// Method: tables of requests, each with the exit code that the contract gives it. After each the
// office is compared with its state before.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <ctime>

#include "proto/bytes.h"
#include "tests/end_to_end/offices.h"
#include "tests/end_to_end/refusals.h"

using namespace fieldpost::end_to_end;

namespace {

namespace fs = std::filesystem;

void check_all_refused(Office& office, const std::vector<Bad>& table) {
    for (const auto& bad : table) {
        check_refused(office, bad, state_of);
        CAPTURE(bad.what, bad.words, office.log());
        REQUIRE(office.is_up());
    }
}

// On a machine that is no office, and must not become one.
void check_makes_no_office(const Office& bare, const std::vector<Bad>& table) {
    for (const auto& bad : table) {
        check_refused(bare, bad, [](const Office& at) { return Json(fs::exists(at.home())); });
        fs::remove_all(bare.home());
    }
}

// hq and hyesan, linked; each has one report of the other, neither answered.
struct TwoOffices {
    TwoOffices() {
        REQUIRE(eventually([&] {
            return hq.ask({"list", "--inbox"}).size() == 1 &&
                   hyesan.ask({"list", "--inbox"}).size() == 1 &&
                   number_in(hq.ask({"status"}), "/outbox/delivered") == 1 &&
                   number_in(hyesan.ask({"status"}), "/outbox/delivered") == 1;
        }));
    }
    [[nodiscard]] std::string path(const std::string& name) const {
        return (network.folder() / name).string();
    }

    Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");
    std::string own = hyesan.queue({"--to", "hq", "--key", "used"}, "a text\n");
    std::string received = hq.queue({"--to", "hyesan"}, "a question\n");
};

void make_sparse(const std::string& path, off_t size) {
    write_file(path, "");
    REQUIRE(::truncate(path.c_str(), size) == 0);
}

std::string repeated(std::string_view text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) {
        all += text;
    }
    return all;
}

// Controls but newline and tab, C1, and the two format characters that the tests use.
bool can_harm_a_terminal(std::string_view text) {
    for (const std::string_view bad : {"\xe2\x80\xae", "\xe2\x80\x8b", "\xc2\x9b", "\x7f"}) {
        if (text.find(bad) != std::string_view::npos) {
            return true;
        }
    }
    return std::ranges::any_of(text, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t';
    });
}

}  // namespace

TEST_CASE("a report that cannot be queued is refused whole", "[end_to_end][slow]") {
    TwoOffices two;
    // If a row queues a report against its promise, the report goes nowhere while later rows are
    // checked.
    two.hq.stop();
    make_sparse(two.path("over"), (off_t{64} << 20) + 1);
    make_sparse(two.path("whole"), off_t{64} << 20);
    make_sparse(two.path("half a"), off_t{40} << 20);
    make_sparse(two.path("half b"), off_t{40} << 20);
    make_sparse(two.path("long"), off_t{2} << 20);
    write_file(two.path("large"), random_bytes(300 << 10));
    write_file(two.path("photo"), "bytes");
    write_file(two.path("photo\xff"), "bytes");
    fs::create_directory(two.path("folder"));
    REQUIRE(::mkfifo(two.path("fifo").c_str(), 0600) == 0);
    const auto with = [&](Words words) {
        words.insert(words.begin(), {"queue", "--to", "hq"});
        return words;
    };
    const auto subject = [&](std::string_view text) {
        return with({"--subject", std::string(text)});
    };
    check_all_refused(
        two.hyesan,
        {
            {"an unknown office", {"queue", "--to", "nowhere"}, 4},
            {"an unknown office after a known one", with({"--to", "nowhere"}), 4},
            {"an unknown group", {"queue", "--to", "@nobody"}, 4},
            {"a group with nobody in it", {"queue", "--to", "@relay"}, 4},
            {"its own office", {"queue", "--to", "hyesan"}, 6},
            {"nobody", {"queue"}, 2},
            {"nothing to send", with({}), 6, ""},
            {"only a subject", with({"--subject", "s"}), 6, ""},
            {"a text not UTF-8", with({}), 6, "\xff\xfe"},
            {"a text cut inside a character", with({}), 6, "\xed\x98"},
            {"a surrogate in the text", with({}), 6, "\xed\xa0\x80"},
            {"a text with U+0000", with({}), 6, std::string("a\0b", 3)},
            {"a text over 1 MiB", with({}), 6, std::string(2 << 20, 'x')},
            {"a text file not there", with({two.path("missing")}), 4},
            {"a text file over 1 MiB", with({two.path("long")}), 6},
            {"a text that is a folder", with({two.path("folder")}), 6},
            {"a text that is a FIFO", with({two.path("fifo")}), 6},
            {"an attachment not there", with({"--attach", two.path("missing")}), 4},
            {"the second attachment not there",
             with({"--attach", two.path("photo"), "--attach", two.path("missing")}), 4},
            {"an attachment that is a folder", with({"--attach", two.path("folder")}), 6},
            {"an attachment that is a FIFO", with({"--attach", two.path("fifo")}), 6},
            {"an attachment that is a device", with({"--attach", "/dev/zero"}), 6},
            {"an attachment over the limit", with({"--attach", two.path("over")}), 6},
            {"an attachment that fills the limit, and a text",
             with({"--attach", two.path("whole")}), 6},
            {"attachments over the limit together",
             with({"--attach", two.path("half a"), "--attach", two.path("half b")}), 6},
            {"an attachment whose name is not UTF-8", with({"--attach", two.path("photo\xff")}), 6},
            {"an urgent report over 256 KiB",
             with({"--priority", "urgent", "--attach", two.path("large")}), 6},
            {"a newline in the subject", subject("one\ntwo"), 6},
            {"an escape in the subject", subject("\x1b[31mred"), 6},
            {"a delete in the subject", subject("a\x7f"), 6},
            {"a C1 control in the subject",
             subject("\xc2\x9b"
                     "31mred"),
             6},
            {"a subject not UTF-8", subject("\xff"), 6},
            {"a subject of 10,000 characters", subject(repeated("가", 10'000)), 6},
            {"an escape in the staff name", with({"--staff", "\x1b[31m"}), 6},
            {"a staff name of 1,000 characters", with({"--staff", repeated("가", 1'000)}), 6},
            {"an escape in the type", with({"--type", "\x1b[31m"}), 6},
            {"a field without a value", with({"--field", "wells"}), 6},
            {"a field without a key", with({"--field", "=7"}), 6},
            {"a field given twice", with({"--field", "wells=7", "--field", "wells=8"}), 6},
            {"a control in a field's key", with({"--field", "we\nlls=7"}), 6},
            {"a field not UTF-8", with({"--field", "wells=\xff"}), 6},
            {"an expiry after more than a year", with({"--expires", "366d"}), 6},
            {"a reply to what is not here", with({"--reply-to", "hq-99"}), 4},
            {"a correction of what is not here", with({"--replaces", "hyesan-99"}), 4},
            {"a correction of another's report", with({"--replaces", two.received}), 5},
            {"a key used before with another text", with({"--key", "used"}), 6, "another text\n"},
            {"a key used before for another office", {"queue", "--to", "@hq", "--key", "used"}, 6},
            {"a key not UTF-8", with({"--key", "\xff"}), 6},
            {"an unknown priority", with({"--priority", "huge"}), 2},
            {"an unknown option", with({"--colour"}), 2},
            {"an option without its value", {"queue", "--to"}, 2},
        });
}

TEST_CASE("a key used before names the report that has it", "[end_to_end]") {
    TwoOffices two;
    const auto ran = two.hyesan.run({"queue", "--to", "hq", "--key", "used", "--json"}, "other\n");
    CHECK(ran.exit_code == 6);
    const auto error = Json::parse(ran.err).at("error");
    CHECK(error.at("code") == "key_used");
    CHECK(error.at("ids") == Json({two.own}));
}

TEST_CASE("an attachment that may not be read is refused", "[end_to_end]") {
    if (::geteuid() == 0) {
        WARN("skipped: root may read everything");
        return;
    }
    TwoOffices two;
    write_file(two.path("closed"), "bytes");
    fs::permissions(two.path("closed"), fs::perms::none);
    check_all_refused(two.hyesan, {{"an attachment closed to us",
                                    {"queue", "--to", "hq", "--attach", two.path("closed")},
                                    5}});
}

TEST_CASE("an ID that is none costs one line", "[end_to_end][slow]") {
    TwoOffices two;
    std::vector<Bad> table;
    for (const auto* command : {"show", "trace", "ack"}) {
        for (const auto* id : {"hyesan-99", "hyesan-u1", "nowhere-1", "hyesan.2-1"}) {
            table.push_back({"an unknown ID", {command, id}, 4});
        }
        for (const auto* id :
             {"hyesan", "42", "hyesan-", "hyesan-x1", "hyesan-1x", "\x1b[31m", "\xff"}) {
            table.push_back({"a malformed ID", {command, "--", id}, 6});
        }
        table.push_back({"a known ID and an unknown one", {command, two.received, "hyesan-99"}, 4});
        table.push_back({"no ID", {command}, 2});
    }
    table.push_back({"an answer to the own report", {"ack", two.own}, 5});
    table.push_back({"an answer to both", {"ack", two.received, two.own}, 5});
    table.push_back({"an unknown outcome", {"ack", two.received, "--outcome", "perhaps"}, 2});
    table.push_back({"a note too long", {"ack", two.received, "--note", repeated("가", 2'000)}, 6});
    table.push_back({"a note not UTF-8", {"ack", two.received, "--note", "\xff"}, 6});
    table.push_back({"an escape in the name", {"ack", two.received, "--staff", "\x1b[31m"}, 6});
    table.push_back(
        {"a folder not there", {"show", two.received, "--save", two.path("missing")}, 4});
    table.push_back({"since no time", {"list", "--since", "yesterday"}, 6});
    table.push_back({"a limit that is none", {"list", "--limit", "many"}, 2});
    table.push_back({"an unknown command", {"sned"}, 2});
    check_all_refused(two.hyesan, table);
    check_all_refused(two.hq, {{"an answer to the own report", {"ack", two.received}, 5}});
    // The list of commands is no error, but a script that forgot its command is not told "done".
    CHECK(two.hq.run({}).exit_code == 2);
}

TEST_CASE("what cannot be an office is neither made nor invited", "[end_to_end][slow]") {
    TwoOffices two;
    const auto invite = [&](const std::string& name, Words more = {}) {
        Words words = {"invite", name, "--no-code", "--output", two.path("made.invite")};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    };
    std::vector<Bad> table = {
        {"a name that looks like an ID", invite("camp-2"), 6},
        {"a name in capitals", invite("Camp"), 6},
        {"a name of nothing", invite(""), 6},
        {"a name with an escape", invite("camp\x1b"), 6},
        {"a name that is taken", invite("hyesan"), 6},
        {"an unknown role", invite("wonsan", {"--role", "king"}), 2},
        {"a validity that is none", invite("wonsan", {"--valid", "long"}), 6},
        {"a file where it cannot be",
         {"invite", "wonsan", "--output", two.path("missing/wonsan.invite")},
         4},
    };
    check_all_refused(two.hyesan, {{"not the authority", invite("wonsan"), 5}});
    check_all_refused(two.hq, table);
    CHECK_FALSE(fs::exists(two.path("made.invite")));

    const auto& bare = two.network.bare("bare");
    const auto init = [](const std::string& name, const std::string& network, Words more = {}) {
        Words words = {"init", name, "--network", network};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    };
    check_makes_no_office(
        bare,
        {
            {"a name that looks like an ID", init("camp-u7", "reha"), 6},
            {"a network without a name", init("camp", ""), 6},
            {"a network's name too long", init("camp", repeated("가", 100)), 6},
            {"a network's name with an escape", init("camp", "\x1b[31m"), 6},
            {"a network's name not UTF-8", init("camp", "\xff"), 6},
            {"an address that is none", init("camp", "reha", {"--advertise", "example.org"}), 6},
            {"an address to listen on that is none", init("camp", "reha", {"--listen", "6743"}), 6},
            {"no network", {"init", "camp"}, 2},
        });
    check_all_refused(two.hq, {{"an office in this home", init("camp", "reha"), 5}});
}

TEST_CASE("an invitation that is not good makes no office", "[end_to_end]") {
    TwoOffices two;
    const auto coded = two.path("coded.invite");
    const auto code =
        two.hq.ask({"invite", "wonsan", "--output", coded}).at("code").get<std::string>();
    const auto open = two.path("open.invite");
    two.hq.ask({"invite", "hamhung", "--no-code", "--output", open});
    const auto late = two.path("late.invite");
    two.hq.ask({"invite", "nampo", "--no-code", "--valid", "1s", "--output", late});
    REQUIRE(eventually([end = std::time(nullptr) + 2] { return std::time(nullptr) > end; }));
    const auto whole = read_file(open);
    for (const std::size_t size : {0U, 1U, 7U, 20U, 60U, 200U}) {
        write_file(two.path(fmt::format("first {}", size)), whole.substr(0, size));
    }
    write_file(two.path("all but one"), whole.substr(0, whole.size() - 1));
    write_file(two.path("one more"), whole + "x");
    write_file(two.path("garbage"), random_bytes(500));
    REQUIRE(::mkfifo(two.path("fifo").c_str(), 0600) == 0);
    std::vector<Bad> table = {
        {"a file not there", {"join", two.path("missing")}, 4},
        {"a folder", {"join", two.network.folder().string()}, 6},
        {"a FIFO", {"join", two.path("fifo")}, 6},
        {"garbage", {"join", two.path("garbage")}, 6},
        {"all but the last byte", {"join", two.path("all but one")}, 6},
        {"a byte too many", {"join", two.path("one more")}, 6},
        {"a wrong code", {"join", coded, "--code", "AAAAA-AAAAA"}, 5},
        {"a code almost right", {"join", coded, "--code", code.substr(0, 10)}, 5},
        {"a code of 100,000 characters", {"join", coded, "--code", std::string(100'000, 'A')}, 5},
        {"no code, and nobody to ask", {"join", coded}, 2},
        {"expired", {"join", late}, 5},
        {"an address that is none", {"join", open, "--advertise", "example.org"}, 6},
        {"an address to listen on that is none", {"join", open, "--listen", "6743"}, 6},
    };
    for (const auto* size : {"0", "1", "7", "20", "60", "200"}) {
        table.push_back({fmt::format("the first {} bytes", size),
                         {"join", two.path(fmt::format("first {}", size))},
                         6});
    }
    const auto& bare = two.network.bare("bare");
    check_makes_no_office(bare, table);

    // Another network's, where an office lives already.
    Network other;
    auto& stranger = other.found("hq");
    const auto foreign = two.path("foreign.invite");
    stranger.ask({"invite", "bare", "--no-code", "--output", foreign});
    REQUIRE(eventually([&] {
        return two.hyesan.ask({"roster"}).at("version") == two.hq.ask({"roster"}).at("version");
    }));
    check_all_refused(two.hyesan, {{"of another network", {"join", foreign}, 5},
                                   {"of our own network", {"join", open}, 5}});
    // Nothing of all this spoilt the invitations.
    CHECK(bare.run({"join", coded, "--code", code}).exit_code == 0);
}

TEST_CASE("an invitation used on a second machine admits the first alone", "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    auto& first = network.add(hq, "hyesan", "field");
    const auto invitation = (network.folder() / "hyesan.invite").string();
    auto& second = network.bare("second");
    second.run({"join", invitation});
    second.start();
    const auto fingerprint = [](const Office& at) { return at.ask({"status"}).at("fingerprint"); };
    first.queue({"--to", "hq"}, "from the first\n");
    second.run({"queue", "--to", "hq"}, "from the second\n");
    REQUIRE(eventually([&] { return hq.ask({"list", "--inbox"}).size() == 1; }));
    // It has asked, and was refused.
    REQUIRE(eventually([&] {
        return second.log().find("is up") != std::string::npos ||
               second.ask({"peers"}).at(0).at("reason") == "refused";
    }));
    CHECK(hq.ask({"roster"}).at("offices").at(1).at("fingerprint") == fingerprint(first));
    const auto inbox = hq.ask({"list", "--inbox"});
    CHECK(inbox.size() == 1);
    // Its people are told that nobody lets it in, and not left to wait.
    REQUIRE(eventually([&] {
        const auto items = second.ask({"attention"});
        return std::ranges::any_of(items,
                                   [](const Json& one) { return one.at("what") == "turned_away"; });
    }));
    const auto stuck = second.run({"queue", "--to", "hq"}, "again\n");
    CHECK(stuck.exit_code == 0);
    CHECK(stuck.err.find("It goes nowhere yet: no office lets this one in") != std::string::npos);
    CHECK(second.run({"trace", "hyesan-1"}).out.find("Next: no office lets this one in") !=
          std::string::npos);
    // The staff whom they will ring up are told too.
    const auto at_hq = hq.ask({"attention"});
    const auto told = std::ranges::find_if(
        at_hq, [](const Json& one) { return one.at("what") == "invitation_reused"; });
    REQUIRE(told != at_hq.end());
    CHECK(told->at("office") == "hyesan");
    CHECK(told->at("count") == 1);
    CHECK(hq.run({"show", inbox.at(0).at("id"), "--raw"}).out == "from the first\n");
}

TEST_CASE("whose code or file was lost is invited again under the same name", "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    const auto lost = (network.folder() / "lost.invite").string();
    const auto anew = (network.folder() / "anew.invite").string();
    hq.ask({"invite", "camp", "--no-code", "--output", lost});
    const auto ran = hq.run({"invite", "camp", "--no-code", "--output", anew});
    CHECK(ran.exit_code == 0);
    CHECK(ran.err.find("The earlier invitation of camp is good for nothing now") !=
          std::string::npos);
    auto& camp = network.bare("camp");
    camp.ask({"join", anew});
    camp.start();
    REQUIRE(eventually([&] { return knows_as_active(hq, "camp"); }));
    // A finder of the lost file is not let in, and hq hears of it.
    auto& finder = network.bare("finder");
    finder.ask({"join", lost});
    finder.start();
    REQUIRE(eventually([&] {
        return std::ranges::any_of(hq.ask({"attention"}), [](const Json& one) {
            return one.at("what") == "invitation_reused";
        });
    }));
    CHECK(hq.run({"invite", "camp", "--no-code", "--output", lost + "2"}).exit_code == 6);
}

TEST_CASE("a received text, name or subject cannot write to a terminal", "[end_to_end]") {
    TwoOffices two;
    const std::string evil =
        "\x1b[31mred\x1b]0;title\x07 \xe2\x80\xae turned \xe2\x80\x8b\xc2\x9b"
        "5m";
    const auto photo = two.path("\x1b[31m..photo.jpg");
    write_file(photo, "bytes");
    const auto id =
        two.hyesan.queue({"--to", "hq", "--subject", "turned \xe2\x80\xae subject", "--staff",
                          "\xe2\x80\xae name", "--field", "wells=" + evil, "--attach", photo},
                         evil + "\n\tsecond line\n");
    REQUIRE(eventually([&] { return two.hq.ask({"list", "--inbox"}).size() == 2; }));
    two.hq.ask({"ack", id, "--note", evil, "--staff", "\xe2\x80\xae name"});
    REQUIRE(eventually([&] { return two.hyesan.ask({"show", id}).at("state") == "acknowledged"; }));

    for (const auto* office : {&two.hq, &two.hyesan}) {
        for (const auto& words : std::vector<Words>{{"list"}, {"show", id}, {"trace", id}}) {
            CAPTURE(office->name(), words);
            const auto on_pipe = office->run(words);
            const auto on_terminal = office->show(words);
            CHECK(on_pipe.exit_code == 0);
            CHECK(on_terminal.exit_code == 0);
            CHECK_FALSE(can_harm_a_terminal(on_pipe.out));
            CHECK_FALSE(can_harm_a_terminal(on_terminal.out));
        }
    }
    const auto raw_on_terminal = two.hq.show({"show", id, "--raw"}).out;
    CHECK_FALSE(can_harm_a_terminal(raw_on_terminal));
    CHECK(raw_on_terminal.find("\n\tsecond line\n") != std::string::npos);
    CHECK(two.hq.run({"show", id, "--raw"}).out == evil + "\n\tsecond line\n");
    // In JSON it is a string like any other.
    CHECK(two.hq.ask({"show", id}).at("text") == evil + "\n\tsecond line\n");

    const auto saved = two.path("saved");
    fs::create_directory(saved);
    const auto ran = two.hq.show({"show", id, "--save", saved});
    CHECK_FALSE(can_harm_a_terminal(ran.err));
    for (const auto& file : fs::directory_iterator(saved)) {
        CHECK_FALSE(can_harm_a_terminal(file.path().filename().string()));
        CHECK(read_file(file.path()) == "bytes");
    }
    // Nor can a name come out of the folder, or hide in it.
    CHECK_FALSE(can_harm_a_terminal(two.hq.run({"show", "\x1b[31m"}).err));
}

TEST_CASE("without a daemon every command says so", "[end_to_end]") {
    TwoOffices two;
    const auto before = state_of(two.hyesan);
    two.hyesan.stop();
    for (const auto& words : std::vector<Words>{{"queue", "--to", "hq"},
                                                {"list"},
                                                {"show", two.own},
                                                {"ack", two.received},
                                                {"trace", two.own},
                                                {"peers"},
                                                {"roster"},
                                                {"invite", "wonsan"}}) {
        check_refused(two.hyesan, {"no daemon", words, 3});
    }
    check_refused(two.network.bare("nowhere"), {"no office either", {"list"}, 3});
    // Without a daemon the command still says what it knows.
    const auto status = two.hyesan.run({"status"});
    CHECK(status.exit_code == 3);
    CHECK(status.out.find("hyesan") != std::string::npos);
    CHECK(status.out.find("reha") != std::string::npos);
    CHECK(std::ranges::count(status.err, '\n') == 1);
    CHECK(status.err.find("fieldpostd --home") != std::string::npos);

    two.hyesan.start();
    CHECK(state_of(two.hyesan) == before);
    // One that was killed leaves its socket behind.
    two.hyesan.kill();
    check_refused(two.hyesan, {"a killed daemon", {"list"}, 3});
}

TEST_CASE("output that cannot be written is an error, and says what was done all the same",
          "[end_to_end]") {
    TwoOffices two;
    const auto into = [&](const std::string& where, const std::string& words) {
        return run({.words = {"/bin/sh", "-c",
                              FIELDPOST_BIN " --home " + two.hyesan.home().string() + " " + words +
                                  " " + where},
                    .input = "a text\n"});
    };
    const auto before = two.hyesan.ask({"list", "--outbox"}).size();
    for (const auto* where : {"> /dev/full", ">&-"}) {
        CAPTURE(where);
        const auto queued = into(where, "queue --to hq");
        CHECK(queued.exit_code == 8);  // it is queued: 7 would say that it is not
        const auto newest = two.hyesan.ask({"list", "--outbox"}).back().at("id");
        CHECK(queued.err.find(newest.get<std::string>() + " is queued") != std::string::npos);
        for (const auto* words : {"list", "status", "trace --json", "roster", "peers --json"}) {
            CAPTURE(words);
            const auto trace = std::string(words).starts_with("trace");
            const auto ran = into(where, trace ? "trace " + newest.get<std::string>() : words);
            CHECK((ran.exit_code == 7 || ran.exit_code == 1));
            CHECK(ran.err.find("could not be written") != std::string::npos);
        }
    }
    CHECK(two.hyesan.ask({"list", "--outbox"}).size() == before + 2);
}

TEST_CASE("an urgent report is at most 256 KiB as people count it", "[end_to_end]") {
    TwoOffices two;
    const auto queue = [&](std::size_t size) {
        return two.hyesan.run({"queue", "--to", "hq", "--priority", "urgent"},
                              std::string(size, 'a'));
    };
    CHECK(queue(255U << 10).exit_code == 0);
    const auto refused = queue(257U << 10);
    CHECK(refused.exit_code == 6);
    CHECK(refused.err.find("256 KiB") != std::string::npos);
}

TEST_CASE("wait ends when the time is up, wherever it is said, and when a report expires",
          "[end_to_end]") {
    TwoOffices two;
    two.hq.stop();
    const auto id = two.hyesan.queue({"--to", "hq"}, "nobody is there\n");
    const auto late = two.hyesan.run({"--timeout", "1", "wait", id, "--for", "delivered"});
    CHECK(late.exit_code == 8);
    CHECK(late.err.find(id) != std::string::npos);
    const auto brief = two.hyesan.queue({"--to", "hq", "--expires", "2s"}, "soon over\n");
    CHECK(two.hyesan.run({"wait", brief, "--for", "delivered", "--timeout", "1min"}).exit_code ==
          9);
}

TEST_CASE("an invitation that nobody used in time gives its name back", "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    const auto file = [&](const char* name) { return (network.folder() / name).string(); };
    REQUIRE(hq.run({"invite", "camp", "--valid", "1s", "--output", file("first")}).exit_code == 0);
    REQUIRE(eventually(
        [&] { return hq.run({"invite", "camp", "--output", file("third")}).exit_code == 0; }));
    CHECK(network.bare("late").run({"join", file("first"), "--code", "none"}).exit_code == 5);
}
