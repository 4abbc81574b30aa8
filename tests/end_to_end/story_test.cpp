// Goal: the main job, as staff of three offices see it: a report queued offline arrives, once, byte
// for byte, its answer comes back, and its carrier has learnt nothing.
// Method: real daemons on this machine. The field office and the headquarters are never up at the
// same time; only the relay meets both. Everything is learnt through the command, and by looking
// for plain words in the files that the daemons leave on disk.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <set>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

namespace fs = std::filesystem;

struct Letter {
    std::string staff;
    std::string subject;
    std::string text;
    std::vector<fs::path> attachments{};
    std::string id{};
};

std::vector<Letter> forty_letters(const fs::path& folder) {
    const auto photo = folder / "의지 장착 사진.jpg";
    const auto nothing = folder / "empty.txt";
    write_file(photo, random_bytes(300'000));
    write_file(nothing, "");
    std::vector<Letter> letters = {
        {"김은희", "긴급: 석고 재고 없음", "석고가 떨어졌습니다. 의지 제작이 멈췄습니다.\n"},
        // Without a newline at its end, with one in the middle, with a tab.
        {"김은희",
         "의지 장착 사진",
         "의지 두 건의 사진입니다.\n\t동의서는 여기 있습니다.",
         {photo, nothing}}};
    for (int week = 1; week <= 10; ++week) {
        letters.push_back(
            {"김은희", fmt::format("주간 보고 {}주", week),
             fmt::format("{}주: 물리치료 {}명, 휠체어 수리 {}건.\n", week, 20 + week, week % 3)});
        letters.push_back({"王芳", fmt::format("第{}周报告", week),
                           fmt::format("第{}周：康复中心接待 {} 人；拐杖还剩 {} 副。\n", week,
                                       30 + week, 40 - week)});
        letters.push_back({"Anne Morel", fmt::format("Semaine {}", week),
                           fmt::format("Semaine {} : {} séances de kinésithérapie, {} plâtres.\n",
                                       week, 12 + week, week % 5)});
        if (week <= 8) {
            letters.push_back({"Anne Morel", fmt::format("Week {}", week),
                               fmt::format("Week {}: the borehole gives {} litres an hour.\n", week,
                                           200 + week)});
        }
    }
    return letters;
}

void queue_all(const Office& at, std::vector<Letter>& letters) {
    for (auto& letter : letters) {
        Words words = {"--to", "hq", "--staff", letter.staff, "--subject", letter.subject};
        for (const auto& file : letter.attachments) {
            words.insert(words.end(), {"--attach", file.string()});
        }
        letter.id = at.queue(words, letter.text);
    }
}

// hyesan is up before and after, and hq in between. The request to be admitted is the first thing
// on a new link, but nothing tells when the relay has it: a visit can be too short.
bool visit_until_admitted(const Office& relay, Office& hyesan, Office& hq) {
    const bool met = eventually([&] { return is_linked(hyesan); });
    hyesan.stop();
    hq.start();
    const bool is_admitted = eventually(
        [&] { return knows_as_active(hq, "hyesan") && knows_as_active(relay, "hyesan"); },
        std::chrono::seconds(15));
    hq.stop();
    hyesan.start();
    return met && is_admitted;
}

// Checks a carrier's list entry for a report that it cannot open.
void check_unreadable(const Json& entry) {
    CAPTURE(entry.dump());
    for (const auto* key : {"subject", "type", "staff", "hash", "attachment_count"}) {
        CHECK(entry.at(key).is_null());
    }
}

// No file below `folder` holds the words of a report, or the bytes of its photograph.
void check_keeps_secret(const fs::path& folder, const std::vector<Letter>& letters) {
    for (const auto& letter : letters) {
        CAPTURE(letter.id, letter.text);
        CHECK(files_with(folder, letter.text).empty());
        CHECK(files_with(folder, letter.subject).empty());
    }
    for (const auto* words : {"석고가", "김은희", "王芳", "Anne Morel", "borehole", "사진.jpg"}) {
        CAPTURE(words);
        CHECK(files_with(folder, words).empty());
    }
    const auto photo = read_file(letters[1].attachments[0]);
    for (std::size_t at = 0; at < photo.size(); at += 20'000) {
        CAPTURE(at);
        CHECK(files_with(folder, photo.substr(at, 32)).empty());
    }
}

// The files directly in a folder, by name, with their content.
std::map<std::string, std::string> files_in(const fs::path& folder) {
    std::map<std::string, std::string> files;
    for (const auto& file : fs::directory_iterator(folder)) {
        files[file.path().filename().string()] = read_file(file.path());
    }
    return files;
}

}  // namespace

TEST_CASE(
    "a report queued offline is carried, delivered, read and answered, and its carrier reads "
    "nothing",
    "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    auto& pyongyang = network.add(hq, "pyongyang", "relay");
    // With a file and a code told by voice.
    auto& hyesan = network.bare("hyesan");
    const auto invitation = (network.folder() / "hyesan.invite").string();
    const auto code = hq.ask({"invite", "hyesan", "--output", invitation}).at("code");
    hyesan.ask({"join", invitation, "--code", code});
    hq.stop();
    pyongyang.stop();

    // Nobody has admitted hyesan, and nothing is reachable.
    hyesan.start();
    auto letters = forty_letters(network.folder());
    REQUIRE(letters.size() == 40);
    queue_all(hyesan, letters);
    std::set<std::string> ids;
    for (const auto& letter : letters) {
        ids.insert(letter.id);
    }
    CHECK(ids.size() == 40);
    CHECK(number_in(hyesan.ask({"status"}), "/outbox/queued") == 40);

    // hyesan asks through the relay to be admitted, and the relay brings hq's word.
    pyongyang.start();
    const bool is_admitted =
        eventually([&] { return visit_until_admitted(pyongyang, hyesan, hq); });
    INFO(hyesan.log() << "\n\n" << pyongyang.log() << "\n\n" << hq.log());
    REQUIRE(is_admitted);
    REQUIRE(eventually([&] { return number_in(hyesan.ask({"status"}), "/outbox/carried") == 40; }));
    hyesan.stop();

    // The relay has all of it and can read none.
    const auto carried = pyongyang.ask({"list", "--carried"});
    std::uint64_t count = 0;
    for (const auto& entry : carried) {
        check_unreadable(entry);
        CHECK(entry.at("box") == "carried");
        count += entry.at("count").get<std::uint64_t>();
    }
    CHECK(count == 40);
    const auto shown = pyongyang.ask({"show", letters[1].id});
    check_unreadable(shown);
    for (const auto* key : {"text", "fields", "attachments"}) {
        CHECK(shown.at(key).is_null());
    }
    CHECK(pyongyang.ask({"list"}).empty());

    hq.start();
    REQUIRE(
        eventually([&] { return number_in(hq.ask({"status"}), "/inbox/unacknowledged") == 40; }));
    const auto received = hq.ask({"list", "--inbox"});
    CHECK(received.size() == 40);
    for (const auto& letter : letters) {
        const auto entry = entry_of(received, letter.id);
        CAPTURE(letter.id, entry.dump());
        REQUIRE_FALSE(entry.is_null());
        CHECK(entry.at("subject") == letter.subject);
        CHECK(entry.at("staff") == letter.staff);
        CHECK(entry.at("state") == "delivered");
        CHECK(hq.run({"show", letter.id, "--raw"}).out == letter.text);
    }
    const auto saved = network.folder() / "saved";
    fs::create_directory(saved);
    CHECK(hq.run({"show", letters[1].id, "--save", saved.string()}).exit_code == 0);
    CHECK(files_in(saved) ==
          std::map<std::string, std::string>{
              {"empty.txt", ""}, {"의지 장착 사진.jpg", read_file(letters[1].attachments[0])}});
    // Never over a file.
    CHECK(hq.run({"show", letters[1].id, "--save", saved.string()}).exit_code == 0);
    CHECK(files_in(saved).size() == 4);
    CHECK(fs::exists(saved / "empty (2).txt"));

    hq.ask({"ack", letters[0].id, "--staff", "박철수", "--note", "석고 40kg, 화요일 차편"});
    hq.ask(
        {"ack", letters[1].id, "--staff", "박철수", "--outcome", "correct", "--note", "동의서?"});
    CHECK(number_in(hq.ask({"status"}), "/inbox/acknowledged") == 2);
    // The relay has let go of the forty, and carries the two answers.
    REQUIRE(eventually([&] {
        return pyongyang.ask({"list", "--carried"}).empty() &&
               hq.ask({"trace", "hq-r1"}).at("state") == "carried" &&
               hq.ask({"trace", "hq-r2"}).at("state") == "carried";
    }));
    hq.stop();

    hyesan.start();
    REQUIRE(
        eventually([&] { return number_in(hyesan.ask({"status"}), "/outbox/acknowledged") == 2; }));
    const auto outbox = hyesan.ask({"status"}).at("outbox");
    CHECK(outbox.at("delivered") == 38);
    CHECK(outbox.at("carried") == 0);
    const auto answered = hyesan.ask({"trace", letters[0].id});
    CHECK(answered.at("state") == "acknowledged");
    const auto& recipient = answered.at("recipients").at(0);
    CHECK(recipient.at("office") == "hq");
    CHECK(recipient.at("outcome") == "accepted");
    CHECK(recipient.at("staff") == "박철수");
    CHECK(recipient.at("note") == "석고 40kg, 화요일 차편");
    CHECK(recipient.at("acknowledged_at").is_string());
    std::vector<std::string> events;
    for (const auto& event : answered.at("events")) {
        events.push_back(event.at("what"));
    }
    CHECK(events == Words{"queued", "carried", "delivered", "acknowledged"});
    CHECK(hyesan.ask({"trace", letters[1].id}).at("recipients").at(0).at("outcome") == "correct");
    CHECK(hyesan.ask({"show", letters[0].id}).at("state") == "acknowledged");
    const auto in_words = hyesan.run({"show", letters[0].id}).out;
    CHECK(in_words.find("accepted by 박철수, \"석고 40kg, 화요일 차편\"") != std::string::npos);
    const auto delivered = hyesan.ask({"trace", letters[2].id});
    CHECK(delivered.at("state") == "delivered");
    CHECK(delivered.at("recipients").at(0).at("delivered_at").is_string());
    CHECK(delivered.at("recipients").at(0).at("acknowledged_at").is_null());
    hyesan.stop();

    // The search works: in the saved folder, where the bytes may be, it finds them.
    CHECK_FALSE(files_with(saved, read_file(letters[1].attachments[0]).substr(20'000, 32)).empty());
    check_keeps_secret(pyongyang.home(), letters);
    check_keeps_secret(hyesan.home(), letters);
    for (const auto* office : {&hq, &hyesan, &pyongyang}) {
        CAPTURE(office->name(), office->log());
        CHECK(office->log().find("박철수") == std::string::npos);
        CHECK(office->log().find("석고") == std::string::npos);
    }
}
