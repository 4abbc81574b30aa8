// Goal: an office that was cut off is nobody's office any more, whichever way the news came; what
// it wrote before is not lost; and its own people are told why.
// Method: real offices; the command as people and programs use it; links, a stick, a folder, and
// daemons that are killed.
#include <catch2/catch.hpp>
#include <thread>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

namespace fs = std::filesystem;

std::string state_of(const Office& at, const std::string& name) {
    const auto roster = at.ask({"roster"});
    for (const auto& office : roster["offices"]) {
        if (office["name"] == name) {
            return office["state"];
        }
    }
    return "unknown";
}

bool has_item(const Office& at, const std::string& what, const std::string& office) {
    return std::ranges::any_of(at.ask({"attention"}), [&](const Json& item) {
        return item["what"] == what && item["office"] == office;
    });
}

std::string code_of(const Ran& ran) {
    return Json::parse(ran.err).at("error").at("code");
}

struct ThreeOffices {
    Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");
    Office& camp = network.add(hq, "camp", "field");

    void revoke_hyesan() {
        const auto told = hq.ask({"revoke", "hyesan", "--reason", "국경에서 압수됨"});
        CHECK(told["office"] == "hyesan");
        CHECK(told["roster_version"].is_number());
    }
};

}  // namespace

TEST_CASE("an office is cut off over links: nobody deals with it, and it is told",
          "[end_to_end][revocation]") {
    ThreeOffices at;
    const auto before = at.hyesan.deliver({"--to", "hq"}, "before");
    const auto unread = [&] {
        at.hyesan.stop();
        return at.camp.queue({"--to", "hyesan", "--to", "hq"}, "for two");
    }();
    REQUIRE(eventually([&] { return at.hq.ask({"list", "--inbox"}).size() == 2; }));
    const auto told = at.hq.ask({"revoke", "hyesan", "--reason", "국경에서 압수됨"});
    CHECK(told["kept"] == Json({before}));
    CHECK(state_of(at.hq, "hyesan") == "revoked");
    CHECK(at.hq.ask({"show", before})["after_cut_off"] == false);
    REQUIRE(eventually([&] { return state_of(at.camp, "hyesan") == "revoked"; }));
    CHECK(has_item(at.camp, "revoked", "hyesan"));
    CHECK(has_item(at.camp, "unreachable", "hyesan"));
    const auto report = at.camp.ask({"show", unread});
    CHECK(report["recipient_states"]["hyesan"] == "failed");
    CHECK(report["recipient_states"]["hq"] == "delivered");
    for (auto* office : {&at.hq, &at.camp}) {
        const auto refused = office->run({"queue", "--to", "hyesan", "--json"}, "x");
        CHECK(refused.exit_code == 5);
        CHECK(code_of(refused) == "revoked");
    }
    // Its people see why nothing goes, and keep what they have.
    at.hyesan.start();
    REQUIRE(eventually([&] { return at.hyesan.ask({"status"})["state"] == "revoked"; }));
    CHECK(has_item(at.hyesan, "shut_out", "hyesan"));
    for (const Words& words :
         {Words{"queue", "--to", "hq"}, Words{"withdraw", before, "--reason", "x"}}) {
        auto asked = words;
        asked.push_back("--json");
        const auto refused = at.hyesan.run(asked, "x");
        CHECK(refused.exit_code == 5);
        CHECK(code_of(refused) == "revoked");
    }
    CHECK(at.hyesan.ask({"show", before})["text"] == "before");
    CHECK(at.hyesan.run({"export", "--output", (at.network.folder() / "all.jsonl").string()})
              .exit_code == 0);
    CHECK(at.hyesan.show({"status"}).out.find("revoked") != std::string::npos);
    CHECK(at.hyesan.show({"status"}).out.find("nothing is sent any more") != std::string::npos);
    CHECK(at.hyesan.show({"trace", before}).exit_code == 0);
    CHECK(at.camp.show({"roster"}).out.find("cut off: 국경에서 압수됨") != std::string::npos);
    CHECK(at.camp.show({"attention"}).out.find("국경") == std::string::npos);
    for (const Words& words :
         {Words{"sync", "hyesan"},
          Words{"bundle", "export", (at.network.folder() / "x").string(), "--for", "hyesan"},
          Words{"ack", before}}) {
        CHECK(at.hq.run(words).exit_code == 5);
    }
    CHECK_FALSE(at.hq.ask({"peers"}).empty());
    for (const auto& peer : at.hq.ask({"peers"})) {
        CHECK((peer["office"] != "hyesan" || peer["state"] == "revoked"));
    }
    // Another mark later, for somebody has found its last good report.
    CHECK(at.hq.ask({"revoke", "hyesan", "--reason", "found", "--keep", before})["kept"] ==
          Json({before}));
}

