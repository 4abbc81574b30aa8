#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "cli/text.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

ProgressLine::ProgressLine(const Common& common)
    : is_wanted_(!common.quiet && !common.json && ::isatty(STDERR_FILENO) != 0) {}

void ProgressLine::show(const std::string& words) {
    if (!is_wanted_) {
        return;
    }
    // The last cell stays free, or some terminals begin a new line.
    fmt::print(stderr, "\r{}", fitted(words, terminal_width() - 1));
    std::fflush(stderr);
    is_shown_ = true;
}

void ProgressLine::clear() {
    if (is_shown_) {
        fmt::print(stderr, "\r{}\r", std::string(terminal_width() - 1, ' '));
        std::fflush(stderr);
        is_shown_ = false;
    }
}

std::string TransferWords::of(const wire::Transfer& transfer,
                              std::chrono::steady_clock::time_point now) {
    using namespace std::chrono_literals;
    // The rate limit lets a quarter of a second of bytes through at once. So a rate over less than
    // a second says nothing.
    constexpr auto shortest = 1s;
    constexpr auto longest = 10s;
    const auto which = fmt::format("{} {} {}", transfer.id(),
                                   transfer.is_incoming() ? "from" : "to", transfer.office());
    if (which != which_ ||
        (!samples_.empty() && samples_.back().done_bytes > transfer.done_bytes())) {
        which_ = which;
        samples_.clear();
    }
    samples_.push_back({now, transfer.done_bytes()});
    while (now - samples_.front().at > longest) {
        samples_.pop_front();
    }
    const auto passed =
        std::chrono::duration_cast<std::chrono::milliseconds>(now - samples_.front().at);
    const auto came = transfer.done_bytes() - samples_.front().done_bytes;
    const auto rate =
        passed < shortest ? 0 : came * 1000 / static_cast<std::uint64_t>(passed.count());
    const auto size = fmt::format("{} of {}", human_size(transfer.done_bytes()),
                                  human_size(transfer.size_bytes()));
    if (rate == 0) {
        return fmt::format("{}: {}", which, size);
    }
    const auto left =
        (transfer.size_bytes() - std::min(transfer.size_bytes(), transfer.done_bytes())) / rate;
    return fmt::format("{}: {} left, {}, {}/s", which,
                       human_length(static_cast<std::int64_t>(left)), size, human_size(rate));
}

}  // namespace fieldpost::cli
