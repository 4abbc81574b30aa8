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

std::string words_of(const wire::Transfer& transfer) {
    auto words = fmt::format("{} {} {}: {} of {}", transfer.id(),
                             transfer.is_incoming() ? "from" : "to", transfer.office(),
                             human_size(transfer.done_bytes()), human_size(transfer.size_bytes()));
    if (const auto rate = transfer.bytes_per_second(); rate > 0 && !transfer.is_incoming()) {
        const auto left = (transfer.size_bytes() - transfer.done_bytes()) / rate;
        words += fmt::format(", {}/s, {} left", human_size(rate),
                             human_length(static_cast<std::int64_t>(left)));
    }
    return words;
}

}  // namespace fieldpost::cli
