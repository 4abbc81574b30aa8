// Words for the numbers in requests and answers (proto/words.h). The daemon is of the same release,
// so the numbers in its answers are known here.
//
// Not here: the names of events and the advice for them. The daemon sends them (storage/events.h).
#pragma once

#include <string>
#include <string_view>

namespace fieldpost::wire {
enum Box : int;
enum Priority : int;
enum Role : int;
enum Outcome : int;
}  // namespace fieldpost::wire

namespace fieldpost::cli {

std::string word_of(wire::Box box);
std::string word_of(wire::Priority priority);
std::string word_of(wire::Role role);
// Empty: there is no answer.
std::string word_of(wire::Outcome outcome);

// Takes a word that a person typed. Option parsing has refused all other words.
wire::Priority priority_of(std::string_view word);
wire::Role role_of(std::string_view word);
wire::Outcome outcome_of(std::string_view word);

}  // namespace fieldpost::cli
