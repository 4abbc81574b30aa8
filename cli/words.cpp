#include "cli/words.h"

#include "proto/control.pb.h"
#include "proto/words.h"

namespace fieldpost::cli {

std::string word_of(wire::Box box) {
    return std::string(name_of(static_cast<Box>(box)));
}
std::string word_of(wire::Priority priority) {
    return std::string(name_of(static_cast<RecordClass>(priority)));
}
std::string word_of(wire::Role role) {
    return std::string(name_of(static_cast<Role>(role)));
}
std::string word_of(wire::Outcome outcome) {
    return std::string(name_of(static_cast<ReplyOutcome>(outcome)));
}

wire::Priority priority_of(std::string_view word) {
    return static_cast<wire::Priority>(class_named(word).value());
}
wire::Role role_of(std::string_view word) {
    return static_cast<wire::Role>(role_named(word).value());
}
wire::Outcome outcome_of(std::string_view word) {
    return static_cast<wire::Outcome>(outcome_named(word).value());
}

}  // namespace fieldpost::cli
