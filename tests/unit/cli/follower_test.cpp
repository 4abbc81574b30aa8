// Goal: a person or program that moves, spoils or fills a folder costs its offices some work, and
// no report.
// Method: followers on an imagined folder in virtual time; one scenario for each trick, and then a
// mover that does all of them at random.
#include "cli/folder/follower.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

#include "tests/unit/cli/imagined_folder.h"

using namespace fieldpost;
using namespace fieldpost::cli;
using namespace fieldpost::tests;
using namespace std::chrono_literals;

namespace {

struct Share {
    ImaginedFolder folder;
    ImaginedOffice hq{folder, "hq", {"hq", "hyesan"}};
    ImaginedOffice hyesan{folder, "hyesan", {"hq", "hyesan"}};
    int noise = 0;

    void pass_time(std::chrono::milliseconds time, const std::function<void()>& between = {}) {
        pass(folder, {&hq, &hyesan}, time, between);
    }
};

// Nobody answers it.
struct LoneOffice {
    ImaginedFolder folder;
    ImaginedOffice office{folder, "lone", {"lone", "nobody"}};

    void pass_time(std::chrono::milliseconds time, const std::function<void()>& between = {}) {
        pass(folder, {&office}, time, between);
    }
};

}  // namespace

TEST_CASE("reports and receipts pass through a folder, and then it is quiet", "[follower]") {
    Share share;
    share.hyesan.queue(1);
    share.pass_time(20s);
    CHECK(share.hq.reports() == Reports{1});
    share.hq.queue(2, true);
    share.pass_time(60s);
    CHECK(share.hyesan.reports() == Reports{1, 2});
    const auto before = share.folder.files.size();
    share.pass_time(10min);
    CHECK(share.folder.files.size() == before);
    CHECK(share.hq.trouble().empty());
    // Nor is anything left again after a restart.
    share.hyesan.restart();
    share.pass_time(60s);
    CHECK(share.folder.files.size() == before);
}

TEST_CASE("new files, and names that change, keep nothing from being left", "[follower]") {
    Share share;
    const std::string kind = GENERATE("a new file all the time", "more and more",
                                      "one that is renamed to and fro", "one that cannot be read");
    const bool is_urgent = GENERATE(true, false);
    CAPTURE(kind, is_urgent);
    std::function<void()> disturb;
    if (kind == "a new file all the time") {
        disturb = [&] {
            share.folder.files.erase("noise" + std::to_string(share.noise++));
            share.folder.put("noise" + std::to_string(share.noise), "x");
        };
    }
    if (kind == "more and more") {
        disturb = [&] { share.folder.put("noise" + std::to_string(share.noise++), "x"); };
    }
    if (kind == "one that is renamed to and fro") {
        share.folder.put("a", "x");
        disturb = [&] {
            const bool is_a = share.folder.files.contains("a");
            share.folder.rename(is_a ? "a" : "b", is_a ? "b" : "a");
        };
    }
    if (kind == "one that cannot be read") {
        share.folder.put("a", "x");
        share.folder.files.at("a").is_readable = false;
        disturb = [&] { share.folder.touch("a"); };
    }
    share.pass_time(5s, disturb);
    REQUIRE(disturb);
    if (is_urgent) {
        share.hyesan.queue(1, true);
        share.pass_time(6s, disturb);
        CHECK(share.hyesan.left() == Reports{1});
    } else {
        share.hyesan.queue(1);
        share.pass_time(30s, disturb);
        CHECK(share.hyesan.left() == Reports{1});
        CHECK(share.hq.reports() == Reports{1});
    }
}

