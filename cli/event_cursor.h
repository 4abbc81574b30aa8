// The file in which `watch` keeps its place, so that no event is missed after a restart.
//
// It holds the number of an event and the event itself. In a store that was put back another event
// has that number: then the place does not fit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/medium.h"

namespace fieldpost::cli {

class EventCursor {
public:
    // Held until the end: a second command cannot use the file. invalid: it is no such file.
    static Outcome<EventCursor> open(const std::filesystem::path& path);

    struct Place {
        std::uint64_t seq = 0;
        std::string event{};  // as `watch --json` writes it; empty: there was none
    };
    // Nothing: the file is new.
    [[nodiscard]] const std::optional<Place>& place() const { return place_; }
    // Afterwards the place is on the disk.
    Outcome<void> move(Place place);

private:
    explicit EventCursor(std::filesystem::path path) : path_(std::move(path)) {}
    Outcome<void> hold();

    std::filesystem::path path_;
    std::optional<OutputFile> next_;
    std::optional<Place> place_;
};

}  // namespace fieldpost::cli
