#include "cli/input.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fieldpost::cli {

namespace {

std::unexpected<Failure> broken_off(const std::string& why) {
    return std::unexpected(Failure{exit_failed, "input",
                                   "the text could not be read to its end: " + why,
                                   "nothing was queued; try again"});
}

// A terminal that is gone reads as its end would.
bool has_hung_up() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, 0) > 0 && (input.revents & (POLLHUP | POLLERR)) != 0;
}

}  // namespace

Outcome<std::string> read_standard_input(std::size_t bytes_max) {
    std::string text;
    std::array<char, 65536> buffer;
    const bool is_terminal = isatty(STDIN_FILENO) != 0;
    while (true) {
        const auto got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            pollfd input{STDIN_FILENO, POLLIN, 0};
            ::poll(&input, 1, -1);
            continue;
        }
        if (got < 0) {
            return broken_off(std::strerror(errno));
        }
        if (got == 0) {
            return is_terminal && has_hung_up() ? broken_off("the terminal hung up")
                                                : Outcome<std::string>(std::move(text));
        }
        text.append(buffer.data(), static_cast<std::size_t>(got));
        if (text.size() > bytes_max) {
            return std::unexpected(Failure{exit_invalid, "invalid",
                                           fmt::format("the text is over {} MiB", bytes_max >> 20U),
                                           "send the rest with --attach"});
        }
    }
}

}  // namespace fieldpost::cli