TEST_CASE("a file that never stops changing is read all the same", "[follower]") {
    Share share;
    int ticks = 0;
    std::string text = "FP hq 1 1 S:7, R:7,";
    share.pass_time(3min, [&] {
        if (ticks++ % 20 == 0) {
            text += std::to_string(100 + ticks) + ",";
            share.folder.put("copy.bin", text);
        }
    });
    CHECK(share.hyesan.reports().contains(7));
    SECTION("and a large one takes a tenth of the time at most") {
        share.folder.put("large.bin", "FP hq 2 1 S: R:8, END", 1'000'000'000);
        share.pass_time(30s);
        const auto before = share.hyesan.bytes_read;
        share.pass_time(20min, [&] { share.folder.touch("large.bin"); });
        CHECK(share.hyesan.bytes_read - before < 15'000'000'000);
        CHECK(share.hyesan.reports().contains(8));
    }
}

TEST_CASE("a file that could not be read is read once it can, whatever its times say",
          "[follower]") {
    Share share;
    share.folder.put("a.bin", "FP hq 1 1 S:7, R:7, END");
    share.folder.files.at("a.bin").is_readable = false;
    share.pass_time(5min);
    CHECK(share.hyesan.trouble() == "a.bin: cannot be read");
    share.folder.files.at("a.bin").is_readable = true;
    share.pass_time(62s);
    CHECK(share.hyesan.reports() == Reports{7});
    CHECK(share.hyesan.trouble().empty());
}

TEST_CASE("large files hold up neither small ones nor what is to be left", "[follower]") {
    Share share;
    for (int i = 0; i < 5; ++i) {
        share.folder.put(fmt::format("{:08x}.bin", i), "FP hq 1 1 S: R:", 20'000'000'000);
    }
    share.pass_time(30s);
    share.hyesan.queue(1, true);
    share.folder.put("small.bin", "FP hq 2 1 S:7, R:7, END");
    share.pass_time(10s);
    CHECK(share.hyesan.reports().contains(7));
    CHECK(share.hyesan.left().contains(1));
    share.hyesan.queue(2);
    share.pass_time(31s);
    CHECK(share.hyesan.left().contains(2));
    // A file that is removed is not read any further.
    const auto is_large = [](const auto& entry) { return entry.second.stamp.size > 1'000'000; };
    std::erase_if(share.folder.files, is_large);
    const auto before = share.hyesan.bytes_read;
    share.pass_time(10s);
    CHECK(share.hyesan.bytes_read - before < 1'000'000);
}

TEST_CASE("tens of thousands of foreign files cost a hundredth of the time, and hide nothing",
          "[follower]") {
    ImaginedFolder folder;
    ImaginedOffice hyesan(folder, "hyesan", {"hq", "hyesan"});
    folder.cost_of_name = 2us;
    folder.cost_of_stamp = 2us;
    for (int i = 0; i < 30'000; ++i) {
        folder.put(fmt::format("photo-{}.jpg", i), "x");
    }
    pass(folder, {&hyesan}, 1min);
    folder.spent = {};
    const auto reads = hyesan.pieces_read;
    pass(folder, {&hyesan}, 100s);
    CHECK(folder.spent < 1s);
    CHECK(hyesan.pieces_read - reads < 100);
    CHECK(hyesan.trouble().empty());
    folder.put("zzz.bin", "FP hq 1 1 S:7, R:7, END");
    pass(folder, {&hyesan}, 65s);
    CHECK(hyesan.reports() == Reports{7});
}

TEST_CASE("of more files than can be remembered a person is told", "[follower]") {
    FolderFiles files;
    const FolderTime start{1000h};
    for (int round = 0; round < 3; ++round) {
        files.begin_list();
        for (std::size_t i = 0; i < folder_files_max + 100; ++i) {
            const auto name = fmt::format("{:08x}.bin", i);
            if (files.wants(name, start)) {
                files.see(name, {1, 1, 1, 1, i}, start);
            }
        }
        files.end_list(true, start);
        CHECK(files.files().size() == folder_files_max);
        CHECK(files.has_too_many());
    }
    CHECK_FALSE(files.trouble(start + 10min).empty());
    // Files that were read give their places to others.
    for (const auto& name : files.names()) {
        ReadBundle told;
        told.is_bundle = true;
        files.was_read(name, told, {}, start, {});
    }
    files.begin_list();
    std::size_t wanted = 0;
    for (std::size_t i = 0; i < folder_files_max + 100; ++i) {
        wanted += files.wants(fmt::format("{:08x}.bin", i), start) ? 1U : 0U;
    }
    files.end_list(true, start);
    CHECK(wanted >= 100);
    CHECK_FALSE(files.has_too_many());
}

TEST_CASE("nothing is left where a medium was, and all once it is back", "[follower]") {
    LoneOffice lone;
    lone.folder.place = {"/media/usb", "stick", "top"};
    lone.office.queue(1);
    lone.pass_time(20s);
    REQUIRE(lone.office.left() == Reports{1});
    auto on_stick = std::exchange(lone.folder.files, {});
    lone.folder.place = {"/", "disk", "point"};
    lone.office.queue(2, true);
    lone.pass_time(3min);
    CHECK(lone.folder.files.empty());
    CHECK(lone.office.trouble() == "what was mounted at /media/usb is gone; nothing is left there");
    lone.folder.place = {"/media/usb", "stick 2", "top"};
    SECTION("the same") {
        lone.folder.files = on_stick;
    }
    SECTION("another one") {}
    SECTION("while it is being written to, it goes once more") {
        lone.office.while_writing = [&] {
            lone.folder.place = {"/", "disk", "point"};
            lone.office.while_writing = {};
        };
        lone.pass_time(20s);
        CHECK(lone.folder.files.empty());
        lone.folder.place = {"/media/usb", "stick 3", "top"};
    }
    lone.pass_time(8s);
    CHECK(lone.office.left() == Reports{1, 2});
    CHECK(lone.office.trouble().empty());
}

TEST_CASE("a folder that was made anew is met as a new one", "[follower]") {
    LoneOffice lone;
    lone.office.queue(1);
    lone.pass_time(20s);
    lone.folder.is_there = false;
    lone.folder.files.clear();
    lone.pass_time(20s);
    CHECK(lone.office.trouble() == "gone");
    lone.folder.is_there = true;
    lone.folder.place.folder = "another";
    lone.pass_time(10s);
    CHECK(lone.office.left() == Reports{1});
}

TEST_CASE("a full disk is told until there is room", "[follower]") {
    Share share;
    share.folder.is_full = true;
    share.hyesan.queue(1);
    share.pass_time(30s);
    for (int i = 0; i < 300; ++i) {
        share.pass_time(1s);
        REQUIRE(share.hyesan.trouble() == "the disk is full");
    }
    share.folder.is_full = false;
    share.pass_time(62s);
    CHECK(share.hyesan.left() == Reports{1});
    CHECK(share.hyesan.trouble().empty());
}

TEST_CASE("files of two rows are no row", "[follower]") {
    Share share;
    ImaginedOffice lone(share.folder, "lone", {"lone", "nobody"});
    const auto wait = [&] { pass(share.folder, {&lone}, 12min); };
    std::map<std::string, ImaginedFile> seen;
    const auto keep = [&] { seen.insert(share.folder.files.begin(), share.folder.files.end()); };
    lone.queue(1);
    wait();
    keep();
    lone.queue(2);
    wait();
    keep();
    const auto row = share.folder.files;
    REQUIRE(row.size() == 2);
    // One of the files is taken away: the office leaves everything anew, and later reports beside
    // it.
    share.folder.files.erase(row.begin()->first == "lone1.bin" ? std::next(row.begin())->first
                                                               : row.begin()->first);
    wait();
    keep();
    lone.queue(3);
    wait();
    keep();
    REQUIRE(lone.left() == Reports{1, 2, 3});
    const auto whole = share.folder.files;
    REQUIRE(whole.size() == 2);
    lone.restart();
    wait();
    CHECK(share.folder.files.size() == 2);
    // The first of the old row and the second of the new one.
    const auto second = std::ranges::find_if(
        whole, [](const auto& entry) { return !entry.first.starts_with("lone"); });
    REQUIRE(second != whole.end());
    share.folder.files = {{"lone1.bin", seen.at("lone1.bin")}, *second};
    lone.restart();
    pass(share.folder, {&lone}, 60s);
    CHECK(lone.left() == Reports{1, 2, 3});
}

TEST_CASE("a row that is whole only now and then is left anew", "[follower]") {
    ImaginedFolder folder;
    ImaginedOffice lone(folder, "lone", {"lone", "nobody"});
    for (const int report : {1, 2}) {
        lone.queue(report);
        pass(folder, {&lone}, 12min);
    }
    const auto row = folder.files;
    REQUIRE(row.size() == 2);
    // For nine minutes of ten one of them is away.
    int seconds = 0;
    pass(folder, {&lone}, 30min, [&] {
        const auto& [name, file] = *row.begin();
        if (++seconds % 1200 < 1080) {
            folder.files.erase(name);
        } else {
            folder.files.insert({name, file});
        }
    });
    const bool is_anew = std::ranges::any_of(
        folder.files, [&](const auto& entry) { return !row.contains(entry.first); });
    CHECK(is_anew);
    CHECK(lone.left() == Reports{1, 2});
}

TEST_CASE("a file that was begun and never finished goes, and those of others stay", "[follower]") {
    Share share;
    share.folder.put("hyesan-1.part", "noise");
    share.folder.put("letter.part", "noise");
    share.folder.put("hq1.part", "FP hq 1 1 S: R:");
    share.pass_time(3min);
    CHECK_FALSE(share.folder.files.contains("hyesan-1.part"));
    CHECK(share.folder.files.contains("letter.part"));
    CHECK(share.folder.files.contains("hq1.part"));
}

TEST_CASE("a file that took the place of ours meanwhile is not removed", "[follower]") {
    ImaginedFolder folder;
    ImaginedOffice lone(folder, "lone", {"lone", "nobody"});
    for (int report = 1; report <= 12; ++report) {
        lone.while_writing = [&] {
            if (report > 8) {
                for (auto& [name, file] : std::map(folder.files)) {
                    folder.put(name, "a letter");
                }
            }
        };
        lone.queue(report);
        pass(folder, {&lone}, 11min);
    }
    const auto letters = std::ranges::count_if(
        folder.files, [](const auto& entry) { return entry.second.content == "a letter"; });
    CHECK(letters >= 8);
    CHECK_FALSE(lone.has_removed_foreign);
}

// --- a mover that means harm

namespace {

class HostileMover {
public:
    HostileMover(ImaginedFolder& folder, std::uint64_t seed) : folder_(folder), dice_(seed) {}

    void act() {
        for (const auto& [name, file] : folder_.files) {
            if (kept_.size() < 300) {
                kept_.emplace_back(name, file.content);
            }
        }
        constexpr int kinds = 13;
        switch (roll(kinds)) {
            case 0:
                folder_.files.erase(any_name());
                break;
            case 1:
                if (folder_.files.contains(any_)) {
                    folder_.rename(any_name(), strange_name());
                }
                break;
            case 2: {
                const auto name = any_name();
                if (const auto at = folder_.files.find(name); at != folder_.files.end()) {
                    auto& content = at->second.content;
                    folder_.put(name, content.substr(0, content.size() / 2));
                }
                break;
            }
            case 3:
            case 4:
                if (!kept_.empty()) {
                    const auto& [name, content] = kept_[roll(kept_.size())];
                    folder_.put(roll(2) == 0 ? name : strange_name(), content);
                }
                break;
            case 5: {
                auto one = folder_.files.find(any_name());
                auto other = folder_.files.find(any_name());
                if (one != folder_.files.end() && other != folder_.files.end()) {
                    std::swap(one->second, other->second);
                }
                break;
            }
            case 6:
                if (const auto name = any_name(); folder_.files.contains(name)) {
                    folder_.touch(name);
                }
                break;
            case 7:
                folder_.put(strange_name(), std::string(1 + roll(100), 'x'));
                break;
            case 8:
                folder_.put(strange_name(), "FP stranger 1 1 S: R:");
                folder_.files[strange_name()].is_plain = false;
                break;
            case 9:
                if (const auto at = folder_.files.find(any_name()); at != folder_.files.end()) {
                    at->second.is_readable = !at->second.is_readable;
                }
                break;
            case 10:
                folder_.put(strange_name(), "FP stranger 1 1 S: R:", 1'000'000'000);
                break;
            case 11:
                folder_.is_full = !folder_.is_full;
                break;
            default:
                folder_.place.medium = std::to_string(roll(3));
                break;
        }
    }
    // Undoes its lasting harm to the folder. Junk files stay.
    void leave() {
        folder_.is_full = false;
        for (auto& [name, file] : folder_.files) {
            file.is_readable = true;
        }
    }
    [[nodiscard]] std::size_t roll(std::size_t below) { return dice_() % below; }

private:
    std::string any_name() {
        if (!folder_.files.empty()) {
            any_ = std::next(folder_.files.begin(),
                             static_cast<std::ptrdiff_t>(roll(folder_.files.size())))
                       ->first;
        }
        return any_;
    }
    std::string strange_name() {
        constexpr std::array names{"\xff\xfe.bin", "a b.bin", "x.part", "-rf", "한글.bin", "e.bin"};
        return names[roll(names.size())];
    }

    ImaginedFolder& folder_;
    std::mt19937_64 dice_;
    std::string any_;
    std::vector<std::pair<std::string, std::string>> kept_;
};

std::uint64_t first_seed() {
    const auto* seed = std::getenv("FIELDPOST_SEED");
    return seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10);
}

}  // namespace

TEST_CASE("past a mover that means harm everything arrives, and other people's files stay",
          "[follower]") {
    constexpr std::uint64_t seeds = 10;
    const auto chosen = first_seed();
    for (auto seed = chosen == 0 ? 1 : chosen; seed <= (chosen == 0 ? seeds : chosen); ++seed) {
        INFO("FIELDPOST_SEED=" << seed << " repeats this");
        ImaginedFolder folder;
        folder.dice.seed(seed);
        const std::vector<std::string> names{"hq", "hyesan", "pyongyang"};
        std::vector<std::unique_ptr<ImaginedOffice>> offices;
        std::vector<ImaginedOffice*> all;
        for (const auto& name : names) {
            offices.push_back(std::make_unique<ImaginedOffice>(folder, name, names));
            all.push_back(offices.back().get());
        }
        folder.put("letter.odt", "a letter");
        HostileMover mover(folder, seed);
        int report = 0;
        pass(folder, all, 15min, [&] {
            if (mover.roll(2) == 0) {
                mover.act();
            }
            if (mover.roll(60) == 0) {
                ++report;
                all[mover.roll(all.size())]->queue(report, report % 3 == 0);
            }
            if (mover.roll(300) == 0) {
                all[mover.roll(all.size())]->restart();
            }
        });
        mover.leave();
        pass(folder, all, 30min);
        pass(folder, all, 50h, {}, 60s);
        Reports every;
        for (int i = 1; i <= report; ++i) {
            every.insert(i);
        }
        for (const auto* office : all) {
            REQUIRE(office->reports() == every);
            REQUIRE_FALSE(office->has_removed_foreign);
        }
    }
}