TEST_CASE("the news of a cut-off comes by stick, and so does what the cut-off keeps",
          "[end_to_end][revocation]") {
    ThreeOffices at;
    at.hyesan.deliver({"--to", "hq"}, "kept");
    at.camp.stop();
    at.hq.stop();
    // Written before, and still on a driver's stick. hq has never seen the second.
    const auto on_stick = at.hyesan.queue({"--to", "camp"}, "on the stick");
    const auto stick = (at.network.folder() / "stick").string();
    fs::create_directory(stick);
    REQUIRE(at.hyesan.run({"bundle", "export", stick + "/of-hyesan.fpb"}).exit_code == 0);
    at.hyesan.kill();
    at.hq.start();
    REQUIRE(at.hq.run({"revoke", "hyesan", "--reason", "lost", "--keep", on_stick}).exit_code == 0);
    REQUIRE(at.hq.run({"bundle", "export", stick + "/of-hq.fpb"}).exit_code == 0);
    at.hq.stop();
    at.camp.start();
    REQUIRE(at.camp.run({"bundle", "import", stick + "/of-hq.fpb"}).exit_code == 0);
    CHECK(state_of(at.camp, "hyesan") == "revoked");
    const auto imported = at.camp.run({"bundle", "import", stick + "/of-hyesan.fpb"});
    CAPTURE(imported.err);
    CHECK(imported.exit_code == 0);
    CHECK(at.camp.ask({"show", on_stick})["text"] == "on the stick");
    CHECK(at.camp.ask({"show", on_stick})["after_cut_off"] == false);
}

TEST_CASE("a stick that is written after a cut-off is noise to the thief, and brings members along",
          "[end_to_end][revocation]") {
    ThreeOffices at;
    Office& wonsan = at.network.add(at.hq, "wonsan", "field");
    const auto stick = [&](const std::string& name) {
        return (at.network.folder() / name).string();
    };
    (void)at.hyesan.deliver({"--to", "hq"}, "before");
    at.camp.stop();
    at.hyesan.stop();
    wonsan.stop();
    const auto first = at.hq.queue({"--to", "camp"}, "of the first epoch");
    REQUIRE(at.hq.run({"bundle", "export", stick("old.fpb")}).exit_code == 0);
    REQUIRE(at.hq.run({"revoke", "hyesan", "--reason", "taken"}).exit_code == 0);
    const auto second = at.hq.queue({"--to", "camp"}, "of the second epoch");
    REQUIRE(at.hq.run({"bundle", "export", stick("middle.fpb")}).exit_code == 0);
    REQUIRE(at.hq.run({"revoke", "wonsan", "--reason", "taken"}).exit_code == 0);
    const auto third = at.hq.queue({"--to", "camp"}, "of the third epoch");
    REQUIRE(at.hq.run({"bundle", "export", stick("new.fpb")}).exit_code == 0);
    at.hq.stop();

    // The thief has the home, the stick and, once, the invitation.
    at.hyesan.start();
    const auto records_in = [](const Office& office, const std::string& file) {
        return office.ask({"bundle", "inspect", file})["records"].size();
    };
    CHECK(records_in(at.hyesan, stick("old.fpb")) > 0);
    CHECK(records_in(at.hyesan, stick("middle.fpb")) == 0);
    CHECK(records_in(at.hyesan, stick("new.fpb")) == 0);
    const auto taken = at.hyesan.run({"bundle", "import", stick("new.fpb"), "--json"});
    CHECK(taken.exit_code == 9);  // most of it cannot be read
    CHECK(Json::parse(taken.out)["new"] == 0);
    CHECK(at.hyesan.ask({"status"})["state"] == "revoked");
    CHECK(records_in(at.hyesan, stick("new.fpb")) == 0);
    // An office that was cut off later has the epoch before its own end, and no later one.
    wonsan.start();
    CHECK(records_in(wonsan, stick("middle.fpb")) > 0);
    CHECK(records_in(wonsan, stick("new.fpb")) == 0);

    // camp was away all the time, and meets nobody. The newest stick comes first.
    at.camp.start();
    for (const auto& [file, report, text] :
         {std::tuple(stick("new.fpb"), third, "of the third epoch"),
          std::tuple(stick("middle.fpb"), second, "of the second epoch"),
          std::tuple(stick("old.fpb"), first, "of the first epoch")}) {
        CAPTURE(file);
        CHECK(at.camp.run({"bundle", "import", file}).exit_code == 0);
        CHECK(at.camp.ask({"show", report})["text"] == text);
    }
    // Its answer goes back by stick alone, under the newest epoch.
    REQUIRE(at.camp.run({"ack", third}).exit_code == 0);
    REQUIRE(at.camp.run({"bundle", "export", stick("back.fpb")}).exit_code == 0);
    // Without news of the roster nothing in it opens.
    CHECK(wonsan.run({"bundle", "inspect", stick("back.fpb")}).exit_code == 6);
    at.camp.stop();
    at.hq.start();
    REQUIRE(at.hq.run({"bundle", "import", stick("back.fpb")}).exit_code == 0);
    CHECK(at.hq.ask({"show", third})["recipient_states"]["camp"] == "acknowledged");
}

