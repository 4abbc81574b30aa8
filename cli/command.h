// Shared by all commands: the options that stand anywhere, the end of a command, and requests to
// the daemon.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "proto/exit_code.h"
#include "proto/result.h"

namespace fieldpost::wire {
class Request;
class Answer;
}  // namespace fieldpost::wire

namespace CLI {
class App;
}

namespace fieldpost::cli {

struct Common {
    std::filesystem::path home;
    bool json = false;
    bool quiet = false;
    bool color = false;
    std::uint32_t timeout_s = 10;
    bool has_timeout = false;  // true if --timeout was given
};

// Ends the command with one line on stderr, or with one JSON object.
struct Failure {
    int exit = exit_failed;
    std::string code;
    std::string what;
    std::string next;
    std::vector<std::string> ids{};
};
int report(const Common& common, const Failure& failure);

Failure no_duration(const std::string& given);
Failure no_time(const std::string& given);

// The command that starts the daemon of this home on this machine, as a person would type it.
std::string how_to_start(const std::filesystem::path& home);

// `auto`: on a terminal, unless NO_COLOR is set.
bool color_of(const std::string& option);
// In red, if colours are wanted.
std::string painted(const Common& common, const std::string& words);

template <class T>
using Outcome = std::expected<T, Failure>;
Failure failure_of(const Error& error);

// If no answer comes to a request that changes anything, the person has to look before trying
// again.
enum class Asking : std::uint8_t { to_see, to_change };
// Sends the request to the daemon of the home and waits for the answer. An answer that is a
// complaint of the daemon comes back as Failure.
Outcome<void> ask(const Common& common, const wire::Request& request, wire::Answer& answer,
                  Asking asking = Asking::to_see);

// A command adds itself to the app with a function of this type. It sets `run` to the function that
// runs the command, once the options are parsed. The list of all commands is in main.cpp.
using Run = std::function<int()>;
using AddCommand = void(CLI::App& app, const Common& common, Run& run);

}  // namespace fieldpost::cli
