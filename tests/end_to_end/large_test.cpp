// Goal: large reports arrive whole, and do not end a daemon.
// Method: an attachment of 500 chunks, sent once and shown often. Zeros do as well as a photograph:
// attachments are not compressed.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

struct LargeFile {
    LargeFile() {
        write_file(photo, random_bytes(1 << 20));
        REQUIRE(::truncate(photo.c_str(), off_t{8} << 20) == 0);
    }

    Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");
    std::filesystem::path photo = network.folder() / "photo.jpg";
    Words queue = {"queue", "--to", "hq", "--attach", photo.string()};
};

}  // namespace

TEST_CASE("a report of 8 MiB arrives byte for byte", "[end_to_end]") {
    LargeFile large;
    const auto id = large.hyesan.ask(large.queue, "a text\n").at("id").get<std::string>();
    REQUIRE(eventually(
        [&] { return number_in(large.hq.ask({"status"}), "/inbox/unacknowledged") == 1; }));
    const auto saved = large.network.folder() / "saved";
    std::filesystem::create_directory(saved);
    CHECK(large.hq.run({"show", id, "--save", saved.string()}).exit_code == 0);
    CHECK((read_file(saved / "photo.jpg") == read_file(large.photo)));
}

TEST_CASE("large reports shown at once do not end the daemon", "[end_to_end]") {
    LargeFile large;
    large.hq.stop();
    const auto id = large.hyesan.ask(large.queue, "a text\n").at("id").get<std::string>();
    Words show(128, id);
    show.front() = "show";
    const auto ran = large.hyesan.run(show);
    CAPTURE(ran, large.hyesan.log());
    CHECK(ran.exit_code == 0);
    CHECK(large.hyesan.is_up());
}
