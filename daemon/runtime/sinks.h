// The sinks of this office: programs that read its feed and put it into a database. Kept: when each
// last did so, and its trouble. A sink that is silent for long is a trouble too, also if this
// machine was switched off meanwhile, so all of this is kept in a file.
//
// Promise: whoever may read here can make this cost some kilobytes, and a write every ten seconds.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "daemon/engine/inputs.h"

namespace fieldpost::runtime {

class Sinks {
public:
    static constexpr std::size_t name_bytes_max = 200;
    static constexpr std::size_t trouble_bytes_max = 500;
    // A `file` that cannot be read begins anew: the sinks that are at work tell it again.
    explicit Sinks(std::filesystem::path file);

    // A sink has put all that it was told into its database, or has a trouble.
    void note(const std::string& name, std::string trouble, WallTime at);
    // Tells the troubles of all sinks, if they have changed since the last call.
    std::optional<engine::Input> take_news(Instant now, WallTime wall);

private:
    struct Sink {
        WallTime heard;
        std::string trouble{};
    };
    [[nodiscard]] Bytes encode() const;
    Result<void> decode(BytesView bytes);
    [[nodiscard]] std::string trouble(WallTime wall) const;

    std::filesystem::path file_;
    std::map<std::string, Sink> sinks_;
    Bytes written_;
    std::optional<Instant> told_at_;
    std::optional<std::string> told_;
};

}  // namespace fieldpost::runtime
