// Words that people read and write, for numbers in records, stores and the control socket. Each has
// one table, so that the command and the daemon cannot differ.
//
// Errors: an unknown word gives nothing.
//
// Not here: the names of events and the advice for them (storage/events.h).
#pragma once

#include <optional>
#include <string_view>

#include "proto/report.h"
#include "proto/vocabulary.h"

namespace fieldpost {

// People call a record's class its priority.
std::string_view name_of(RecordClass record_class);
std::optional<RecordClass> class_named(std::string_view word);
std::string_view name_of(Role role);
std::optional<Role> role_named(std::string_view word);
// Empty if there is no outcome.
std::string_view name_of(ReplyOutcome outcome);
std::optional<ReplyOutcome> outcome_named(std::string_view word);
std::string_view name_of(Box box);

}  // namespace fieldpost
