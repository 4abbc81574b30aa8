// The file in which `watch` keeps its place, so that no event is missed after a restart.
//
// It holds the number of an event and the event itself. In a store that was put back another event
// has that number: then the place does not fit.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"

namespace fieldpost::cli {

class EventCursor {
public:
    // The cursor is held until the end, by a file beside it: a second command cannot use it.
    // invalid: the file is no cursor.
    static Outcome<EventCursor> open(const std::filesystem::path& path);

    struct Place {
        std::uint64_t seq = 0;
        std::string event{};  // words by which the event is known again; empty: there was none
    };
    // Nothing: the file is new.
    [[nodiscard]] const std::optional<Place>& place() const { return place_; }
    // Afterwards the place is on the disk.
    Outcome<void> move(Place place);

private:
    class Lock;
    EventCursor(std::filesystem::path path, std::shared_ptr<Lock> lock)
        : path_(std::move(path)), lock_(std::move(lock)) {}

    std::filesystem::path path_;
    std::shared_ptr<Lock> lock_;
    std::optional<Place> place_;
};

}  // namespace fieldpost::cli
