// Speaks to a daemon's control socket as the command does, without a process for every request.
#pragma once

#include <filesystem>
#include <string>

namespace fieldpost::bench {

class ControlClient {
public:
    explicit ControlClient(const std::filesystem::path& home) : path_(home / "control") {}

    // False: no answer, or a problem. True: it is durable.
    [[nodiscard]] bool queue(const std::string& to, const std::string& text) const;
    // Asks what waits for each office, which looks at every header that is held.
    [[nodiscard]] bool peers() const;
    // Whether the daemon answers at all, by what costs it next to nothing.
    [[nodiscard]] bool answers() const;

private:
    std::filesystem::path path_;
};

}  // namespace fieldpost::bench
