// Keeps the engine's marker in a file of the home, written in place after every commit.
//
// Not synced: a power cut may set it back, which hides a store put back from a copy and never
// accuses one that was not. Damaged, it counts as none.
#pragma once

#include <filesystem>
#include <optional>

#include "daemon/engine/marker.h"

namespace fieldpost::runtime {

class MarkerFile {
public:
    // unavailable: it cannot be opened.
    static Result<MarkerFile> open(const std::filesystem::path& path);
    ~MarkerFile();
    MarkerFile(MarkerFile&& other) noexcept;
    MarkerFile& operator=(MarkerFile&&) = delete;
    MarkerFile(const MarkerFile&) = delete;
    MarkerFile& operator=(const MarkerFile&) = delete;

    // As it was at opening or after the last put.
    [[nodiscard]] const std::optional<engine::Marker>& marker() const { return marker_; }
    void put(const engine::Marker& marker);

private:
    explicit MarkerFile(int fd) : fd_(fd) {}
    int fd_;
    std::optional<engine::Marker> marker_;
};

}  // namespace fieldpost::runtime
