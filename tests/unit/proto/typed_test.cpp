// Goal: an ID or a code is understood however an input method or a document writes it. Method: one
// ID in each of those forms.
#include "proto/typed.h"

#include <catch2/catch.hpp>

using namespace fieldpost;

TEST_CASE("an ID is the same in full-width letters, with any dash, and with spaces around it",
          "[proto]") {
    for (const auto* typed :
         {"hyesan-42", "HYESAN-42", "ｈｙｅｓａｎ－４２", "ＨＹＥＳＡＮ-42", "hyesan–42",
          "hyesan—42", "hyesan\u201142", "hyesan\u221242", "hyesan\ufe6342", " hyesan-42 ",
          "\u00a0hyesan-42\u00a0", "\u3000hyesan-42", "hyesan-42\n", "hyesan-42\r\n",
          "\ufeffhyesan-42", "hyesan\u200b-42"}) {
        CAPTURE(typed);
        CHECK(plain_typed(typed) == "hyesan-42");
    }
    CHECK(plain_typed("혜산-42") == "혜산-42");
    CHECK(plain_typed("\xff\xfe") == "\xff\xfe");
    CHECK(plain_typed("").empty());
}

TEST_CASE("a text is cut between two characters", "[proto]") {
    CHECK(cut_text("한글", 6) == "한글");
    CHECK(cut_text("한글", 5) == "한");
    CHECK(cut_text("한글", 3) == "한");
    CHECK(cut_text("한글", 2).empty());
    CHECK(cut_text("", 2).empty());
    CHECK(cut_text("plain", 0).empty());
    // Bytes that are no UTF-8 are cut too, and nothing beyond them is read.
    CHECK(cut_text("\x80\x80\x80", 2).empty());
}
