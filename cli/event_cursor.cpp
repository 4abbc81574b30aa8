#include "cli/event_cursor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/json.h"
#include "cli/medium.h"
#include "cli/text.h"

namespace fieldpost::cli {

using nlohmann::ordered_json;

class EventCursor::Lock {
public:
    explicit Lock(int fd) : fd_(fd) {}
    ~Lock() { ::close(fd_); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

private:
    int fd_;
};

Outcome<EventCursor> EventCursor::open(const std::filesystem::path& path) {
    const auto beside = path.string() + ".lock";
    const int fd = ::open(beside.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return std::unexpected(Failure{
            exit_refused, "no_access",
            fmt::format("{} cannot be written: {}", safe_line(beside), std::strerror(errno)),
            "name a file in another folder"});
    }
    EventCursor cursor(path, std::make_shared<Lock>(fd));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return std::unexpected(
            Failure{exit_failed, "busy",
                    fmt::format("another process uses {} just now", safe_line(path.string())),
                    "one watcher has one cursor"});
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

Outcome<void> EventCursor::move(Place place) {
    auto file = OutputFile::create_private(path_);
    if (!file) {
        return std::unexpected(file.error());
    }
    const ordered_json json{{"seq", place.seq}, {"event", place.event}};
    auto done = file->write(json_text(json) + "\n");
    done = done ? file->close() : done;
    done = done ? file->replace() : done;
    place_ = std::move(place);
    return done;
}

}  // namespace fieldpost::cli
