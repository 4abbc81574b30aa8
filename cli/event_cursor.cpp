#include "cli/event_cursor.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/json.h"
#include "cli/text.h"

namespace fieldpost::cli {

using nlohmann::ordered_json;

Outcome<EventCursor> EventCursor::open(const std::filesystem::path& path) {
    EventCursor cursor(path);
    if (auto held = cursor.hold(); !held) {
        return std::unexpected(held.error());
    }
    std::ifstream in(path, std::ios::binary);
    std::error_code error;
    if (!in && !std::filesystem::exists(path, error) && !error) {
        return cursor;
    }
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto json = ordered_json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("seq") || !json["seq"].is_number_unsigned() ||
        !json.contains("event") || !json["event"].is_string()) {
        return std::unexpected(
            Failure{exit_invalid, "invalid",
                    fmt::format("{} is no cursor of watch", safe_line(path.string())),
                    "name another file, or take it away to begin anew"});
    }
    cursor.place_ = {json["seq"].get<std::uint64_t>(), json["event"].get<std::string>()};
    return cursor;
}

Outcome<void> EventCursor::hold() {
    auto next = OutputFile::create_private(path_);
    if (!next) {
        return std::unexpected(next.error());
    }
    next_.emplace(std::move(*next));
    return {};
}

Outcome<void> EventCursor::move(Place place) {
    const ordered_json json{{"seq", place.seq}, {"event", place.event}};
    auto done = next_->write(json_text(json) + "\n");
    done = done ? next_->close() : done;
    done = done ? next_->replace() : done;
    place_ = std::move(place);
    return done ? hold() : done;
}

}  // namespace fieldpost::cli
