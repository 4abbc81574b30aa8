// Goal: the command's output fits the terminal, cuts no ID, and tells how fast a transfer is.
// Method: tables of odd names, and a transfer as a limited link moves it.
#include "cli/text.h"

#include <catch2/catch.hpp>
#include <sstream>

#include "cli/progress.h"
#include "proto/control.pb.h"

using namespace fieldpost;
using namespace fieldpost::cli;
using namespace std::chrono_literals;

namespace {

const TableLook list_look{.right = {2}, .names = {1}};

std::size_t widest(const std::string& text) {
    std::size_t width = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        width = std::max(width, cells(line));
    }
    return width;
}

}  // namespace

TEST_CASE("a table that fits is one line a row, its last column cut", "[text]") {
    Table table({"ID", "WITH", "SIZE", "SUBJECT"});
    table.add({"hyesan-41", "to hq", "1 KB", std::string(100, 's')});
    const auto text = table.text(80, list_look);
    CHECK(std::ranges::count(text, '\n') == 2);
    CHECK(widest(text) == 80);
    CHECK(text.find("..") != std::string::npos);
}

TEST_CASE("names of offices give way before a row takes a second line", "[text]") {
    Table table({"ID", "WITH", "SIZE", "SUBJECT"});
    table.add({"north-hamgyong-41", "from " + std::string(40, 'n'), "1 KB", "의지 장착 사진"});
    const auto text = table.text(80, list_look);
    CHECK(std::ranges::count(text, '\n') == 2);
    CHECK(widest(text) <= 80);
    CHECK(text.find("north-hamgyong-41") != std::string::npos);
    CHECK(text.find("의지 장착") != std::string::npos);
}

TEST_CASE("a row that does not fit goes on in the next line", "[text]") {
    Table table({"ID", "WITH", "SIZE", "SUBJECT"});
    const auto id = std::string(60, 'i') + "-41";
    table.add({id, "from " + std::string(30, 'n'), "1 KB", "의지 장착 사진"});
    const auto text = table.text(80, list_look);
    CHECK(widest(text) <= 80);
    for (const auto* whole : {"의지 장착 사진", "1 KB"}) {
        CHECK(text.find(whole) != std::string::npos);
    }
    CHECK(text.find(id) != std::string::npos);
    CHECK(text.find(std::string(30, 'n')) != std::string::npos);
}

TEST_CASE("a last column that matters is never cut", "[text]") {
    Table table({"OFFICE", "WHY, AND WHAT NEXT"});
    const std::string why = "no office answers there, but something does; tries again in 4 min";
    table.add({std::string(32, 'n'), why});
    const auto text = table.text(80, {.is_last_whole = true});
    CHECK(widest(text) <= 80);
    CHECK(text.find(why) != std::string::npos);
}

TEST_CASE("a transfer is as fast as it was in the last seconds, whatever the link could do",
          "[text]") {
    wire::Transfer transfer;
    transfer.set_id("hyesan-b3");
    transfer.set_office("hq");
    transfer.set_size_bytes(1'400'000);
    const std::chrono::steady_clock::time_point begun{};
    TransferWords words;
    // 400 kbit/s, in bursts of a quarter of a second.
    CHECK(words.of(transfer, begun) == "hyesan-b3 to hq: 0 KB of 1.3 MB");
    std::string last;
    for (int quarter = 1; quarter <= 40; ++quarter) {
        transfer.set_done_bytes(static_cast<std::uint64_t>(quarter) * 12'500);
        last = words.of(transfer, begun + quarter * 250ms);
    }
    CHECK(last == "hyesan-b3 to hq: 18 s left, 489 KB of 1.3 MB, 49 KB/s");
    // A stalled one promises no end.
    for (int quarter = 41; quarter <= 90; ++quarter) {
        last = words.of(transfer, begun + quarter * 250ms);
    }
    CHECK(last == "hyesan-b3 to hq: 489 KB of 1.3 MB");
    // The next transfer begins anew.
    transfer.set_id("hyesan-b4");
    transfer.set_is_incoming(true);
    CHECK(words.of(transfer, begun + 23s) == "hyesan-b4 from hq: 489 KB of 1.3 MB");
}