TEST_CASE("what was shown from beyond a cut-off is marked", "[end_to_end][revocation]") {
    ThreeOffices at;
    const auto kept = at.hyesan.deliver({"--to", "camp"}, "kept");
    const auto late = at.hyesan.deliver({"--to", "camp"}, "late");
    REQUIRE(at.hq.run({"revoke", "hyesan", "--reason", "lost", "--keep", kept}).exit_code == 0);
    REQUIRE(eventually([&] { return has_item(at.camp, "after_cut_off", "hyesan"); }));
    CHECK(at.camp.ask({"show", late})["text"] == "late");
    CHECK(at.camp.ask({"show", late})["after_cut_off"] == true);
    CHECK(at.camp.ask({"show", kept})["after_cut_off"] == false);
    CHECK(at.camp.show({"show", late}).out.find("beyond the cut-off of hyesan") !=
          std::string::npos);
    CHECK(at.camp.show({"list"}).out.find("beyond cut-off") != std::string::npos);
}

TEST_CASE("the news of a cut-off comes by a folder", "[end_to_end][revocation]") {
    ThreeOffices at;
    const auto shared = at.network.folder() / "shared";
    fs::create_directory(shared);
    // From here on these two meet nobody, and have the folder.
    for (auto* office : {&at.hq, &at.camp}) {
        office->stop();
        write_file(office->home() / "fieldpost.toml",
                   "beacon = false\n[[folder]]\npath = \"" + shared.string() + "\"\n");
    }
    at.hyesan.stop();
    at.hq.start();
    const auto report = at.hq.queue({"--to", "camp"}, "by folder");
    at.revoke_hyesan();
    at.camp.start();
    REQUIRE(eventually([&] { return state_of(at.camp, "hyesan") == "revoked"; }));
    REQUIRE(eventually([&] { return at.camp.run({"show", report}).exit_code == 0; }));
    CHECK_FALSE(is_linked(at.camp));
}

TEST_CASE("on a terminal revoke shows whom it ends, and asks for the name",
          "[end_to_end][revocation]") {
    ThreeOffices at;
    const auto known = at.hyesan.deliver({"--to", "hq"}, "known");
    const auto fingerprint = at.hyesan.ask({"status"})["fingerprint"].get<std::string>();
    // `script` gives the command a terminal and types what it reads.
    const auto typed = [&](const std::string& answer) {
        auto command = at.hq.command({"revoke", "hyesan", "--reason", "taken"});
        std::string line;
        for (const auto& word : command.words) {
            line += (line.empty() ? "" : " ") + word;
        }
        return run({.words = {"/usr/bin/script", "-qec", line, "/dev/null"}, .input = answer});
    };
    for (const auto* answer : {"no\n", "hyesa\n", "\n", "\x04"}) {
        const auto ran = typed(answer);
        CAPTURE(ran);
        CHECK(ran.exit_code == 1);
        CHECK(ran.out.find(fingerprint) != std::string::npos);
        CHECK(ran.out.find("its reports up to " + known) != std::string::npos);
        CHECK(ran.out.find("was not cut off") != std::string::npos);
        CHECK(state_of(at.hq, "hyesan") == "active");
    }
    const auto done = typed("hyesan\n");
    CAPTURE(done);
    CHECK(done.exit_code == 0);
    CHECK(state_of(at.hq, "hyesan") == "revoked");
}

