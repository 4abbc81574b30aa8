// Goal: the group of readers may read, and nothing else. Method: a real daemon that sees the group
// in a list of groups of its own; the command as a user who is in no other group.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;
namespace fs = std::filesystem;

namespace {

constexpr auto readers = "64321";

}  // namespace

TEST_CASE("members of the readers' group look at everything and change nothing", "[readers]") {
    if (::geteuid() != 0) {
        WARN("not root: no other user can be tried");
        return;
    }
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    const auto id = hyesan.queue({"--to", "hq", "--subject", "주간 보고"}, "환자 20명");
    REQUIRE(hyesan.run({"wait", id, "--for", "delivered", "--timeout", "30s"}).exit_code == 0);
    hq.stop();
    const auto groups = network.folder() / "group";
    write_file(groups, read_file("/etc/group") + "fieldpost-read:x:" + readers + ":\n");
    hq.live_behind({"/usr/bin/unshare", "--mount", "sh", "-c",
                    "mount --bind " + groups.string() + " /etc/group && exec \"$@\"", "sh"});
    hq.start();
    // The test's own folder and the programs' are for anybody to pass.
    fs::permissions(network.folder(), fs::perms::others_exec, fs::perm_options::add);
    const auto command = network.folder() / "fieldpost";
    fs::copy_file(FIELDPOST_BIN, command);
    const auto as = [&](const std::string& group, Words words) {
        Words all{"/usr/bin/setpriv", "--reuid",        "54321",  "--regid",         group,
                  "--clear-groups",   command.string(), "--home", hq.home().string()};
        all.insert(all.end(), words.begin(), words.end());
        return run({.words = all});
    };

    const auto listed = as(readers, {"--json", "list"});
    INFO(listed.err);
    REQUIRE(listed.exit_code == 0);
    CHECK(Json::parse(listed.out)[0]["subject"] == "주간 보고");
    for (const Words& words : std::vector<Words>{
             {"status"}, {"show", id}, {"trace", id}, {"export", "--format", "jsonl"}}) {
        CHECK(as(readers, words).exit_code == 0);
    }
    for (const Words& words : std::vector<Words>{{"ack", id},
                                                 {"forget", id},
                                                 {"queue", "--to", "hyesan", "--text", "x"},
                                                 {"peers"},
                                                 {"roster"},
                                                 {"attention"},
                                                 {"invite", "wonsan"},
                                                 {"sync"}}) {
        const auto refused = as(readers, words);
        INFO(words[0] << ": " << refused.err);
        CHECK(refused.exit_code == 5);
    }
    CHECK(hq.ask({"show", id})["state"] == "delivered");
    // The home cannot be listed, nor a file in it read, and its mode is what it was.
    for (const Words& words :
         std::vector<Words>{{"/bin/ls", hq.home().string()},
                            {"/bin/ls", (hq.home() / "store").string()},
                            {"/bin/cat", (hq.home() / "keys/machine").string()},
                            {"/bin/cat", (hq.home() / "roster").string()},
                            {"/bin/cat", (hq.home() / "sinks").string()}}) {
        Words all{"/usr/bin/setpriv", "--reuid", "54321", "--regid", readers, "--clear-groups"};
        all.insert(all.end(), words.begin(), words.end());
        CHECK(run({.words = all}).exit_code != 0);
    }
    CHECK(run({.words = {"/usr/bin/stat", "-c", "%a", hq.home().string()}}).out == "750\n");
    // A daemon that was killed left both sockets behind.
    hq.kill();
    CHECK(as(readers, {"list"}).exit_code == 3);
    hq.start();
    const auto stranger = as("64322", {"list"});
    CHECK(stranger.exit_code == 5);
    CHECK(stranger.err.find("group fieldpost") != std::string::npos);
}
