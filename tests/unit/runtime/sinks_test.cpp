// Goal: a database that is not fed is told, also after a restart, and nobody can make this grow.
// Method: one list of sinks, and its file, under a clock of the test.
#include "daemon/runtime/sinks.h"

#include <catch2/catch.hpp>

#include "daemon/home/office_home.h"
#include "proto/bytes.h"
#include "tests/support/network.h"
#include "tests/support/temporary_folder.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

constexpr std::int64_t day = 86400;

struct Sunk {
    TemporaryFolder folder;
    std::filesystem::path file = folder.path() / "sinks";
    std::optional<runtime::Sinks> sinks{file};
    std::int64_t at = 0;
    Instant steady{};

    [[nodiscard]] WallTime wall() const { return founded_at.plus(at); }
    void restart() { sinks.emplace(file); }
    // The trouble that is told now; nothing: it is what it was.
    std::optional<std::string> news() {
        steady = steady + std::chrono::seconds{60};
        const auto told = sinks->take_news(steady, wall());
        if (!told) {
            return std::nullopt;
        }
        const auto& trouble = std::get<engine::MachineTrouble>(*told);
        CHECK(trouble.what == engine::What::sink);
        return trouble.detail;
    }
};

}  // namespace

TEST_CASE("the trouble of a sink is told once, and its end too", "[sinks]") {
    Sunk at;
    CHECK(at.news() == "");
    CHECK_FALSE(at.news());
    at.sinks->note("reports", "the database is full", at.wall());
    CHECK(at.news() == "reports: the database is full");
    CHECK_FALSE(at.news());
    at.restart();
    CHECK(at.news() == "reports: the database is full");
    at.sinks->note("reports", "", at.wall());
    CHECK(at.news() == "");
}

TEST_CASE("a sink that is silent for more than a day is told, after a restart too", "[sinks]") {
    Sunk at;
    at.sinks->note("reports", "", at.wall());
    CHECK(at.news() == "");
    at.at = day;
    CHECK_FALSE(at.news());
    at.restart();
    CHECK(at.news() == "");
    at.at = day + std::int64_t{2} * 3600;
    const auto told = at.news();
    REQUIRE(told);
    CHECK(told->starts_with("reports: nothing was read"));
    at.sinks->note("reports", "", at.wall());
    CHECK(at.news() == "");
    // It is not used any more.
    at.at = 40 * day;
    at.news();
    at.restart();
    CHECK(at.news() == "");
}

TEST_CASE("whoever may read makes neither file nor memory grow", "[sinks]") {
    Sunk at;
    for (int i = 0; i < 1000; ++i) {
        at.sinks->note(std::string(200, static_cast<char>('a' + i % 26)) + std::to_string(i), "x",
                       at.wall());
        at.sinks->note("sink" + std::to_string(i), std::string(500, 'x'), at.wall().plus(i));
        at.sinks->note("sink" + std::to_string(i), std::string(501, 'x'), at.wall().plus(i));
    }
    REQUIRE(at.news());
    CHECK(std::filesystem::file_size(at.file) < 9000);
    // Told again at most every ten seconds.
    at.sinks->note("sink999", "another", at.wall().plus(1000));
    CHECK_FALSE(at.sinks->take_news(at.steady + std::chrono::seconds{9}, at.wall()));
}

TEST_CASE("a damaged file of sinks begins anew", "[sinks]") {
    Sunk at;
    at.sinks->note("reports", "full", at.wall());
    REQUIRE(at.news());
    const auto whole = home::read_whole(at.file, 10'000).value();
    for (std::size_t length = 0; length <= whole.size(); ++length) {
        REQUIRE(home::write_whole(at.file, BytesView(whole).first(length), 0600).has_value());
        at.restart();
        const auto told = at.news();
        REQUIRE(told);
        CHECK((*told == "" || length == whole.size()));
    }
}