TEST_CASE("revoke says what is wrong, and changes nothing", "[end_to_end][revocation]") {
    ThreeOffices at;
    const auto own = at.camp.deliver({"--to", "hq"}, "x");
    const auto version = at.hq.ask({"status"})["roster_version"];
    const auto refused = [&](const Office& office, Words words, int code) {
        words.push_back("--json");
        const auto ran = office.run(words);
        CAPTURE(words, ran.err);
        CHECK(ran.exit_code == code);
        return ran.exit_code == 2 ? std::string{} : code_of(ran);
    };
    CHECK(refused(at.camp, {"revoke", "hyesan", "--reason", "x"}, 5) == "not_authority");
    CHECK(refused(at.hq, {"revoke", "nowhere", "--reason", "x"}, 4) == "not_found");
    CHECK(refused(at.hq, {"revoke", "hq", "--reason", "x"}, 5) == "refused");
    CHECK(refused(at.hq, {"revoke", "hyesan"}, 2).empty());
    CHECK(refused(at.hq, {"revoke", "hyesan", "--reason", ""}, 6) == "invalid");
    CHECK(refused(at.hq, {"revoke", "hyesan", "--reason", " \u3000 "}, 6) == "invalid");
    CHECK(refused(at.hq, {"revoke", "hyesan", "--reason", std::string(256, 'x')}, 6) == "invalid");
    CHECK(refused(at.hq, {"revoke", "hyesan", "--reason", "x", "--keep", own}, 4) == "not_found");
    CHECK(refused(at.hq, {"revoke", "hyesan", "--reason", "x", "--keep", "no id"}, 4) ==
          "not_found");
    const auto known = at.hyesan.deliver({"--to", "hq"}, "x");
    CHECK(refused(at.hq, {"revoke", "hyesan", "--reason", "x", "--keep", known, "--keep", known},
                  6) == "invalid");
    CHECK(refused(at.hq, {"revoke", "hyesan", "--reason", "x", "--keep", "hyesan.2-1"}, 4) ==
          "not_found");
    CHECK(at.hq.ask({"status"})["roster_version"] == version);
    CHECK(state_of(at.hq, "hyesan") == "active");
    // An open invitation ends.
    at.network.invite(at.hq, "wonsan", "field");
    const auto ran = at.hq.run({"revoke", "wonsan", "--reason", "not needed"});
    CHECK(ran.out.find("invitation of wonsan is cancelled") != std::string::npos);
    CHECK(state_of(at.hq, "wonsan") == "unknown");
}

TEST_CASE("a cut-off keeps reports of a kind that the authority has never seen",
          "[end_to_end][revocation]") {
    ThreeOffices at;
    at.hyesan.deliver({"--to", "hq"}, "known");
    at.hq.stop();
    const auto urgent = at.hyesan.queue({"--to", "hq", "--priority", "urgent"}, "unknown");
    const auto stick = at.network.folder() / "stick.fpb";
    REQUIRE(at.hyesan.run({"bundle", "export", stick.string()}).exit_code == 0);
    REQUIRE(at.camp.run({"bundle", "import", stick.string()}).exit_code == 0);
    at.hyesan.stop();
    at.camp.stop();
    at.hq.start();
    const auto ran =
        at.hq.run({"revoke", "hyesan", "--reason", "lost", "--keep", urgent, "--json"});
    CAPTURE(ran);
    REQUIRE(ran.exit_code == 0);
    CHECK(ran.out.find(urgent) != std::string::npos);
    CHECK(at.hq.run({"roster", "confirm", "hyesan"}).exit_code == 5);
    at.camp.start();
    REQUIRE(eventually([&] { return at.hq.run({"show", urgent}).exit_code == 0; }));
}

TEST_CASE("an office that is killed while it cuts another off has done it, or has not",
          "[end_to_end][revocation][slow]") {
    ThreeOffices at;
    at.camp.stop();
    bool was_cut_off = false;
    for (int after_ms = 0; after_ms < 30 && !was_cut_off; after_ms += 3) {
        Program revoking(at.hq.command({"revoke", "hyesan", "--reason", "lost"}));
        std::this_thread::sleep_for(std::chrono::milliseconds{after_ms});
        at.hq.kill();
        (void)revoking.finish();
        at.hq.start();
        const auto state = state_of(at.hq, "hyesan");
        CHECK((state == "active" || state == "revoked"));
        was_cut_off = state == "revoked";
    }
    at.revoke_hyesan();
    CHECK(state_of(at.hq, "hyesan") == "revoked");
    at.camp.start();
    REQUIRE(eventually([&] { return state_of(at.camp, "hyesan") == "revoked"; }));
    CHECK_FALSE(has_item(at.camp, "roster_conflict", ""));
}

