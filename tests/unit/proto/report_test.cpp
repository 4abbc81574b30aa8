// Goal: a report keeps every field, and breaks loudly when a rule is broken.
#include "proto/report.h"

#include <catch2/catch.hpp>

#include <functional>

#include "proto/compression.h"
#include "proto/limits.h"

using namespace fieldpost;

namespace {

Report full_report() {
    Report report;
    report.text = "석고 재고 없음\n";
    report.created = {1234};
    report.subject = "긴급";
    report.type = "stock";
    report.fields = {{"plaster", "0"}, {"물리", ""}};
    report.staff = "김은희";
    report.reply_to = ReportRef{OfficeId{1}, {{1, 2}, RecordClass::normal, 3}, {}};
    report.replaces = ReportRef{OfficeId{2}, {{1, 2}, RecordClass::urgent, 9}, {}};
    report.version = 1;
    report.addressed = {"@field"};
    report.attachments = {{"사진.jpg", 10}, {"b", 0}};
    report.utc_offset_minutes = 540;
    report.form_version = 3;
    return report;
}

}  // namespace

TEST_CASE("a report decodes to what was encoded", "[proto]") {
    CHECK(decode_report(encode_report(full_report())).value() == full_report());
    CHECK(decode_report({}).value() == Report{});
    for (const std::int16_t minutes : std::initializer_list<std::int16_t>{-1439, -210, 0, 1439}) {
        auto report = full_report();
        report.utc_offset_minutes = minutes;
        CHECK(decode_report(encode_report(report)).value() == report);
    }
}

TEST_CASE("a report that breaks a rule is refused", "[proto]") {
    const auto refused = [](const std::function<void(Report&)>& damage) {
        auto report = full_report();
        REQUIRE(check_report(report).has_value());
        damage(report);
        return !check_report(report).has_value() &&
               !decode_report(encode_report(report)).has_value();
    };
    CHECK(refused([](Report& r) { r.text = "\xff\xfe"; }));
    CHECK(refused([](Report& r) { r.text = "\xed\xa0\x80"; }));  // a surrogate
    CHECK(refused([](Report& r) { r.text = "\xc0\xaf"; }));      // an overlong form
    CHECK(refused([](Report& r) { r.text = std::string("a\0b", 3); }));
    CHECK(refused([](Report& r) { r.fields[0].value = std::string(1, '\0'); }));
    CHECK(refused([](Report& r) { r.attachments[0].name = std::string("a.jpg\0.exe", 10); }));
    CHECK(refused([](Report& r) { r.text = std::string(limits::text_bytes_max + 1, 'x'); }));
    CHECK(refused([](Report& r) { r.subject = "two\nlines"; }));
    CHECK(refused([](Report& r) { r.subject = "\x1b[31m"; }));
    CHECK(refused([](Report& r) { r.subject = std::string(10'000, 'x'); }));
    CHECK(refused([](Report& r) { r.staff = std::string(65, 'x'); }));
    CHECK(refused([](Report& r) { r.fields.push_back({"plaster", "1"}); }));
    CHECK(refused([](Report& r) { r.fields.push_back({"", "1"}); }));
    CHECK(refused([](Report& r) { r.fields.push_back({"a\tb", "1"}); }));
    CHECK(refused([](Report& r) { r.utc_offset_minutes = 1440; }));
    CHECK(refused([](Report& r) { r.utc_offset_minutes = -1441; }));
    CHECK(refused([](Report& r) { r.fields.assign(257, {"k", "v"}); }));
    CHECK(refused([](Report& r) { r.attachments.push_back({"", 1}); }));
    CHECK(refused([](Report& r) { r.attachments.push_back({std::string(256, 'n'), 1}); }));
    CHECK(refused([](Report& r) { r.attachments.push_back({"big", 65U << 20}); }));
    CHECK(refused([](Report& r) {
        r.outcome = ReplyOutcome::accepted;
        r.text = std::string(5000, 'n');
    }));
}

TEST_CASE("a subject counts in characters, not bytes", "[proto]") {
    Report report;
    for (std::size_t i = 0; i < limits::subject_code_points_max; ++i) {
        report.subject += "보";
    }
    CHECK(check_report(report).has_value());
    report.subject += "보";
    CHECK_FALSE(check_report(report).has_value());
}

TEST_CASE("a repeated singular field of a report is refused, an unknown one ignored", "[proto]") {
    auto bytes = encode_report(full_report());
    const auto once = bytes;
    const Bytes text{std::byte{0x0a}, std::byte{1}, std::byte{'x'}};
    bytes.insert(bytes.end(), text.begin(), text.end());
    CHECK_FALSE(decode_report(bytes).has_value());
    auto newer = once;
    const Bytes unknown{std::byte{0xa2}, std::byte{0x06}, std::byte{1},
                        std::byte{'x'}};  // field 100
    newer.insert(newer.end(), unknown.begin(), unknown.end());
    CHECK(decode_report(newer).value() == full_report());
}

TEST_CASE("whatever the codec, text comes back", "[proto]") {
    std::string natural;
    for (int i = 0; i < 2000; ++i) {
        natural += "보고 " + std::to_string(i * i) + " rapport; ";
    }
    for (const auto& text : {std::string(), std::string("x"), std::string(20'000, 'a'), natural}) {
        const auto compressed = compress(as_bytes(text));
        CHECK(compressed.bytes.size() <= text.size());
        const auto plain =
            decompress(static_cast<std::uint8_t>(compressed.codec), compressed.bytes, text.size());
        CHECK(as_text(plain.value()) == text);
    }
}

TEST_CASE("what unpacks to another size than declared is refused", "[proto]") {
    const auto bomb = compress(Bytes(1'000'000));
    CHECK(bomb.bytes.size() < 1000);
    const auto codec = static_cast<std::uint8_t>(bomb.codec);
    CHECK_FALSE(decompress(codec, bomb.bytes, 1000).has_value());
    CHECK_FALSE(decompress(codec, bomb.bytes, 1'000'001).has_value());
    CHECK(decompress(9, bomb.bytes, 1'000'000).error().code == Errc::unsupported);
}
