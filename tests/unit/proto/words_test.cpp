// Goal: numbers and the words that people read for them belong together, both ways.
// Method: every number there and back; words that are none; limits as messages name them.
#include "proto/words.h"

#include <catch2/catch.hpp>

#include "proto/size_text.h"

using namespace fieldpost;

TEST_CASE("every word names its number", "[words]") {
    for (const auto number :
         {RecordClass::reply, RecordClass::urgent, RecordClass::normal, RecordClass::bulk}) {
        CHECK(class_named(name_of(number)) == number);
    }
    for (const auto number : {Role::field, Role::relay, Role::hq}) {
        CHECK(role_named(name_of(number)) == number);
    }
    for (const auto number :
         {ReplyOutcome::accepted, ReplyOutcome::correct, ReplyOutcome::refused}) {
        CHECK(outcome_named(name_of(number)) == number);
    }
    CHECK(name_of(Box::inbox) == "inbox");
    CHECK(name_of(Box::carried) == "carried");
    for (const auto* word : {"", "Urgent", "urgent ", "xyz"}) {
        CHECK_FALSE(class_named(word));
        CHECK_FALSE(role_named(word));
        CHECK_FALSE(outcome_named(word));
    }
}

TEST_CASE("a limit is named without being rounded, and is read back", "[words]") {
    CHECK(exact_size(0) == "0 bytes");
    CHECK(exact_size(1000) == "1000 bytes");
    CHECK(exact_size(256U << 10) == "256 KiB");
    CHECK(exact_size(60U << 20) == "60 MiB");
    CHECK(exact_size((60U << 20) + 1) == "62914561 bytes");
    CHECK(parse_size("60MiB") == 60U << 20);
}