TEST_CASE("an office that is blocked here is left alone by this machine alone",
          "[end_to_end][revocation]") {
    ThreeOffices at;
    const auto before = at.hyesan.deliver({"--to", "hq", "--to", "camp"}, "before");
    REQUIRE(at.camp.run({"block", "hyesan"}).exit_code == 0);
    for (const auto& peer : at.camp.ask({"peers"})) {
        CHECK((peer["office"] != "hyesan" || peer["state"] == "blocked"));
    }
    const auto meanwhile = at.hyesan.deliver({"--to", "hq", "--to", "camp"}, "meanwhile");
    CHECK(ids_of(at.camp.ask({"list", "--inbox"})) == std::vector{before});
    const auto unread = at.camp.run({"show", meanwhile, "--json"});
    CHECK(unread.exit_code == 5);
    CHECK(code_of(unread) == "blocked");
    CHECK(at.camp.run({"show", "hyesan-900"}).exit_code == 4);
    // Nothing is sealed to it by name or by group, and none of its reports is answered.
    const auto named = at.camp.run({"queue", "--to", "hyesan", "--json"}, "x");
    CHECK(named.exit_code == 5);
    CHECK(code_of(named) == "blocked");
    const auto answered = at.camp.run({"ack", before, "--json"});
    CHECK(answered.exit_code == 5);
    CHECK(code_of(answered) == "blocked");
    const auto to_all = at.camp.run({"queue", "--to", "@all"}, "to all");
    CHECK(to_all.exit_code == 0);
    CHECK(to_all.err.find("hyesan is blocked on this machine") != std::string::npos);
    CHECK(has_item(at.camp, "blocked", "hyesan"));
    CHECK(at.camp.run({"block", "camp"}).exit_code == 5);
    CHECK(at.camp.run({"block", "nowhere"}).exit_code == 4);
    at.camp.kill();
    at.camp.start();
    CHECK(ids_of(at.camp.ask({"list", "--inbox"})) == std::vector{before});
    const auto undone = at.camp.ask({"block", "hyesan", "--undo"});
    CHECK(undone["blocked"] == false);
    CHECK_FALSE(has_item(at.camp, "blocked", "hyesan"));
    REQUIRE(eventually([&] { return at.camp.ask({"list", "--inbox"}).size() == 2; }));
    CHECK(at.camp.ask({"show", meanwhile})["text"] == "meanwhile");
}

TEST_CASE("an office on a new machine gets what the old one lacked, and goes on under its name",
          "[end_to_end][revocation]") {
    ThreeOffices at;
    const auto had = at.camp.deliver({"--to", "hyesan"}, "the old machine has it");
    const auto first = at.hyesan.deliver({"--to", "hq"}, "of the old machine");
    at.hyesan.stop();
    const auto owed = at.camp.queue({"--to", "hyesan"}, "세 명에게 보장구가 필요합니다");
    const auto taken = at.hq.run({"invite", "hyesan", "--json"});
    CHECK(taken.exit_code == 6);
    CHECK(taken.err.find("--replace") != std::string::npos);
    CHECK(at.hq.run({"invite", "nobody", "--replace"}).exit_code == 4);
    CHECK(at.hq.run({"invite", "hq", "--replace"}).exit_code == 5);
    CHECK(at.hq.run({"invite", "hyesan", "--replace", "--role", "hq"}).exit_code == 2);
    auto& machine = at.network.replace(at.hq, "hyesan");
    REQUIRE(eventually(
        [&] { return at.camp.ask({"show", owed})["recipient_states"]["hyesan"] == "delivered"; }));
    CHECK(machine.ask({"show", owed})["text"] == "세 명에게 보장구가 필요합니다");
    CHECK(machine.run({"show", had}).exit_code == 4);
    CHECK(at.camp.ask({"show", had})["recipient_states"]["hyesan"] == "delivered");
    CHECK(at.camp.show({"trace", owed}).out.find("sent_again") != std::string::npos);
    CHECK_FALSE(has_item(at.camp, "unreachable", "hyesan"));
    CHECK_FALSE(has_item(at.camp, "revoked", "hyesan"));
    CHECK(has_item(at.camp, "unconfirmed", "hyesan"));
    machine.ask({"ack", owed});
    REQUIRE(eventually([&] {
        return at.camp.ask({"show", owed})["recipient_states"]["hyesan"] == "acknowledged";
    }));
    CHECK(machine.deliver({"--to", "camp"}, "from the new machine") == "hyesan.2-1");
    // The old machine is nobody's office.
    at.hyesan.start();
    REQUIRE(eventually([&] { return at.hyesan.ask({"status"})["state"] == "revoked"; }));
    // The marks of the old machine are still moved by its IDs.
    const auto moved = at.hq.ask({"revoke", "hyesan", "--reason", "found", "--keep", first});
    CHECK(moved["kept"] == Json({first}));
    CHECK(machine.ask({"status"})["state"] == "active");
}
