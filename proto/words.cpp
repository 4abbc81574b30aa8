#include "proto/words.h"

#include <algorithm>
#include <array>

namespace fieldpost {

namespace {

// Indexed by the number of the class.
constexpr std::array<std::string_view, record_classes> class_words = {"reply", "urgent", "normal",
                                                                      "bulk"};
constexpr std::array<std::string_view, roles> role_words = {"field", "relay", "hq"};
constexpr std::array<std::string_view, 4> outcome_words = {"", "accepted", "correct", "refused"};

template <class Number, std::size_t count>
std::optional<Number> numbered(const std::array<std::string_view, count>& words,
                               std::string_view word) {
    const auto at = std::ranges::find(words, word);
    if (word.empty() || at == words.end()) {
        return std::nullopt;
    }
    return static_cast<Number>(at - words.begin());
}

}  // namespace

std::string_view name_of(RecordClass record_class) {
    return class_words.at(static_cast<std::size_t>(record_class));
}

std::optional<RecordClass> class_named(std::string_view word) {
    return numbered<RecordClass>(class_words, word);
}

std::string_view name_of(Role role) {
    return role_words.at(static_cast<std::size_t>(role));
}

std::optional<Role> role_named(std::string_view word) {
    return numbered<Role>(role_words, word);
}

std::string_view name_of(ReplyOutcome outcome) {
    return outcome_words.at(static_cast<std::size_t>(outcome));
}

std::optional<ReplyOutcome> outcome_named(std::string_view word) {
    return numbered<ReplyOutcome>(outcome_words, word);
}

std::string_view name_of(Box box) {
    switch (box) {
        case Box::inbox:
            return "inbox";
        case Box::outbox:
            return "outbox";
        case Box::carried:
            return "carried";
    }
    return "";
}

}  // namespace fieldpost
